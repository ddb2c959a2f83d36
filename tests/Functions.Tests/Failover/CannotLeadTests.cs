using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Nodes;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Failover;

/// <summary>A node that lives and says that it cannot lead some channels.</summary>
public sealed class CannotLeadTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Only_that_channel_moves_on_and_the_node_keeps_the_rest()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();
        Assert.Equal(("n1", "n1"), (before.Channels["ch1"].Leader, before.Channels[MetadataChannel.Name].Leader));
        plane.ClearCalls();

        var outputs = await plane.HandleAsync(CannotLead("n1", "ch1", 1));

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        var after = await plane.StateAsync();
        Assert.Equal(("n2", 2L), (after.Channels["ch1"].Leader, after.Channels["ch1"].Term));
        Assert.Equal(("n1", 1L), (after.Channels[MetadataChannel.Name].Leader, after.Channels[MetadataChannel.Name].Term));
        Assert.False(after.Nodes["n1"].Failed);
        Assert.Equal([new ChannelAtTerm("ch1", 2)], Assert.Single(plane.Nodes[1].Calls).Many!);
        Assert.Contains("cannot lead channel ch1", UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Failover!.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task As_many_channels_as_a_report_lists_are_one_read_one_conditional_write_one_call_per_new_leader_and_one_small_message()
    {
        await using var plane = await StartAsync();
        await plane.AddNodeAsync("n3");
        await plane.States.UpdateAsync(
            s => s with { Version = s.Version + 1, Channels = Enumerable.Range(0, 10_000).ToDictionary(i => $"channel-{i:D5}", i => new ChannelState("n1", 1 + (i % 7), 1, [], i), StringComparer.Ordinal) }, default);
        var before = await plane.StateAsync();
        plane.ClearCalls();

        var said = before.Channels.Where(c => c.Value.Index % 50 == 0).Select(c => new ChannelAtTerm(c.Key, c.Value.Term)).ToArray();
        Assert.Equal(Leaderships.Max, said.Length);
        var outputs = await plane.HandleAsync(CannotLead("n1", said));

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        var after = await plane.StateAsync();
        Assert.Equal(before.Version + 1, after.Version);
        Assert.All(said, c => Assert.Equal((true, c.Term + 1), (after.Channels[c.Channel].Leader is "n2" or "n3", after.Channels[c.Channel].Term)));
        Assert.Equal(10_000 - said.Length, after.Channels.Values.Count(c => c.Leader == "n1"));
        Assert.Empty(plane.Nodes[0].Calls);
        Assert.All(plane.Nodes.Skip(1), n => Assert.Equal(said.Length / 2, Assert.Single(n.Calls).Many!.Count));
        Assert.InRange(Encoding.UTF8.GetByteCount(outputs.Reconcile!), 1, 2_000);
        Assert.Equal(
            "Node n1 cannot lead channel channel-00000 and 199 others (the storage refuses): 200 channels have new leaders, 0 are offline for want of a live node.",
            UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Failover!.Summary);
    }

    [Fact]
    public async Task The_same_report_again_is_void_and_begins_no_cooldown()
    {
        await using var plane = await StartAsync();
        await plane.HandleAsync(CannotLead("n1", "ch1", 1));
        var moved = await plane.StateAsync();

        var again = await plane.HandleAsync(CannotLead("n1", "ch1", 1));
        Assert.Equal((moved.Version, null), ((await plane.StateAsync()).Version, again.Reconcile));

        await plane.HandleAsync(UrgentQueue.Report("n1"));
        Assert.True((await plane.StateAsync()).Nodes["n1"].Failed);
    }

    [Fact]
    public async Task Without_another_node_nothing_changes()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddNodeAsync("n1");
        await plane.AddChannelAsync("ch1");
        var before = await plane.StateAsync();

        await plane.HandleAsync(CannotLead("n1", "ch1", 1));

        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
    }

    public static TheoryData<string> Wrong => new(
        "[]",
        "[null]",
        """[{"channel":"ch1"}]""",
        """[{"term":1}]""",
        """[{"channel":"ch1","term":0}]""",
        """[{"channel":"ch1","term":9007199254740992}]""",
        """[{"channel":"ch1","term":1},{"channel":"No Channel","term":1}]""",
        """[{"channel":"ch1","term":1},{"channel":"ch2","term":1},{"channel":"ch1","term":2}]""",
        JsonSerializer.Serialize(Enumerable.Range(0, Leaderships.Max + 1).Select(i => new ChannelAtTerm($"ch{i}", 1)), BatonJson.Options));

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_report_with_anything_wrong_in_its_list_is_refused(string leaderships)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var body = Encoding.UTF8.GetBytes($$"""{"reason":"disk full","leaderships":{{leaderships}}}""");
        var answer = await plane.CallAsync<NodeFailed>(async (f, r) => (await f.RunAsync(r, default)).Answer, body, ("nodeId", "n1"));

        Assert.Equal((400, "InvalidArgument"), (answer.Status, answer.Problem.Code));
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_message_with_anything_wrong_in_its_list_is_dead_lettered(string leaderships)
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();

        var outputs = await plane.HandleAsync(Encoding.UTF8.GetBytes($$"""{"eventId":"e-1","nodeId":"n1","reason":"disk full","observedAt":"2026-11-21T00:00:00Z","leaderships":{{leaderships}}}"""));

        Assert.NotNull(outputs.DeadLetter);
        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
    }

    [Fact]
    public async Task A_report_becomes_an_urgent_message_with_its_list()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var sent = UrgentQueue.Json<UrgentFailoverMessage>(await ReportAsync(plane, "n1", new NodeFailedRequest("disk full", "n1", "e-1", 3, [new("ch1", 7), new(MetadataChannel.Name, 2)])));

        Assert.Equal([new("ch1", 7), new(MetadataChannel.Name, 2)], sent.Leaderships!);
        Assert.Equal(("e-1", "n1", 3L), (sent.EventId, sent.NodeId, sent.Incarnation));
    }

    [Fact]
    public async Task The_longest_report_fits_its_queue_and_so_does_its_dead_letter()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        // A control character takes six bytes in JSON, more than any other.
        string Long(int length) => new('\u0001', length);
        string Id(int i) => $"{i:D3}".PadRight(Names.MaxLength, 'x');
        var leaderships = Enumerable.Range(0, Leaderships.Max).Select(i => new ChannelAtTerm(Id(i), ExactNumbers.End - 1)).ToArray();
        var message = await ReportAsync(plane, Id(0), new NodeFailedRequest("r" + Long(999), Long(200), Id(1), long.MaxValue, leaderships));

        Assert.InRange(Encoding.UTF8.GetByteCount(message), 25_000, 32 * 1024);
        var letter = (await plane.HandleAsync(Encoding.UTF8.GetBytes(message))).DeadLetter;
        Assert.InRange(Encoding.UTF8.GetByteCount(letter!), 32 * 1024, 48 * 1024);
    }

    private static async Task<string> ReportAsync(ControlPlane plane, string nodeId, NodeFailedRequest report)
    {
        string? message = null;
        var answer = await plane.CallAsync<NodeFailed>(
            async (f, r) =>
            {
                var outputs = await f.RunAsync(r, default);
                message = outputs.Message;
                return outputs.Answer;
            },
            report,
            ("nodeId", nodeId));
        Assert.Equal(202, answer.Status);
        return message!;
    }

    private static UrgentFailoverMessage CannotLead(string nodeId, string channel, long term) => CannotLead(nodeId, new ChannelAtTerm(channel, term));

    private static UrgentFailoverMessage CannotLead(string nodeId, params ChannelAtTerm[] leaderships) =>
        new("cannot-lead", nodeId, "the storage refuses", DateTimeOffset.UtcNow, 1, nodeId, leaderships);

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        return plane;
    }
}
