using System.Globalization;
using System.Text;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Snapshots;

/// <summary>Whole nodes on real storage: what the next one finds when it opens from a snapshot.</summary>
public sealed class OpeningFromSnapshotTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly (string, string) Every100 = ("Node:SnapshotEveryRecords", "100");

    [Fact]
    public async Task Only_the_records_behind_the_snapshot_are_read_and_the_state_is_whole()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        var write = new AppendRequest([new MessageBody("once"u8.ToArray())], new ProducerStamp("p", 7));
        AppendResponse first;
        long txnId;
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Every100))
        {
            first = await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/messages", write));
            txnId = (await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(60_000)))).TxnId;
            await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/transactions/{txnId}/messages", new AppendRequest([new MessageBody("body"u8.ToArray())])));
            await GrowAsync(node, channel, 150);
            await SnapshotsAsync(node, 1);
            await node.AppendAsync(channel, "x", "y", "z");
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2", settings: Every100);
        Assert.Equal(3, await MetricAsync(next, $"baton_wal_replayed_records_total{{channel=\"{channel}\"}}"));
        var again = await TestNode.OkAsync<AppendResponse>(next.PostAsync($"channels/{channel}/messages", write));
        Assert.Equal((first.FirstLsn, first.LastLsn, first.TimeTick), (again.FirstLsn, again.LastLsn, again.TimeTick));
        Assert.Equal([txnId], (await next.StatusAsync(channel)).OpenTransactions);
        await TestNode.OkAsync<AppendResponse>(next.PostAsync($"channels/{channel}/transactions/{txnId}/commit", new { }));
        Assert.Equal("body", (await next.TextsAsync(channel))[^1]);
        Assert.Equal(1, (await next.TextsAsync(channel)).Count(t => t == "once"));
    }

    [Fact]
    public async Task A_channel_that_changes_hands_often_and_is_written_to_seldom_is_not_read_from_all_its_segments()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        for (var term = 1; term <= 4; term++)
        {
            await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: term, id: $"node-{term}");
            await node.AppendAsync(channel, $"of term {term}");
            Assert.Equal(0, await MetricAsync(node, "baton_wal_snapshots_total{status=\"written\"}"));
        }

        await using (var fifth = await TestNode.LeadingAsync(fixture, plane, channel, term: 5, id: "node-5"))
        {
            await SnapshotsAsync(fifth, 1);
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 6, id: "node-6");
        Assert.Equal(0, await MetricAsync(next, $"baton_wal_replayed_records_total{{channel=\"{channel}\"}}"));
        Assert.Equal(Enumerable.Range(1, 4).Select(t => $"of term {t}"), await next.TextsAsync(channel));
    }

    [Fact]
    public async Task A_transactions_size_goes_on_counting()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        var large = new AppendRequest([.. Enumerable.Repeat(new MessageBody(new byte[1 << 20]), 5)]);
        long txnId;
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Every100))
        {
            txnId = (await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(60_000)))).TxnId;
            foreach (var _ in Enumerable.Range(0, 3))
            {
                await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/transactions/{txnId}/messages", large));
            }

            await GrowAsync(node, channel, 100);
            await SnapshotsAsync(node, 1);
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2", settings: Every100);
        Assert.Equal(0, await MetricAsync(next, $"baton_wal_replayed_records_total{{channel=\"{channel}\"}}"));
        await TestNode.ProblemAsync(next.PostAsync($"channels/{channel}/transactions/{txnId}/messages", large), ApiErrorCode.PayloadTooLarge);
    }

    [Fact]
    public async Task Acks_that_were_delivered_are_not_sent_again_and_those_still_owed_are()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Every100))
        {
            await pair.FollowAsync(node);
            await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(1, 10, 77)));
            await Eventually.HoldsAsync(async () => !plane.Acks.IsEmpty && await MetricAsync(node, Pending(channel)) == 0, "the first ack is taken");
            plane.TakesAcks = false;
            await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(2, 11, 78)));
            await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, [.. Enumerable.Range(3, 100).Select(i => Pair.Plain(i, 10 + i, "m"))]));
            await SnapshotsAsync(node, 1);
        }

        plane.Acks.Clear();
        plane.TakesAcks = true;
        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2", settings: Every100);
        await Eventually.HoldsAsync(async () => await MetricAsync(next, Pending(channel)) == 0, "nothing is owed any more");
        Assert.Equal([78L], plane.Acks.Select(a => a.BroadcastId));
        Assert.Equal(0, await MetricAsync(next, $"baton_wal_replayed_records_total{{channel=\"{channel}\"}}"));
        var again = await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(next, pair.Broadcast(1, 10, 77), Pair.Plain(102, 112, "m")));
        Assert.Equal((0, 2), (again.Appended, again.Ignored));
        Assert.True((await pair.FollowAsync(next)).Duplicate);
    }

    [Fact]
    public async Task An_opening_that_read_much_leaves_a_snapshot_for_the_next()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            await GrowAsync(node, channel, 150);
        }

        await using (var second = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2", settings: Every100))
        {
            Assert.Equal(150, await MetricAsync(second, $"baton_wal_replayed_records_total{{channel=\"{channel}\"}}"));
            await SnapshotsAsync(second, 1);
        }

        await using var third = await TestNode.LeadingAsync(fixture, plane, channel, term: 3, id: "node-3", settings: Every100);
        Assert.Equal(0, await MetricAsync(third, $"baton_wal_replayed_records_total{{channel=\"{channel}\"}}"));
        Assert.Equal(151, (await third.AppendAsync(channel, "next")).FirstLsn);
    }

    [Fact]
    public async Task A_snapshot_that_cannot_be_taken_costs_only_the_reading_of_the_log()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            await GrowAsync(node, channel, 20);
        }

        await using (var writer = await fixture.OpenStore().OpenAsync(channel, 2, "of another version", null, CancellationToken.None))
        {
            await writer.WriteSnapshotAsync(20, "{\"version\":2}"u8.ToArray(), CancellationToken.None);
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 3, id: "node-2");
        Assert.Equal(20, await MetricAsync(next, $"baton_wal_replayed_records_total{{channel=\"{channel}\"}}"));
        Assert.Equal(21, (await next.AppendAsync(channel, "next")).FirstLsn);
    }

    [Fact]
    public async Task While_too_much_is_owed_to_the_control_plane_there_is_no_snapshot_and_everything_else_goes_on()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesAcks = false;
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Every100))
        {
            await pair.FollowAsync(node);
            foreach (var i in Enumerable.Range(1, 24))
            {
                await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(i, 10 + i, 100 + i, payloadBytes: 700 * 1024)));
            }

            await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, [.. Enumerable.Range(25, 100).Select(i => Pair.Plain(i, 10 + i, "m"))]));
            await Eventually.HoldsAsync(async () => await MetricAsync(node, "baton_wal_snapshots_total{status=\"failed\"}") == 1, "it is counted");
            await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, Pair.Plain(125, 135, "m")));
        }

        plane.TakesAcks = true;
        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        Assert.Equal(126, await MetricAsync(next, $"baton_wal_replayed_records_total{{channel=\"{channel}\"}}"));
        await Eventually.HoldsAsync(async () => await MetricAsync(next, Pending(channel)) == 0, "nothing is owed any more");
        Assert.Equal(Enumerable.Range(101, 24), plane.Acks.Select(a => (int)a.BroadcastId).Order());
    }

    /// <summary>Two records a segment: 1 begin of T, 2 | 3 begin of U, 4 body of T | 5 commit of T, 6 | the rest. U stays open, so that only the first goes.</summary>
    [Fact]
    public async Task A_read_below_the_retained_history_is_told_where_to_go_on()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        (string, string)[] settings = [Every100, ("Wal:MaxSegmentBlocks", "3"), ("Wal:RetainBytes", "0"), ("Wal:SnapshotsKept", "1")];
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: settings);
        var t = await BeginAsync(node, channel);
        await node.AppendAsync(channel, "2");
        await BeginAsync(node, channel);
        await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/transactions/{t}/messages", new AppendRequest([new MessageBody("4"u8.ToArray())])));
        await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/transactions/{t}/commit", new { }));
        await node.AppendAsync(channel, "6");
        await GrowAsync(node, channel, 100);
        await Eventually.HoldsAsync(async () => await FirstAvailableAsync(node, channel, 1, "all") == 3, "the first segment is deleted");

        Assert.Equal(3, await FirstAvailableAsync(node, channel, 1, "committed"));
        Assert.Equal(3, (await node.ReadAsync(channel, "all", from: 3)).Messages[0].Lsn);
        Assert.Equal(6, await FirstAvailableAsync(node, channel, 3, "committed"));
        Assert.Equal("6", Encoding.UTF8.GetString((await node.ReadAsync(channel, from: 6)).Messages[0].Payload));
    }

    [Fact]
    public async Task Nothing_is_deleted_while_others_replicate_from_this_cluster()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        (string, string)[] settings = [Every100, ("Wal:MaxSegmentBlocks", "3"), ("Wal:RetainBytes", "0"), ("Wal:SnapshotsKept", "1")];
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: settings);
        await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 1, pair.Replicated));
        foreach (var i in Enumerable.Range(1, 3))
        {
            await GrowAsync(node, channel, 100);
            await SnapshotsAsync(node, i);
        }

        Assert.Equal(1, (await node.ReadAsync(channel, "all")).Messages[0].Lsn);
    }

    /// <summary>A switch of roles is a record of this log too: until the other cluster has taken it, and all before it, this log is the only place where they are.</summary>
    [Fact]
    public async Task Nothing_is_deleted_when_a_primary_turns_secondary_until_its_new_source_has_sent_something()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();

        // No tasks: what it had to send has been sent.
        plane.Replication = new ReplicateStanding(1, Replicates: true);
        (string, string)[] settings = [Every100, ("Wal:MaxSegmentBlocks", "3"), ("Wal:RetainBytes", "0"), ("Wal:SnapshotsKept", "1")];
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: settings);
        await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 1, pair.Replicated));
        var first = await LitterAsync(channel, lsn: 1);
        await GrowAsync(node, channel, 99);
        await SnapshotsAsync(node, 1);
        await SweptAsync(first);
        foreach (var _ in Enumerable.Range(0, 3))
        {
            await GrowAsync(node, channel, 33);
        }

        var litter = await LitterAsync(channel, lsn: 2);
        await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 2, pair.Replicating));
        await SnapshotsAsync(node, 2);
        await SweptAsync(litter);
        Assert.Equal(1, (await node.ReadAsync(channel, "all")).Messages[0].Lsn);

        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, [.. Enumerable.Range(1, 100).Select(i => Pair.Plain(i, 10 + i, "m"))]));
        await Eventually.HoldsAsync(async () => await FirstAvailableAsync(node, channel, 1, "all") is not null, "what the source has taken is deleted");
    }

    /// <summary>A segment that no manifest has, of a term below any: the sweep that ends the taking of a snapshot deletes it, when everything else is deleted.</summary>
    private async Task<AppendBlobClient> LitterAsync(string channel, long lsn)
    {
        var blob = new BlobServiceClient(fixture.ConnectionString).GetBlobContainerClient("wal").GetAppendBlobClient($"{channel}/{0:D10}-{lsn:D20}.seg");
        await blob.CreateAsync();
        return blob;
    }

    private static Task SweptAsync(AppendBlobClient litter) => Eventually.HoldsAsync(async () => !(await litter.ExistsAsync()).Value, $"{litter.Name} is swept");

    private static string Pending(string channel) => $"baton_node_broadcast_acks_pending{{channel=\"{channel}\"}}";

    private static async Task<long> BeginAsync(TestNode node, string channel) =>
        (await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(600_000)))).TxnId;

    private static Task<AppendResponse> GrowAsync(TestNode node, string channel, int records) => node.AppendAsync(channel, [.. Enumerable.Repeat("m", records)]);

    private static Task SnapshotsAsync(TestNode node, int count) =>
        Eventually.HoldsAsync(async () => await MetricAsync(node, "baton_wal_snapshots_total{status=\"written\"}") >= count, $"{count} snapshots are written");

    /// <summary>What the problem says; null where there is something to read.</summary>
    private static async Task<long?> FirstAvailableAsync(TestNode node, string channel, long from, string isolation)
    {
        var path = new Uri($"channels/{channel}/messages?from={from}&isolation={isolation}", UriKind.Relative);
        using var answer = await node.Client.GetAsync(path);
        return answer.IsSuccessStatusCode ? null : (await TestNode.ProblemAsync(node.Client.GetAsync(path), ApiErrorCode.RangeNotSatisfiable)).FirstAvailable;
    }

    private static async Task<long> MetricAsync(TestNode node, string series)
    {
        var lines = (await node.Client.GetStringAsync(new Uri("metrics", UriKind.Relative))).Split('\n');
        return long.Parse(Assert.Single(lines, l => l.StartsWith(series, StringComparison.Ordinal))[series.Length..], CultureInfo.InvariantCulture);
    }
}
