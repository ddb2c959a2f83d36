using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

public sealed class ReplicaSetsTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    private static ClusterState Four { get; } = States.Of(
        ["n1", "n2", "n3", "n4"],
        ("ch0", States.Led("n1", term: 4) with { ReplicationFactor = 3, Replicas = [Ready("n2"), Ready("n3")] }));

    private static ReplicaState Ready(string node, long flushed = 9) => new(node, ReplicaMode.Sync, ReplicaProgress.InSync, flushed);

    private static ReplicaState Behind(string node, long flushed = 0) => new(node, ReplicaMode.Sync, ReplicaProgress.CatchingUp, flushed);

    private static ReplicaState Fresh(string node) => new(node, ReplicaMode.Sync, ReplicaProgress.Disconnected, 0);

    private static Dictionary<string, NodeBeat> Beating(params string[] nodes) => nodes.ToDictionary(n => n, _ => new NodeBeat(Now, []), StringComparer.Ordinal);

    private static Dictionary<string, NodeBeat> Says(string node, FollowState following, long flushed = 7, DateTimeOffset? at = null) =>
        new(StringComparer.Ordinal) { [node] = new NodeBeat(at ?? Now, [new HeartbeatChannel("ch0", 4, Assignments.Replica, flushed, flushed, State: following)]) };

    private static ClusterState Repair(ClusterState state, Dictionary<string, NodeBeat> beats, DateTimeOffset? now = null) => ReplicaSets.Repair(state, beats, Timeout, now ?? Now);

    private static ClusterState Fail(ClusterState state, string node) =>
        FailoverPlanner.Plan(state, new FailureEvidence(node, FailureEvidenceKind.HeartbeatLost), TimeSpan.Zero, Now).State;

    private static ClusterState WithReplicas(ClusterState state, params ReplicaState[] replicas) =>
        state with { Channels = state.Channels.ToDictionary(c => c.Key, c => c.Value with { Replicas = replicas }, StringComparer.Ordinal) };

    private static string Copies(ClusterState state, string channel = "ch0") => string.Join(' ', state.Channels[channel].Replicas.Select(r => r.NodeId));

    [Fact]
    public void What_is_whole_is_left_as_it_is() => Assert.Same(Four, Repair(Four, Beating("n1", "n2", "n3", "n4")));

    [Fact]
    public void A_failed_nodes_copy_is_made_again_elsewhere_and_its_own_stays_as_evidence_until_it_is_back()
    {
        var failed = Fail(Four, "n2");
        var repaired = Repair(failed, Beating("n1", "n3", "n4"));

        Assert.Equal("n2 n3 n4", Copies(repaired));
        Assert.Equal(Fresh("n4"), repaired.Channels["ch0"].Replicas[2]);
        Assert.Equal((failed.Version + 1, "n1", 4L), (repaired.Version, repaired.Channels["ch0"].Leader, repaired.Channels["ch0"].Term));

        // Back, it has one copy too many: the worst goes, here its own, which is async and as far behind as the other.
        var back = ClusterMembership.Join(repaired, "n2", new Uri("http://n2"), null, null).State;
        Assert.Equal("n3 n4", Copies(Repair(WithReplicas(back, new ReplicaState("n2", ReplicaMode.Async, ReplicaProgress.Disconnected, 0), Ready("n3"), Fresh("n4")), Beating("n1", "n2", "n3", "n4"))));
    }

    [Fact]
    public void Nodes_that_fail_and_come_back_under_other_names_for_ever_leave_no_more_copies_behind_than_were_asked_for()
    {
        var state = Four;
        for (var i = 0; i < 40; i++)
        {
            var replica = state.Channels["ch0"].Replicas.Last(r => state.Nodes[r.NodeId].IsLive).NodeId;
            state = ClusterMembership.Join(Fail(state, replica), $"x{i:D2}", new Uri($"http://x{i}"), null, null).State;
            state = Repair(state, Beating([.. state.Nodes.Where(n => n.Value.IsLive).Select(n => n.Key)]));
        }

        var copies = state.Channels["ch0"].Replicas;
        Assert.Equal(2, copies.Count(r => state.Nodes[r.NodeId].IsLive));
        Assert.Equal(3, copies.Count(r => state.Nodes[r.NodeId].Failed));
    }

    [Fact]
    public void Nothing_goes_to_a_node_that_does_not_beat()
    {
        var failed = Fail(Four, "n2");

        Assert.Same(failed, Repair(failed, Beating("n1", "n3")));
        Assert.Same(failed, Repair(failed, new(StringComparer.Ordinal) { ["n4"] = new NodeBeat(Now - Timeout, []) }));
    }

    [Fact]
    public void The_worst_copy_above_the_factor_goes_and_never_one_that_is_needed()
    {
        string Left(params ReplicaState[] replicas) => Copies(Repair(WithReplicas(States.Of(["n1", "n2", "n3", "n4", "n5"], ("ch0", States.Led("n1", 4) with { ReplicationFactor = 3 })), replicas), Beating("n2", "n3", "n4")));

        Assert.Equal("n2 n4", Left(Ready("n2"), Behind("n3", 50), Ready("n4")));
        Assert.Equal("n3 n4", Left(Behind("n2", 10), Behind("n3", 50), Ready("n4")));
        Assert.Equal("n2 n3", Left(Ready("n2"), Ready("n3"), Ready("n5")));
        Assert.Equal("n2 n3", Left(Ready("n2"), Ready("n3"), Ready("n4") with { Mode = ReplicaMode.Async }));
        Assert.Equal("n2 n3", Left(Ready("n2"), Ready("n3"), Ready("n4")));
        Assert.Equal("n2 n4", Left(Ready("n2"), Fresh("n3") with { State = ReplicaProgress.NeedsRebuild }, Fresh("n4")));
        Assert.Equal("n2 n5", Left(Ready("n2"), Ready("n5")));
    }

    [Fact]
    public void New_copies_are_spread_over_zones_then_to_where_fewest_are()
    {
        var zones = Four with { Nodes = Four.Nodes.ToDictionary(n => n.Key, n => n.Value with { Zone = n.Key is "n1" or "n2" ? "z1" : "z2" }, StringComparer.Ordinal) };
        var beats = Beating("n1", "n2", "n3", "n4");

        Assert.Equal("n3 n2", Copies(Repair(WithReplicas(zones), beats)));

        var many = States.Of(["n1", "n2", "n3", "n4"], [.. Enumerable.Range(0, 12).Select(i => ($"ch{i}", States.Led("n1", 1) with { ReplicationFactor = 2 }))]);
        Assert.All(Repair(many, beats).Channels.Values.CountBy(c => Assert.Single(c.Replicas).NodeId, StringComparer.Ordinal), n => Assert.Equal(4, n.Value));
    }

    [Fact]
    public void More_copies_than_live_nodes_are_not_asked_for() =>
        Assert.Equal("n2", Copies(Repair(States.Of(["n1", "n2"], ("ch0", States.Led("n1", 1) with { ReplicationFactor = 5 })), Beating("n1", "n2"))));

    [Fact]
    public void A_drained_nodes_copy_is_made_elsewhere_before_it_goes()
    {
        var drained = Switchover.Drain(Four, "n2").State;
        var repaired = Repair(drained, Beating("n1", "n2", "n3", "n4"));
        Assert.Equal("n2 n3 n4", Copies(repaired));

        var removed = Switchover.Remove(repaired, "n2", Now).State;
        Assert.Equal("n3 n4", Copies(Repair(removed, Beating("n1", "n3", "n4"))));
    }

    [Fact]
    public void A_removed_nodes_row_stays_for_a_day_and_its_copies_do_not()
    {
        var removed = Switchover.Remove(Switchover.Drain(Four, "n2").State, "n2", Now).State;
        var repaired = Repair(removed, []);

        Assert.Equal("n3", Copies(repaired));
        Assert.Same(repaired, Repair(repaired, [], Now.AddHours(23.9)));
        var day = Repair(repaired, [], Now.AddDays(1));
        Assert.False(day.Nodes.ContainsKey("n2"));
        Assert.Equal(repaired.Version + 1, day.Version);
    }

    [Theory]
    [InlineData(ReplicaProgress.Disconnected, FollowState.CatchingUp, ReplicaProgress.CatchingUp)]
    [InlineData(ReplicaProgress.Disconnected, FollowState.Following, ReplicaProgress.CatchingUp)]
    [InlineData(ReplicaProgress.CatchingUp, FollowState.Disconnected, ReplicaProgress.Disconnected)]
    [InlineData(ReplicaProgress.CatchingUp, FollowState.Diverged, ReplicaProgress.Disconnected)]
    [InlineData(ReplicaProgress.CatchingUp, FollowState.NeedsRebuild, ReplicaProgress.NeedsRebuild)]
    [InlineData(ReplicaProgress.NeedsRebuild, FollowState.CatchingUp, ReplicaProgress.CatchingUp)]
    [InlineData(ReplicaProgress.InSync, FollowState.CatchingUp, ReplicaProgress.CatchingUp)]
    [InlineData(ReplicaProgress.InSync, FollowState.Diverged, ReplicaProgress.Disconnected)]
    public void What_a_replica_says_of_itself_is_noted_with_how_far_it_has_flushed(ReplicaProgress was, FollowState says, ReplicaProgress becomes)
    {
        var state = WithReplicas(Four, Ready("n2") with { State = was }, Ready("n3"));

        Assert.Equal(new ReplicaState("n2", ReplicaMode.Sync, becomes, 7), Repair(state, Says("n2", says)).Channels["ch0"].Replicas[0]);
        Assert.Same(state, Repair(state, Says("n2", says, at: Now - Timeout)));
    }

    [Theory]
    [InlineData(ReplicaProgress.InSync, FollowState.Following)]
    [InlineData(ReplicaProgress.InSync, FollowState.Disconnected)]
    [InlineData(ReplicaProgress.CatchingUp, FollowState.Following)]
    [InlineData(ReplicaProgress.Disconnected, FollowState.Diverged)]
    public void Where_its_state_stays_nothing_is_written_however_far_it_has_flushed(ReplicaProgress was, FollowState says)
    {
        var state = WithReplicas(Four, Ready("n2") with { State = was }, Ready("n3"));

        Assert.Same(state, Repair(state, Says("n2", says, flushed: 900)));
    }

    [Fact]
    public void A_node_that_had_a_copy_and_gets_it_again_is_taken_at_its_word_at_once()
    {
        var state = WithReplicas(Four, Ready("n2"));
        var beats = Says("n4", FollowState.CatchingUp);
        var once = Repair(state, beats);

        Assert.Equal(Behind("n4", 7), once.Channels["ch0"].Replicas[1]);
        Assert.Same(once, Repair(once, beats));
    }

    [Fact]
    public void An_offline_channel_keeps_its_evidence()
    {
        var none = Fail(Fail(Fail(Fail(Four, "n4"), "n3"), "n2"), "n1");

        Assert.Same(none, Repair(none, []));
    }

    [Fact]
    public void Repairing_twice_changes_nothing_the_second_time_and_touches_no_leader() => ClusterStories.Always((_, step, at, after) =>
    {
        foreach (var following in Enum.GetValues<FollowState>())
        {
            var beats = ClusterStories.Beats(after, "ch2", following, at);
            var once = ReplicaSets.Repair(after, beats, Timeout, at);
            if (!ReferenceEquals(once, ReplicaSets.Repair(once, beats, Timeout, at)) || once.Channels.Any(c => c.Value with { Replicas = [] } != after.Channels[c.Key] with { Replicas = [] } && c.Value.Declined is null))
            {
                return false;
            }
        }

        return true;
    });

    [Fact]
    public void After_a_repair_every_channel_has_as_many_copies_on_candidates_as_asked_for_or_as_there_are() => ClusterStories.Always((_, _, at, after) =>
    {
        var repaired = ReplicaSets.Repair(after, ClusterStories.Beats(after, "ch2", FollowState.Following, at), Timeout, at);
        var candidates = repaired.Nodes.Where(n => n.Value.IsCandidate).Select(n => n.Key).ToHashSet(StringComparer.Ordinal);
        return repaired.Channels.Values.Where(c => c.Leader is not null).All(c =>
            1 + c.Replicas.Count(r => !r.Leaving && candidates.Contains(r.NodeId)) == Math.Min(c.ReplicationFactor, candidates.Union([c.Leader!], StringComparer.Ordinal).Count())
            && c.Replicas.All(r => repaired.Nodes[r.NodeId].RemovedAt is null));
    });
}
