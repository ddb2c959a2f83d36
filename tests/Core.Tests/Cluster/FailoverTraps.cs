using Baton.Core.Cluster;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Cluster;

/// <summary>Ways in which other controllers have missed the failover that mattered.</summary>
public sealed class FailoverTraps
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly TimeSpan Cooldown = FailoverPlanner.DefaultSuspicionCooldown;

    private static ClusterState Three { get; } = Joined(States.Of(
        ["n1", "n2", "n3"],
        ("ch0", States.Led("n1", 4) with { Replicas = [new("n2", ReplicaMode.Sync, ReplicaProgress.InSync, 9)] }),
        ("ch1", States.Led("n2", 2)),
        ("ch2", States.Led("n1", 1))));

    [Fact]
    public void TRAP4_Whatever_happened_before_a_node_whose_heartbeats_stop_is_moved_away_from() => Prop.ForAll(ClusterStories.Steps.ListOf().ToArbitrary(), steps =>
        ClusterStories.Tell(steps).All(t => t.After.Nodes.Where(n => n.Value.IsLive).All(n =>
            FailoverPlanner.Plan(t.After, new FailureEvidence(n.Key, FailureEvidenceKind.HeartbeatLost, n.Value.Incarnation), Cooldown, t.At) is var plan
            && plan.Outcome == FailoverOutcome.Planned
            && plan.State.Channels.Values.All(c => c.Leader != n.Key)))).Check(Config.QuickThrowOnFailure);

    [Fact]
    public void TRAP4_A_process_that_was_killed_started_and_killed_again_is_suspected_again_without_a_cooldown()
    {
        var state = Three;
        for (var kill = 0; kill < 10; kill++)
        {
            var leader = state.Channels["ch0"].Leader!;
            var plan = Suspect(state, leader, Now.AddMilliseconds(kill * 100));
            Assert.Equal(FailoverOutcome.Planned, plan.Outcome);
            state = Join(plan.State, leader, instance: $"start-{kill}");
        }
    }

    [Fact]
    public void TRAP4_A_channel_that_a_node_could_not_lead_starts_no_cooldown_of_the_node()
    {
        var moved = FailoverPlanner.Plan(Three, new FailureEvidence("n1", FailureEvidenceKind.CannotLead, 2, [States.At(Three, "ch0")]), Cooldown, Now).State;

        Assert.Equal(FailoverOutcome.Planned, Suspect(moved, "n1", Now).Outcome);
    }

    [Theory]
    [InlineData("n1", "n2")]
    [InlineData("n2", "n1")]
    public void TRAP11_Two_failures_in_quick_succession_in_either_order_end_on_the_third_node(string first, string second)
    {
        var one = Suspect(Three, first, Now);
        var two = Suspect(one.State, second, Now.AddMilliseconds(1));

        Assert.Equal((FailoverOutcome.Planned, FailoverOutcome.Planned), (one.Outcome, two.Outcome));
        Assert.All(two.State.Channels.Values, c => Assert.Equal("n3", c.Leader));
        Assert.All(two.Moves, m => Assert.Equal(second, m.From));
        Assert.Equal(Three.Channels.Values.Sum(c => c.Term) + one.Moves.Count + two.Moves.Count, two.State.Channels.Values.Sum(c => c.Term));
    }

    [Fact]
    public void TRAP11_The_same_node_twice_moves_its_channels_once()
    {
        var once = Suspect(Three, "n1", Now);

        foreach (var kind in Enum.GetValues<FailureEvidenceKind>().Except([FailureEvidenceKind.CannotLead]))
        {
            var twice = FailoverPlanner.Plan(once.State, new FailureEvidence("n1", kind, 2), Cooldown, Now.AddMilliseconds(1));
            Assert.Equal((FailoverOutcome.Unchanged, 0), (twice.Outcome, twice.Moves.Count));
        }
    }

    [Fact]
    public void TRAP11_A_report_that_waited_behind_another_does_not_move_a_node_that_came_back_in_between()
    {
        var back = Join(Suspect(Three, "n1", Now).State, "n1", instance: "next");

        var late = FailoverPlanner.Plan(back, new FailureEvidence("n1", FailureEvidenceKind.HeartbeatLost, Three.Nodes["n1"].Incarnation), Cooldown, Now);

        Assert.Equal(FailoverOutcome.StaleEvidence, late.Outcome);
    }

    [Theory]
    [InlineData(100, 10, 1)]
    [InlineData(100, 900, 3)]
    [InlineData(100, 30_000, 100)]
    public void A_healthy_node_reported_again_and_again_is_moved_at_most_once_a_cooldown(int reports, int everyMs, int moves)
    {
        var (state, moved) = (Three, 0);
        for (var i = 0; i < reports; i++)
        {
            var plan = Suspect(state, "n1", Now.AddMilliseconds(i * everyMs));

            // Its process lives: it joins again as soon as it hears of it.
            state = plan.Outcome == FailoverOutcome.Planned ? Join(plan.State, "n1", instance: "n1") : state;
            moved += plan.Outcome == FailoverOutcome.Planned ? 1 : 0;
        }

        Assert.Equal(moves, moved);
    }

    private static FailoverPlan Suspect(ClusterState state, string node, DateTimeOffset at) => FailoverPlanner.Plan(state, new FailureEvidence(node, FailureEvidenceKind.Suspicion), Cooldown, at);

    private static ClusterState Join(ClusterState state, string node, string instance) => ClusterMembership.Join(state, node, new Uri($"http://{node}"), null, null, instance).State;

    private static ClusterState Joined(ClusterState state) => state.Nodes.Keys.Aggregate(state, (s, n) => Join(s, n, instance: n));
}
