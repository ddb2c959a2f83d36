using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

public sealed class FailoverPlannerTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly TimeSpan Cooldown = FailoverPlanner.DefaultSuspicionCooldown;

    private static ClusterState Three { get; } = States.Of(
        ["n1", "n2", "n3"],
        ("ch0", States.Led("n1", term: 4)),
        ("ch1", States.Led("n2", term: 2)),
        ("ch2", States.Led("n1", term: 1)));

    private static FailoverPlan Plan(ClusterState state, string node, FailureEvidenceKind kind = FailureEvidenceKind.HeartbeatLost, long? incarnation = null, DateTimeOffset? now = null) =>
        FailoverPlanner.Plan(state, new FailureEvidence(node, kind, incarnation), Cooldown, now ?? Now);

    [Fact]
    public void Channels_of_the_failed_node_go_to_those_that_lead_fewest_at_the_next_term()
    {
        var plan = Plan(Three, "n1");

        Assert.Equal(FailoverOutcome.Planned, plan.Outcome);
        Assert.Equal([new LeaderMove("ch0", "n1", "n3", 5), new LeaderMove("ch2", "n1", "n2", 2)], plan.Moves);
        Assert.Equal(Three.Channels["ch1"], plan.State.Channels["ch1"]);
        Assert.True(plan.State.Nodes["n1"].Failed);
        Assert.Equal(Three.Version + 1, plan.State.Version);
    }

    [Fact]
    public void Planning_again_changes_nothing()
    {
        var once = Plan(Three, "n1").State;

        var again = Plan(once, "n1");

        Assert.Equal(FailoverOutcome.Unchanged, again.Outcome);
        Assert.Same(once, again.State);
    }

    [Fact]
    public void An_event_about_an_older_incarnation_cannot_fail_over_a_node_that_came_back()
    {
        var back = ClusterMembership.Join(Plan(Three, "n1").State, "n1", new Uri("http://n1"), null, null).State;

        Assert.Equal(FailoverOutcome.StaleEvidence, Plan(back, "n1", incarnation: 1).Outcome);
        Assert.Equal(FailoverOutcome.Planned, Plan(back, "n1", incarnation: 2).Outcome);
    }

    [Fact]
    public void A_silence_that_is_over_moves_nothing_unless_the_node_was_moved_away_from_already()
    {
        var over = new FailureEvidence("n1", FailureEvidenceKind.HeartbeatLost, HeardSince: true);
        var failed = Plan(Three, "n1").State;

        Assert.Equal(FailoverOutcome.StaleEvidence, FailoverPlanner.Plan(Three, over, TimeSpan.Zero, Now).Outcome);
        Assert.Equal(FailoverOutcome.Unchanged, FailoverPlanner.Plan(failed, over, TimeSpan.Zero, Now).Outcome);
        Assert.Equal(FailoverOutcome.Planned, FailoverPlanner.Plan(Three, over with { Kind = FailureEvidenceKind.Operator }, TimeSpan.Zero, Now).Outcome);
    }

    [Fact]
    public void An_unknown_node_is_named_so() => Assert.Equal(FailoverOutcome.UnknownNode, Plan(Three, "n9").Outcome);

    [Fact]
    public void A_clock_that_was_set_back_does_not_make_the_cooldown_longer()
    {
        var moved = Plan(Three, "n1", FailureEvidenceKind.Suspicion);
        var back = ClusterMembership.Join(moved.State, "n1", new Uri("http://n1"), null, null).State;

        Assert.Equal(FailoverOutcome.InCooldown, Plan(back, "n1", FailureEvidenceKind.Suspicion, now: Now.AddSeconds(-1)).Outcome);
        Assert.Equal(FailoverOutcome.Planned, Plan(back, "n1", FailureEvidenceKind.Suspicion, now: Now.AddHours(-1)).Outcome);
    }

    [Fact]
    public void Suspicions_have_a_cooldown_which_lost_heartbeats_and_operators_do_not()
    {
        var moved = Plan(Three, "n1", FailureEvidenceKind.Suspicion);
        var back = ClusterMembership.Join(moved.State, "n1", new Uri("http://n1"), null, null).State;

        Assert.Equal(FailoverOutcome.InCooldown, Plan(back, "n1", FailureEvidenceKind.Suspicion, now: Now.AddSeconds(29)).Outcome);
        Assert.Equal(FailoverOutcome.Planned, Plan(back, "n1", FailureEvidenceKind.Suspicion, now: Now.AddSeconds(30)).Outcome);
        Assert.Equal(FailoverOutcome.Planned, Plan(back, "n1", FailureEvidenceKind.HeartbeatLost, now: Now.AddSeconds(1)).Outcome);
        Assert.Equal(FailoverOutcome.Planned, Plan(back, "n1", FailureEvidenceKind.Operator, now: Now.AddSeconds(1)).Outcome);
    }

    [Fact]
    public void A_failover_on_lost_heartbeats_starts_no_cooldown()
    {
        var back = ClusterMembership.Join(Plan(Three, "n1").State, "n1", new Uri("http://n1"), null, null).State;

        Assert.Equal(FailoverOutcome.Planned, Plan(back, "n1", FailureEvidenceKind.Suspicion, now: Now.AddSeconds(1)).Outcome);
    }

    [Fact]
    public void The_best_replica_leads()
    {
        var replicas = new List<ReplicaState>
        {
            new("n2", ReplicaMode.Sync, ReplicaProgress.CatchingUp, 50),
            new("n3", ReplicaMode.Sync, ReplicaProgress.CatchingUp, 70),
            new("n4", ReplicaMode.Async, ReplicaProgress.InSync, 10),
            new("n5", ReplicaMode.Sync, ReplicaProgress.InSync, 10),
        };
        var order = new List<string?>();
        while (true)
        {
            var state = States.Of(["n1", "n2", "n3", "n4", "n5", "n6"], ("ch0", States.Led("n1", 1) with { Replicas = [.. replicas] }));
            var leader = Assert.Single(Plan(state, "n1").Moves).To;
            order.Add(leader);
            if (replicas.RemoveAll(r => string.Equals(r.NodeId, leader, StringComparison.Ordinal)) == 0)
            {
                break;
            }
        }

        Assert.Equal(["n5", "n4", "n3", "n2", "n2"], order);
    }

    [Fact]
    public void A_failed_replica_leaves_the_sync_set_and_stays_as_evidence()
    {
        var state = States.Of(["n1", "n2"], ("ch0", States.Led("n2", 1) with { Replicas = [new("n1", ReplicaMode.Sync, ReplicaProgress.InSync, 42)] }));

        var channel = Plan(state, "n1").State.Channels["ch0"];

        Assert.Equal(new ReplicaState("n1", ReplicaMode.Async, ReplicaProgress.Disconnected, 42), Assert.Single(channel.Replicas));
        Assert.Equal((channel.Leader, channel.Term), ("n2", 1));
    }

    [Fact]
    public void Two_failures_in_quick_succession_end_on_the_last_node()
    {
        var first = Plan(Three, "n1", FailureEvidenceKind.Suspicion).State;
        var second = Plan(first, "n2", FailureEvidenceKind.Suspicion).State;

        Assert.All(second.Channels.Values, c => Assert.Equal("n3", c.Leader));
    }

    [Fact]
    public void Without_a_live_node_channels_go_offline_and_come_back_with_the_next_join()
    {
        var alone = States.Of(["n1"], ("ch0", States.Led("n1", 4)));

        var plan = Plan(alone, "n1");
        Assert.Equal(new LeaderMove("ch0", "n1", null, 4), Assert.Single(plan.Moves));
        Assert.True(plan.State.Channels["ch0"].Offline);

        var back = ClusterMembership.Join(plan.State, "n1", new Uri("http://n1"), null, null).State.Channels["ch0"];
        Assert.Equal(("n1", 5), (back.Leader, back.Term));
    }
}
