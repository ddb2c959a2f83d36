using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

/// <summary>What processes are told and allowed whose node is being removed, and whose node was.</summary>
public sealed class RemovedNodesTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);

    private static ClusterState Two { get; } = Join(Join(States.Of([], ("ch0", States.Led(null, 4)), ("ch1", States.Led(null, 2))), "n1", "a").State, "n2", "b").State;

    private static ClusterState Drained { get; } = Switchover.Drain(Two, "n1").State;

    private static ClusterState Removed { get; } = Switchover.Remove(Drained, "n1", Now).State;

    private static JoinResult Join(ClusterState state, string node, string? instance) => ClusterMembership.Join(state, node, new Uri($"http://{node}"), null, null, instance);

    private static HeartbeatChannel Leading(string channel, long term) => new(channel, term, Assignments.Leader, 0, 0);

    [Fact]
    public void A_removed_nodes_beat_is_told_so_and_nothing_else()
    {
        var answer = Assignments.Answer(Removed, "n1", 1);

        Assert.True(answer is { Removed: true, MustRejoin: false });
        Assert.Empty(answer.Assignments);
        Assert.Empty(Assignments.For(Removed, "n1"));
        Assert.False(Assignments.Answer(Removed, "n2", 1).Removed);
    }

    [Fact]
    public void A_removed_node_that_leaves_hears_what_others_have_taken_over()
    {
        var answer = Assignments.AnswerLeaving(Removed, "n1", new HeartbeatRequest(1, [Leading("ch0", 5)], Leaving: true));

        Assert.True(answer is { Removed: true, MustRejoin: false });
        Assert.Equal(["ch0"], answer.TakenOver!);
        Assert.Equal(FailoverOutcome.Unchanged, FailoverPlanner.Plan(Removed, new FailureEvidence("n1", FailureEvidenceKind.Leaving, 1), TimeSpan.Zero, Now).Outcome);
    }

    [Theory]
    [InlineData(FailureEvidenceKind.Suspicion)]
    [InlineData(FailureEvidenceKind.HeartbeatLost)]
    [InlineData(FailureEvidenceKind.Operator)]
    public void A_report_of_a_removed_node_changes_nothing(FailureEvidenceKind kind) =>
        Assert.Equal(FailoverOutcome.Unchanged, FailoverPlanner.Plan(Removed, new FailureEvidence("n1", kind), TimeSpan.Zero, Now).Outcome);

    [Fact]
    public void The_process_that_was_removed_is_refused_and_a_new_one_comes_in_as_a_fresh_node()
    {
        var same = Join(Removed, "n1", "a");
        var other = Join(Removed, "n1", "c");

        Assert.Equal(ApiErrorCode.Conflict, same.Error?.Code);
        Assert.Contains("removed", same.Error!.Detail, StringComparison.Ordinal);
        Assert.Same(Removed, same.State);
        Assert.Null(other.Error);
        Assert.Equal(new NodeState(new Uri("http://n1"), 2, Instance: "c"), other.State.Nodes["n1"]);
        Assert.Equal(Removed.Channels["ch0"].Leader, other.State.Channels["ch0"].Leader);
    }

    [Fact]
    public void Without_an_instance_a_removed_process_may_be_the_same_and_is_refused() =>
        Assert.NotNull(Join(Switchover.Remove(Switchover.Drain(Join(Two, "n1", null).State, "n1").State, "n1", Now).State, "n1", null).Error);

    [Theory]
    [InlineData("a")]
    [InlineData("c")]
    [InlineData(null)]
    public void A_node_that_is_being_drained_stays_so_whoever_joins(string? instance)
    {
        var joined = Join(Drained, "n1", instance).State;

        Assert.True(joined.Nodes["n1"] is { Draining: true, Incarnation: 2 });
        Assert.All(joined.Channels.Values, c => Assert.Equal("n2", c.Leader));
    }

    [Fact]
    public void A_node_that_is_being_drained_goes_on_following_and_leads_what_nobody_else_can()
    {
        var alone = FailoverPlanner.Plan(Drained, new FailureEvidence("n2", FailureEvidenceKind.HeartbeatLost), TimeSpan.Zero, Now).State;
        Assert.Equal(["ch0", "ch1"], Assignments.For(alone, "n1").Where(a => a.Role == Assignments.Leader).Select(a => a.Channel));

        var follows = Drained with { Channels = Drained.Channels.ToDictionary(c => c.Key, c => c.Value with { Replicas = [ReplicaState("n1")] }, StringComparer.Ordinal) };
        Assert.Equal(["ch0", "ch1"], Assignments.Answer(follows, "n1", 1).Assignments.Where(a => a.Role == Assignments.Replica).Select(a => a.Channel));

        static ReplicaState ReplicaState(string node) => new(node, ReplicaMode.Sync, ReplicaProgress.InSync, 1);
    }

    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "b", false)]
    [InlineData("a", null, false)]
    [InlineData(null, "a", false)]
    [InlineData(null, null, true)]
    public void A_cooldown_ends_with_the_process_that_was_suspected(string? before, string? after, bool cools)
    {
        var suspected = FailoverPlanner.Plan(Join(Two, "n1", before).State, new FailureEvidence("n1", FailureEvidenceKind.Suspicion), TimeSpan.FromSeconds(30), Now).State;

        Assert.Equal(cools ? Now : null, Join(suspected, "n1", after).State.Nodes["n1"].LastSuspectedAt);
    }

    [Fact]
    public void Lacking_is_what_the_node_does_not_say_it_leads_at_the_term_or_above()
    {
        var state = States.Of(["n1", "n2"], ("ch0", States.Led("n1", 4)), ("ch1", States.Led("n1", 2)), ("ch2", States.Led("n2", 2)));
        string Lacking(params HeartbeatChannel[] held) => string.Join(' ', Assignments.Lacking(state, "n1", held).Select(a => $"{a.Channel}@{a.Term}"));

        Assert.Equal("ch0@4 ch1@2", Lacking());
        Assert.Equal("ch1@2", Lacking(Leading("ch0", 4)));
        Assert.Equal("", Lacking(Leading("ch0", 5), Leading("ch1", 2), Leading("ch2", 1)));
        Assert.Equal("ch0@4", Lacking(Leading("ch0", 3), Leading("ch1", 2)));
        Assert.Equal("ch0@4", Lacking(new HeartbeatChannel("ch0", 4, Assignments.Replica, 0, 0), Leading("ch1", 2)));
        Assert.Equal("", string.Join(' ', Assignments.Lacking(state, "n9", [])));
    }
}
