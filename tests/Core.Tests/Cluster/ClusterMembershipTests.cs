using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

public sealed class ClusterMembershipTests
{
    private static readonly Uri Endpoint = new("http://n1:7301");

    [Fact]
    public void A_new_node_has_incarnation_1_and_owns_nothing()
    {
        var state = ClusterMembership.Join(ClusterState.Empty("b"), "n1", Endpoint, "z1", null).State;

        Assert.Equal(new NodeState(Endpoint, 1, Failed: false, "z1", 1), state.Nodes["n1"]);
        Assert.Equal(1, state.Version);
        Assert.Empty(Assignments.For(state, "n1"));
    }

    [Fact]
    public void A_rejoining_node_never_gets_its_old_terms_back()
    {
        var state = States.Of(["n1", "n2"], ("ch0", States.Led("n1", 3)), ("ch1", States.Led("n2", 5)));

        var joined = ClusterMembership.Join(state, "n1", Endpoint, null, 2).State;

        Assert.Equal(2, joined.Nodes["n1"].Incarnation);
        Assert.Equal([new Assignment("ch0", "leader", 4, Endpoint)], Assignments.For(joined, "n1"));
        Assert.Equal(state.Channels["ch1"], joined.Channels["ch1"]);
    }

    [Fact]
    public void Offline_channels_are_spread_over_the_nodes_that_live()
    {
        var state = States.Of(["n2"], ("ch0", States.Led(null, 3)), ("ch1", States.Led("n2", 1)), ("ch2", States.Led(null, 0)));

        var joined = ClusterMembership.Join(state, "n1", Endpoint, null, null).State;

        Assert.Equal(("n1", 4), (joined.Channels["ch0"].Leader, joined.Channels["ch0"].Term));
        Assert.Equal(("n1", 1), (joined.Channels["ch2"].Leader, joined.Channels["ch2"].Term));
    }

    [Fact]
    public void A_node_that_restarted_is_in_sync_with_nothing()
    {
        var state = States.Of(["n1", "n2"], ("ch0", States.Led("n2", 1) with { Replicas = [new("n1", ReplicaMode.Sync, ReplicaProgress.InSync, 9)] }));

        var joined = ClusterMembership.Join(state, "n1", Endpoint, null, null).State;

        Assert.Equal(ReplicaProgress.Disconnected, Assert.Single(joined.Channels["ch0"].Replicas).State);
        Assert.Equal([new Assignment("ch0", "replica", 1, new Uri("http://n2"), ReplicaMode.Sync)], Assignments.For(joined, "n1"));
    }

    [Theory]
    [InlineData("n1", 1, false)]
    [InlineData("n1", 0, true)]
    [InlineData("n1", 2, true)]
    [InlineData("n9", 1, true)]
    public void A_heartbeat_of_another_incarnation_is_told_to_join_again(string node, long incarnation, bool mustRejoin)
    {
        var state = States.Of(["n1"], ("ch0", States.Led("n1", 3)));

        var answer = Assignments.Answer(state, node, incarnation);

        Assert.Equal(mustRejoin, answer.MustRejoin);
        Assert.Equal(mustRejoin ? 0 : 1, answer.Assignments.Count);
    }

    [Fact]
    public void A_node_marked_failed_owns_nothing_and_is_told_to_join_again()
    {
        var state = FailoverPlanner.Plan(
            States.Of(["n1"], ("ch0", States.Led("n1", 3))), new FailureEvidence("n1", FailureEvidenceKind.Suspicion), TimeSpan.Zero, DateTimeOffset.UnixEpoch).State;

        Assert.True(Assignments.Answer(state, "n1", 1).MustRejoin);
        Assert.Empty(Assignments.For(state, "n1"));
    }
}
