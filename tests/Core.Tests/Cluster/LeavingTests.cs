using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

/// <summary>A node says that it is about to stop.</summary>
public sealed class LeavingTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);

    private static ClusterState Two { get; } = States.Of(["n1", "n2"], ("ch0", States.Led("n1", term: 4)), ("ch1", States.Led("n2", term: 2)));

    private static FailoverPlan Leave(ClusterState state, string node, long incarnation) =>
        FailoverPlanner.Plan(state, new FailureEvidence(node, FailureEvidenceKind.Leaving, incarnation), FailoverPlanner.DefaultSuspicionCooldown, Now);

    private static HeartbeatResponse Answer(ClusterState state, params HeartbeatChannel[] held) => Assignments.AnswerLeaving(state, "n1", new HeartbeatRequest(1, held, Leaving: true));

    private static HeartbeatChannel Leading(string channel, long term) => new(channel, term, Assignments.Leader, 0, 0);

    [Fact]
    public void Its_channels_go_to_others_at_the_next_term_and_a_repeat_changes_nothing()
    {
        var plan = Leave(Two, "n1", incarnation: 1);

        Assert.Equal([new LeaderMove("ch0", "n1", "n2", 5)], plan.Moves);
        Assert.Equal(FailoverOutcome.Unchanged, Leave(plan.State, "n1", incarnation: 1).Outcome);
    }

    [Fact]
    public void It_starts_no_cooldown_and_none_holds_it_back()
    {
        var suspected = FailoverPlanner.Plan(Two, new FailureEvidence("n1", FailureEvidenceKind.Suspicion), FailoverPlanner.DefaultSuspicionCooldown, Now).State;
        var back = ClusterMembership.Join(suspected, "n1", new Uri("http://n1"), null, null).State;

        Assert.Equal(FailoverOutcome.Planned, Leave(back, "n1", incarnation: 2).Outcome);
        Assert.Null(Leave(Two, "n1", incarnation: 1).State.Nodes["n1"].LastSuspectedAt);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Another_incarnation_than_the_present_one_moves_nothing(long incarnation)
    {
        var back = ClusterMembership.Join(Two, "n1", new Uri("http://n1"), null, null).State;

        Assert.Equal(FailoverOutcome.StaleEvidence, Leave(back, "n1", incarnation).Outcome);
    }

    [Fact]
    public void The_answer_names_what_has_a_leader_at_a_higher_term_and_nothing_else()
    {
        var left = Leave(Two, "n1", incarnation: 1).State;

        Assert.Equal(["ch0"], Answer(left, Leading("ch0", 4), Leading("ch1", 2), Leading("ch9", 1)).TakenOver!);
        Assert.Empty(Answer(left, Leading("ch0", 5), new HeartbeatChannel("ch0", 4, Assignments.Replica, 0, 0)).TakenOver!);
        Assert.Empty(Answer(left, Leading("ch0", 4)).Assignments);
    }

    [Fact]
    public void With_no_other_live_node_nobody_takes_anything_over()
    {
        var alone = Leave(States.Of(["n1"], ("ch0", States.Led("n1", term: 4))), "n1", incarnation: 1).State;

        Assert.True(alone.Channels["ch0"].Offline);
        Assert.Empty(Answer(alone, Leading("ch0", 4)).TakenOver!);
    }

    [Fact]
    public void Only_the_present_incarnation_is_not_told_to_join_again()
    {
        var left = Leave(Two, "n1", incarnation: 1).State;

        Assert.False(Answer(left).MustRejoin);
        Assert.True(Answer(ClusterMembership.Join(left, "n1", new Uri("http://n1"), null, null).State).MustRejoin);
        Assert.True(Answer(ClusterState.Empty("c")).MustRejoin);
    }
}
