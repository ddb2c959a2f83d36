using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

/// <summary>A node lives and says that it cannot lead some channels.</summary>
public sealed class CannotLeadTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);

    private static ClusterState Three { get; } = States.Of(
        ["n1", "n2", "n3"],
        ("ch0", States.Led("n1", term: 4) with { ReplicationFactor = 2, Replicas = [new("n3", ReplicaMode.Sync, ReplicaProgress.InSync, 9)] }),
        ("ch1", States.Led("n1", term: 2)),
        ("ch2", States.Led("n3", term: 1)));

    private static FailoverPlan Decline(ClusterState state, string node, string channel, long term, long? incarnation = 1) => Decline(state, node, [new(channel, term)], incarnation);

    private static FailoverPlan Decline(ClusterState state, string node, ChannelAtTerm[]? leaderships, long? incarnation = 1) =>
        FailoverPlanner.Plan(state, new FailureEvidence(node, FailureEvidenceKind.CannotLead, incarnation, leaderships), TimeSpan.Zero, Now);

    [Fact]
    public void That_channel_goes_to_the_best_other_node_and_the_node_keeps_the_rest()
    {
        var plan = Decline(Three, "n1", "ch0", 4);

        Assert.Equal([new LeaderMove("ch0", "n1", "n3", 5)], plan.Moves);
        Assert.Equal(Three.Nodes, plan.State.Nodes);
        Assert.Same(Three.Channels["ch1"], plan.State.Channels["ch1"]);
        Assert.Empty(plan.State.Channels["ch0"].Replicas);
        Assert.Equal(Three.Version + 1, plan.State.Version);
    }

    [Fact]
    public void Said_again_or_late_it_changes_nothing()
    {
        var once = Decline(Three, "n1", "ch0", 4).State;

        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(once, "n1", "ch0", 4).Outcome);
        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(Three, "n1", "ch0", 3).Outcome);
        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(Three, "n1", "ch0", 5).Outcome);
        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(Three, "n1", leaderships: null).Outcome);
        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(Three, "n1", []).Outcome);
        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(Three, "n1", "ch2", 1).Outcome);
        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(Three, "n1", "ch9", 1).Outcome);
        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(Three, "n1", [new("ch0", 3), new("ch1", 1), new("ch2", 1), new("ch9", 4)]).Outcome);
        Assert.Equal(FailoverOutcome.StaleEvidence, Decline(Three, "n1", "ch0", 4, incarnation: 0).Outcome);
        Assert.Equal(FailoverOutcome.UnknownNode, Decline(Three, "n9", "ch0", 4).Outcome);
    }

    [Fact]
    public void All_that_it_says_moves_in_one_plan_in_creation_order_and_what_has_ended_is_left_alone()
    {
        var state = States.Of(["n1", "n2", "n3"], [.. Enumerable.Range(0, 6).Select(i => ($"ch{i}", States.Led(i == 4 ? "n2" : "n1", i + 1)))]);

        // ch1 is at term 2, n2 leads ch4, and ch5 is not said.
        var plan = Decline(state, "n1", [new("ch4", 5), new("ch3", 4), new("ch0", 1), new("ch1", 1), new("ch2", 3), new("ch9", 1)]);

        Assert.Equal([new LeaderMove("ch0", "n1", "n3", 2), new LeaderMove("ch2", "n1", "n2", 4), new LeaderMove("ch3", "n1", "n3", 5)], plan.Moves);
        Assert.Equal(state.Version + 1, plan.State.Version);
        Assert.Same(state.Nodes, plan.State.Nodes);
        Assert.All(["ch1", "ch4", "ch5"], c => Assert.Same(state.Channels[c], plan.State.Channels[c]));
    }

    [Fact]
    public void Each_channel_goes_by_who_has_declined_it()
    {
        var state = States.Of(
            ["n1", "n2", "n3"],
            ("ch0", States.Led("n1", 1)),
            ("ch1", States.Led("n1", 1) with { Declined = ["n2"] }),
            ("ch2", States.Led("n1", 1) with { Declined = ["n3"] }),
            ("ch3", States.Led("n1", 1) with { Declined = ["n3", "n2"] }),
            ("ch4", States.Led("n1", 1) with { Declined = ["n3", "gone", "n1"] }));

        var plan = Decline(state, "n1", [.. state.Channels.Keys.Select(c => States.At(state, c))]);

        Assert.Equal(["n3", "n2", "n3", "n2"], plan.Moves.Skip(1).Select(m => m.To));
        Assert.Equal(["n1", "n2 n1", "n3 n1", "n2 n1", "n3 n1"], plan.State.Channels.Values.Select(c => string.Join(' ', c.Declined!)));
    }

    [Fact]
    public void Where_there_is_no_other_node_it_stays_where_it_is()
    {
        var alone = States.Of(["n1"], ("ch0", States.Led("n1", 4)));

        Assert.Equal(FailoverOutcome.Unchanged, Decline(alone, "n1", "ch0", 4).Outcome);
    }

    [Fact]
    public void A_node_that_is_being_drained_leads_rather_than_one_that_says_that_it_cannot()
    {
        var others = Draining(Three, "n2", "n3");

        Assert.Equal([new LeaderMove("ch0", "n1", "n3", 5)], Decline(others, "n1", "ch0", 4).Moves);
        Assert.Equal([new LeaderMove("ch1", "n1", "n2", 3)], Decline(others, "n1", "ch1", 2).Moves);

        // Not where there is a candidate that has not been asked, be it worse.
        Assert.Equal([new LeaderMove("ch0", "n1", "n2", 5)], Decline(Draining(Three, "n3"), "n1", "ch0", 4).Moves);
        Assert.Equal([new LeaderMove("ch0", "n1", "n3", 5)], Decline(Draining(Three, "n1", "n2"), "n1", "ch0", 4).Moves);
    }

    [Fact]
    public void A_node_that_is_being_drained_is_asked_before_one_is_asked_again()
    {
        var state = Draining(States.Of(["n1", "n2", "n3"], ("ch0", States.Led("n1", 1))), "n3");

        var asked = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            state = Decline(state, state.Channels["ch0"].Leader!, "ch0", state.Channels["ch0"].Term).State;
            asked.Add(state.Channels["ch0"].Leader!);
        }

        Assert.Equal(["n2", "n3", "n1", "n2", "n3", "n1"], asked);
    }

    [Fact]
    public void A_channel_does_not_go_to_and_fro_between_two_that_cannot_while_a_third_has_not_been_asked()
    {
        // n4 leads so many that the load never speaks for it.
        var state = States.Of(["n1", "n2", "n3", "n4"], [("ch0", States.Led("n1", 1)), .. Enumerable.Range(1, 20).Select(i => ($"ch{i}", States.Led("n4", 1)))]);

        var asked = new List<string> { "n1" };
        for (var i = 0; i < 7; i++)
        {
            state = Decline(state, state.Channels["ch0"].Leader!, "ch0", state.Channels["ch0"].Term).State;
            asked.Add(state.Channels["ch0"].Leader!);
        }

        // Each once; then all again in the same order, since what kept them from it may be over.
        Assert.Equal(["n1", "n2", "n3", "n4", "n1", "n2", "n3", "n4"], asked);
    }

    [Fact]
    public void Who_has_declined_is_forgotten_once_the_channel_moves_for_another_reason()
    {
        var declined = Decline(Three, "n1", "ch0", 4).State;
        Assert.Equal(["n1"], declined.Channels["ch0"].Declined!);

        Assert.Null(FailoverPlanner.Plan(declined, new FailureEvidence("n3", FailureEvidenceKind.HeartbeatLost), TimeSpan.Zero, Now).State.Channels["ch0"].Declined);
        Assert.Null(Switchover.Move(declined, "ch0", "n1").State.Channels["ch0"].Declined);
    }

    private static ClusterState Draining(ClusterState state, params string[] nodes) => state with
    {
        Nodes = state.Nodes.ToDictionary(n => n.Key, n => n.Value with { Draining = nodes.Contains(n.Key, StringComparer.Ordinal) }, StringComparer.Ordinal),
    };
}
