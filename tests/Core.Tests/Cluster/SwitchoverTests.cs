using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

public sealed class SwitchoverTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);

    private static ClusterState Three { get; } = States.Of(
        ["n1", "n2", "n3"],
        ("ch0", States.Led("n1", term: 4) with { ReplicationFactor = 2, Replicas = [new("n2", ReplicaMode.Sync, ReplicaProgress.InSync, 9)] }),
        ("ch1", States.Led("n2", term: 2)),
        ("ch2", States.Led("n1", term: 1)));

    [Fact]
    public void A_channel_moves_to_its_replica_and_the_former_leader_keeps_a_copy_in_its_place()
    {
        var moved = Switchover.Move(Three, "ch0", "n2");

        Assert.True(moved.Changed);
        Assert.Equal([new LeaderMove("ch0", "n1", "n2", 5)], moved.Moves);
        Assert.Equal([new ReplicaState("n1", ReplicaMode.Async, ReplicaProgress.Disconnected, 0)], moved.State.Channels["ch0"].Replicas);
        Assert.Equal(Three.Version + 1, moved.State.Version);
        Assert.Same(Three.Channels["ch1"], moved.State.Channels["ch1"]);
    }

    [Fact]
    public void A_move_to_a_node_without_a_copy_makes_no_more_copies_than_were_asked_for() =>
        Assert.Equal(["n2"], Switchover.Move(Three, "ch0", "n3").State.Channels["ch0"].Replicas.Select(r => r.NodeId), StringComparer.Ordinal);

    [Fact]
    public void A_move_to_where_the_channel_is_changes_nothing()
    {
        var again = Switchover.Move(Three, "ch0", "n1");

        Assert.False(again.Changed);
        Assert.Null(again.Error);
        Assert.Same(Three, again.State);
    }

    [Fact]
    public void A_move_is_refused_where_the_channel_or_the_node_is_not_there_or_the_node_cannot_lead()
    {
        var drained = Switchover.Drain(Three, "n3").State;
        var failed = Failed(Three, "n3");
        var removed = Switchover.Remove(drained, "n3", Now).State;

        Assert.Equal(ApiErrorCode.NotFound, Switchover.Move(Three, "ch9", "n2").Error?.Code);
        Assert.Equal(ApiErrorCode.NotFound, Switchover.Move(Three, "ch0", "n9").Error?.Code);
        Assert.Equal(ApiErrorCode.NotFound, Switchover.Move(removed, "ch0", "n3").Error?.Code);
        Assert.Equal(ApiErrorCode.Conflict, Switchover.Move(drained, "ch0", "n3").Error?.Code);
        Assert.Equal(ApiErrorCode.Conflict, Switchover.Move(failed, "ch0", "n3").Error?.Code);
    }

    [Fact]
    public void A_drained_node_leads_nothing_is_given_nothing_and_keeps_its_copies()
    {
        var drained = Switchover.Drain(Three, "n1");

        Assert.Equal([new LeaderMove("ch0", "n1", "n2", 5), new LeaderMove("ch2", "n1", "n3", 2)], drained.Moves);
        Assert.True(drained.State.Nodes["n1"] is { Draining: true, Failed: false });
        Assert.Equal("n3", Assert.Single(Failed(drained.State, "n2").Channels.Values.Select(c => c.Leader).Distinct(StringComparer.Ordinal)));
        Assert.Equal("n2", States.With(Failed(drained.State, "n3"), "ch3", 3).Channels["ch3"].Leader);
        Assert.False(Switchover.Drain(drained.State, "n1").Changed);
    }

    [Fact]
    public void The_last_live_node_cannot_be_drained()
    {
        var last = Failed(Failed(Three, "n2"), "n3");

        Assert.Equal(ApiErrorCode.Conflict, Switchover.Drain(last, "n1").Error?.Code);
        Assert.Equal(ApiErrorCode.Conflict, Switchover.Drain(Switchover.Drain(Failed(Three, "n3"), "n2").State, "n1").Error?.Code);
        Assert.True(Switchover.Drain(last, "n2").Changed);
        Assert.Equal(ApiErrorCode.NotFound, Switchover.Drain(Three, "n9").Error?.Code);
    }

    [Fact]
    public void A_failover_during_a_drain_falls_back_on_the_drained_node_rather_than_go_offline_and_its_removal_is_refused_until_it_is_drained_again()
    {
        var two = Failed(Three, "n3");
        var drained = Switchover.Drain(two, "n1").State;
        var after = Failed(drained, "n2");

        Assert.All(after.Channels.Values, c => Assert.Equal("n1", c.Leader));
        Assert.Equal(ApiErrorCode.Conflict, Switchover.Remove(after, "n1", Now).Error?.Code);

        var joined = ClusterMembership.Join(after, "n3", new Uri("http://n3"), null, null).State;
        var again = Switchover.Drain(joined, "n1");
        Assert.All(again.State.Channels.Values, c => Assert.Equal("n3", c.Leader));
        Assert.True(Switchover.Remove(again.State, "n1", Now).Changed);
    }

    [Fact]
    public void Undraining_makes_the_node_a_candidate_again_and_moves_nothing()
    {
        var drained = Switchover.Drain(Three, "n1").State;

        var undrained = Switchover.Undrain(drained, "n1");

        Assert.True(undrained.State.Nodes["n1"].IsCandidate);
        Assert.Same(drained.Channels, undrained.State.Channels);
        Assert.False(Switchover.Undrain(undrained.State, "n1").Changed);
        Assert.Equal(ApiErrorCode.NotFound, Switchover.Undrain(drained, "n9").Error?.Code);
    }

    [Fact]
    public void Only_a_drained_node_that_leads_nothing_is_removed_and_a_repeat_changes_nothing()
    {
        var drained = Switchover.Drain(Three, "n1").State;
        var removed = Switchover.Remove(drained, "n1", Now);

        Assert.Equal(Now, removed.State.Nodes["n1"].RemovedAt);
        Assert.False(Switchover.Remove(removed.State, "n1", Now.AddHours(1)).Changed);
        Assert.Null(Switchover.Remove(removed.State, "n1", Now.AddHours(1)).Error);
        Assert.Equal(ApiErrorCode.Conflict, Switchover.Remove(Three, "n1", Now).Error?.Code);
        Assert.Equal(ApiErrorCode.Conflict, Switchover.Remove(Switchover.Undrain(drained, "n1").State, "n1", Now).Error?.Code);
        Assert.Equal(ApiErrorCode.NotFound, Switchover.Remove(Three, "n9", Now).Error?.Code);
        Assert.Equal(ApiErrorCode.NotFound, Switchover.Drain(removed.State, "n1").Error?.Code);
    }

    [Fact]
    public void A_node_that_has_failed_can_be_removed_although_no_other_lives()
    {
        var none = Failed(Failed(Failed(Three, "n1"), "n2"), "n3");

        Assert.True(Switchover.Remove(Switchover.Drain(none, "n1").State, "n1", Now).Changed);
    }

    private static ClusterState Failed(ClusterState state, string node) =>
        FailoverPlanner.Plan(state, new FailureEvidence(node, FailureEvidenceKind.HeartbeatLost), TimeSpan.Zero, Now).State;
}
