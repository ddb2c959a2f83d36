using Baton.Core.Api;
using Baton.Functions.Nodes;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Failover;

/// <summary>A node that lives and says that it cannot lead one channel.</summary>
[Collection(AzuriteTests.Name)]
public sealed class CannotLeadTests(AzuriteFixture azurite)
{
    [Fact]
    public async Task Only_that_channel_moves_on_and_the_node_keeps_the_rest()
    {
        await using var plane = await StartAsync();
        await plane.AddChannelAsync("ch3");
        var before = await plane.StateAsync();
        Assert.Equal(("n1", "n1"), (before.Channels["ch1"].Leader, before.Channels["ch3"].Leader));
        plane.ClearCalls();

        var outputs = await plane.HandleAsync(CannotLead("n1", "ch1", 1));

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        var after = await plane.StateAsync();
        Assert.Equal(("n2", 2L), (after.Channels["ch1"].Leader, after.Channels["ch1"].Term));
        Assert.Equal(("n1", 1L), (after.Channels["ch3"].Leader, after.Channels["ch3"].Term));
        Assert.False(after.Nodes["n1"].Failed);
        Assert.Equal([new ChannelAtTerm("ch1", 2)], Assert.Single(plane.Nodes[1].Calls).Many!);
        Assert.Contains("cannot lead channel ch1", UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Failover!.Summary, StringComparison.Ordinal);
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

    [Theory]
    [InlineData("ch1", null)]
    [InlineData(null, 1L)]
    [InlineData("No Channel", 1L)]
    [InlineData("ch1", 0L)]
    public async Task A_report_with_half_of_it_is_refused(string? channel, long? term)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var answer = await plane.CallAsync<NodeFailed>(async (f, r) => (await f.RunAsync(r, default)).Answer, new NodeFailedRequest("disk full", Channel: channel, Term: term), ("nodeId", "n1"));

        Assert.Equal((400, "InvalidArgument"), (answer.Status, answer.Problem.Code));
    }

    [Fact]
    public async Task A_message_with_half_of_it_is_dead_lettered()
    {
        await using var plane = await StartAsync();

        var outputs = await plane.HandleAsync(CannotLead("n1", "ch1", 1) with { Term = null });

        Assert.NotNull(outputs.DeadLetter);
        Assert.False((await plane.StateAsync()).Nodes["n1"].Failed);
    }

    [Fact]
    public async Task A_whole_report_becomes_an_urgent_message_with_channel_and_term()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        string? message = null;

        await plane.CallAsync<NodeFailed>(
            async (f, r) =>
            {
                var outputs = await f.RunAsync(r, default);
                message = outputs.Message;
                return outputs.Answer;
            },
            new NodeFailedRequest("disk full", "n1", "e-1", 3, "ch1", 7),
            ("nodeId", "n1"));

        var sent = UrgentQueue.Json<UrgentFailoverMessage>(message!);
        Assert.Equal(("ch1", 7L, 3L), (sent.Channel, sent.Term, sent.Incarnation));
    }

    private static UrgentFailoverMessage CannotLead(string nodeId, string channel, long term) =>
        new($"cannot-{channel}-{term}", nodeId, "the storage refuses", DateTimeOffset.UtcNow, 1, nodeId, channel, term);

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        return plane;
    }
}
