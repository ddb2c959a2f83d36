using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Baton.Core.Api;
using Baton.Node.Channels;
using Baton.Node.Tests.Harness;
using Baton.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Leadership;

/// <summary>A node that lives and cannot open a channel that it should lead: it says so, and keeps everything else.</summary>
public sealed class CannotLeadTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly (string, string)[] FewAttempts = [("Wal:MaxAttempts", "2"), ("Wal:RetryDelayMs", "1"), ("Wal:GiveUpMs", "100")];

    [Fact]
    public async Task Half_opened_it_is_reported_once_and_another_node_leads_it_while_this_one_keeps_its_own()
    {
        var (bad, good) = (NodeFixture.NewChannel(), NodeFixture.NewChannel());
        var fault = new StorageFault();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(good, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault, [.. FewAttempts, ("Node:OpenGiveUpMs", "60000")]);
        await node.LeadsAsync(good, 1);
        fault.Broken = true;
        plane.Assign("node-1", new Assignment(good, "leader", 1, null), new Assignment(bad, "leader", 7, null));
        await Eventually.HoldsAsync(() => !plane.Failures.IsEmpty, "it reports itself");
        var beats = plane.Beats.Count;
        await Eventually.HoldsAsync(() => plane.Beats.Count >= beats + 5, "it beats on");
        fault.Broken = false;

        var (nodeId, report) = Assert.Single(plane.Failures);
        Assert.Equal(("node-1", new ChannelAtTerm(bad, 7), 1L, "node-1"), (nodeId, Assert.Single(report.Leaderships!), report.Incarnation, report.ObservedBy));
        Assert.True(Names.IsValidId(report.EventId));
        Assert.InRange(report.Reason.Length, 1, 1_000);
        plane.Assign("node-1", new Assignment(good, "leader", 1, null));
        await using var next = await TestNode.LeadingAsync(fixture, plane, bad, term: 8, id: "node-2");
        Assert.Equal(1, (await next.AppendAsync(bad, "served")).FirstLsn);
        Assert.Equal(1, (await node.AppendAsync(good, "kept")).FirstLsn);
        Assert.Single(plane.Joins, j => j.NodeId == "node-1");
    }

    [Fact]
    public async Task A_log_that_cannot_be_reached_is_reported_after_its_time_and_not_before_and_tried_on()
    {
        var channel = NodeFixture.NewChannel();
        var away = new TablesAway { Away = true };
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, away, ("Node:OpenGiveUpMs", "300"));
        var since = System.Diagnostics.Stopwatch.GetTimestamp();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await Eventually.HoldsAsync(() => !plane.Failures.IsEmpty, "it reports itself");
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(since).TotalMilliseconds, 300, double.MaxValue);
        var refused = away.Refused;
        await Eventually.HoldsAsync(() => away.Refused > refused + 4, "it tries on");
        Assert.Single(plane.Failures);

        // Nobody else was there to lead it.
        away.Away = false;
        await node.LeadsAsync(channel, 1);
        Assert.Single(plane.Joins);

        away.Away = true;
        plane.Assign("node-1", new Assignment(channel, "leader", 2, null));
        await Eventually.HoldsAsync(() => plane.Failures.Count == 2, "the next term is another report");
        Assert.Equal([new ChannelAtTerm(channel, 2)], plane.Failures.Last().Report.Leaderships!);
    }

    [Fact]
    public async Task A_report_that_is_not_taken_comes_again_until_it_is_and_a_heartbeat_never_waits_for_it()
    {
        var channel = NodeFixture.NewChannel();
        var away = new TablesAway { Away = true };
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesFailures = false;
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await StartAsync(plane, away, ("Node:OpenGiveUpMs", "10"));
        await Eventually.HoldsAsync(() => plane.Failures.Count >= 3, "it says so again");
        plane.TakesFailures = true;
        var said = plane.Failures.Count;
        await Eventually.HoldsAsync(() => plane.Failures.Count > said, "it is taken");
        said = plane.Failures.Count;
        var beats = plane.Beats.Count;
        await Eventually.HoldsAsync(() => plane.Beats.Count >= beats + 5, "it beats on");
        Assert.InRange(plane.Failures.Count, said, said + 1);
        Assert.Single(plane.Failures.Select(f => f.Report.EventId).Distinct());
    }

    [Fact]
    public async Task It_is_said_twenty_times_at_most()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesFailures = false;
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await StartAsync(plane, new TablesAway { Away = true }, ("Node:OpenGiveUpMs", "10"), ("Node:HeartbeatIntervalMs", "10"));
        await Eventually.HoldsAsync(() => plane.Failures.Count == 20, "it says so");
        var beats = plane.Beats.Count;
        await Eventually.HoldsAsync(() => plane.Beats.Count >= beats + 20, "it beats on");
        Assert.Equal(20, plane.Failures.Count);
    }

    [Fact]
    public async Task Ten_thousand_channels_are_each_reported_once_and_take_no_more_than_a_report_a_heartbeat_besides_the_full_ones()
    {
        const int Channels = 10_000;
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", [.. Enumerable.Range(0, Channels).Select(i => new Assignment($"many-{i}", "leader", 3, null))]);
        await using var node = await StartAsync(
            plane, new TablesAway { Away = true }, ("Node:OpenGiveUpMs", "10"), ("Node:HeartbeatIntervalMs", "1000"), ("Wal:MaxAttempts", "1"));

        await Eventually.HoldsAsync(() => plane.Failures.Sum(f => f.Report.Leaderships!.Count) >= Channels, "all are reported");

        // Each round goes out after an answered join or heartbeat, and only its last report is not full.
        var reports = plane.Failures.Select(f => f.Report).ToList();
        Assert.InRange(reports.Count, Channels / Leaderships.Max, (Channels / Leaderships.Max) + plane.Beats.Count + plane.Joins.Count);
        Assert.All(reports, r => Assert.True(Leaderships.AreValid(r.Leaderships!)));
        Assert.Equal(Channels, reports.SelectMany(r => r.Leaderships!).Distinct().Count());
        Assert.Equal(Channels, reports.Sum(r => r.Leaderships!.Count));
    }

    [Fact]
    public async Task A_damaged_log_is_not_reported_as_no_other_node_could_open_it()
    {
        var channel = NodeFixture.NewChannel();
        await using (await fixture.OpenStore().OpenAsync(channel, 1, "another node", null, CancellationToken.None))
        {
            // Only its segment is wanted.
        }

        var manifest = await fixture.OpenStore().ReadManifestAsync(channel, CancellationToken.None);
        var storage = BatonStorage.Open(new StorageOptions { ConnectionString = fixture.ConnectionString });
        await storage.Blobs.GetBlobContainerClient("wal").GetBlobClient(manifest!.Segments[^1].BlobName(channel)).DeleteAsync();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 2, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", ("Node:OpenGiveUpMs", "10"));
        await Eventually.HoldsAsync(() => node.Services.GetRequiredService<ChannelTable>().TermSeen(channel) == 2, "it has tried");
        var beats = plane.Beats.Count;
        await Eventually.HoldsAsync(() => plane.Beats.Count >= beats + 5, "it beats on");
        Assert.Empty(plane.Failures);
        Assert.Single(plane.Joins);
    }

    private async Task<TestNode> StartAsync(ScriptedControlPlane plane, TablesAway away, params (string, string)[] settings)
    {
        var node = await TestNode.StartAsync(
            fixture,
            plane,
            "node-1",
            builder => builder.Services.AddSingleton(BatonStorage.Open(new StorageOptions { ConnectionString = fixture.ConnectionString }, configureTables: tables => tables.AddPolicy(away, HttpPipelinePosition.PerCall))),
            [.. FewAttempts, .. settings]);
        await Eventually.HoldsAsync(() => !plane.Joins.IsEmpty, "it has joined");
        return node;
    }

    /// <summary>While <see cref="Away"/>, no manifest can be read or written; joining needs no more than the table itself.</summary>
    private sealed class TablesAway : HttpPipelinePolicy
    {
        private volatile bool _away;
        private int _refused;

        public bool Away
        {
            get => _away;
            set => _away = value;
        }

        public int Refused => Volatile.Read(ref _refused);

        public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => ProcessNext(message, pipeline);

        public override ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
        {
            if (_away && message.Request.Uri.Path.Contains("PartitionKey", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _refused);
                throw new RequestFailedException("the network is down");
            }

            return ProcessNextAsync(message, pipeline);
        }
    }
}
