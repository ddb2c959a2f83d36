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

    [Fact]
    public void A_channel_goes_to_the_node_that_leads_fewest_and_to_other_zones_first()
    {
        var state = ClusterState.Empty("b");
        state = ClusterMembership.Join(state, "n1", Endpoint, "z1", null).State;
        state = ClusterMembership.Join(state, "n2", Endpoint, "z1", null).State;
        state = ClusterMembership.Join(state, "n3", Endpoint, "z2", null).State;

        var first = ChannelPlacement.Create(state, "ch0", 2);
        var second = ChannelPlacement.Create(first.State, "ch1", 9 - 2);

        Assert.True(first.Created);
        Assert.Equal(("n1", 1, 0), (first.State.Channels["ch0"].Leader, first.State.Channels["ch0"].Term, first.State.Channels["ch0"].Index));
        Assert.Equal("n3", string.Join(',', first.State.Channels["ch0"].Replicas.Select(r => r.NodeId)));
        Assert.Equal(("n2", 1, 1), (second.State.Channels["ch1"].Leader, second.State.Channels["ch1"].Term, second.State.Channels["ch1"].Index));
        Assert.Equal("n3,n1", string.Join(',', second.State.Channels["ch1"].Replicas.Select(r => r.NodeId)));
    }

    [Fact]
    public void A_channel_that_exists_is_left_as_it_is()
    {
        var state = States.Of(["n1"], ("ch0", States.Led("n1", 3)));

        var again = ChannelPlacement.Create(state, "ch0", 3);

        Assert.False(again.Created);
        Assert.Null(again.Error);
        Assert.Same(state, again.State);
    }

    [Theory]
    [InlineData("Ch0", 1)]
    [InlineData("ch_v0", 1)]
    [InlineData("ch0", 0)]
    [InlineData("ch0", 8)]
    public void A_channel_that_cannot_be_is_refused(string name, int replicationFactor) =>
        Assert.Equal(ApiErrorCode.InvalidArgument, ChannelPlacement.Create(ClusterState.Empty("b"), name, replicationFactor).Error?.Code);

    [Fact]
    public void A_channel_without_nodes_waits_for_one()
    {
        var state = ChannelPlacement.Create(ClusterState.Empty("b"), "ch0", 1).State;
        Assert.True(state.Channels["ch0"].Offline);

        Assert.Equal(("n1", 1), (ClusterMembership.Join(state, "n1", Endpoint, null, null).State.Channels["ch0"] is var c ? (c.Leader, c.Term) : default));
    }
}
