using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

/// <summary>Copies that are marked as leaving: what repairs, failovers, joins and removals make of them.</summary>
public sealed class LeavingCopiesTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    // n3's copy is to go to n4.
    private static ClusterState Marked { get; } = LeavingCopies.Mark(
        States.Of(["n1", "n2", "n3", "n4"], ("ch0", States.Led("n1", term: 4) with { ReplicationFactor = 3, Replicas = [Ready("n2"), Ready("n3")] })), [new("ch0", "n3", "n4")], atOnce: 1);

    private static ReplicaState Ready(string node) => new(node, ReplicaMode.Sync, ReplicaProgress.InSync, 9);

    private static ClusterState Repair(ClusterState state, params string[] silent) => ReplicaSets.Repair(
        state, state.Nodes.Keys.Except(silent, StringComparer.Ordinal).ToDictionary(n => n, _ => new NodeBeat(Now, []), StringComparer.Ordinal), Timeout, Now);

    private static ClusterState Fail(ClusterState state, string node) => FailoverPlanner.Plan(state, new FailureEvidence(node, FailureEvidenceKind.HeartbeatLost), TimeSpan.Zero, Now).State;

    private static ClusterState Join(ClusterState state, string node) => ClusterMembership.Join(state, node, new Uri($"http://{node}"), null, null).State;

    private static ClusterState With(ClusterState state, string node, ReplicaProgress progress) => state with
    {
        Channels = state.Channels.ToDictionary(c => c.Key, c => c.Value with { Replicas = [.. c.Value.Replicas.Select(r => r.NodeId == node ? r with { State = progress } : r)] }, StringComparer.Ordinal),
    };

    // Each replica with ! where it is in sync, and ~ where it is leaving.
    private static string Copies(ClusterState state) => string.Join(' ', state.Channels["ch0"].Replicas.Select(r => $"{r.NodeId}{(r.State == ReplicaProgress.InSync ? "!" : "")}{(r.Leaving ? "~" : "")}"));

    [Fact]
    public void A_move_marks_the_copy_and_makes_the_other_in_one_version()
    {
        Assert.Equal(("n2! n3!~ n4", 8L), (Copies(Marked), Marked.Version));
        Assert.Equal("n1", Marked.Channels["ch0"].Leader);
    }

    [Theory]
    [InlineData("ch9", "n3", "n4")]
    [InlineData("ch0", "n1", "n4")]
    [InlineData("ch0", "n4", "n3")]
    [InlineData("ch0", "n3", "n2")]
    [InlineData("ch0", "n3", "n1")]
    [InlineData("ch0", "n3", "n9")]
    [InlineData("ch0", "n2", "n5")]
    public void A_move_that_does_not_fit_the_state_any_more_is_left_out(string channel, string from, string to)
    {
        var state = Fail(Join(LeavingCopies.TakeBack(Marked), "n5"), "n5");

        Assert.Same(state, LeavingCopies.Mark(state, [new(channel, from, to)], 9));
        Assert.Same(Marked, LeavingCopies.Mark(Marked, [new(channel, from, to)], 9));
    }

    [Fact]
    public void No_more_channels_are_under_way_than_asked_for()
    {
        var many = States.Of(["n1", "n2", "n3"], [.. Enumerable.Range(0, 6).Select(i => ($"ch{i}", States.Led("n1", 1) with { ReplicationFactor = 2, Replicas = [Ready("n2")] }))]);
        RebalanceMove[] moves = [.. many.Channels.Keys.Order(StringComparer.Ordinal).Select(c => new RebalanceMove(c, "n2", "n3"))];

        var two = LeavingCopies.Mark(many, moves, 2);
        Assert.Equal(["ch0", "ch1"], LeavingCopies.UnderWay(two), StringComparer.Ordinal);
        Assert.Same(two, LeavingCopies.Mark(two, moves, 2));
        Assert.Equal(["ch0", "ch1", "ch2"], LeavingCopies.UnderWay(LeavingCopies.Mark(two, moves, 3)), StringComparer.Ordinal);
    }

    [Fact]
    public void It_goes_when_as_many_others_are_in_sync_as_asked_for_and_not_before()
    {
        Assert.Same(Marked, Repair(Marked));
        Assert.False(LeavingCopies.CanGo(Marked));

        var there = With(Marked, "n4", ReplicaProgress.InSync);
        Assert.True(LeavingCopies.CanGo(there));
        Assert.Equal("n2! n4!", Copies(Repair(there)));
        Assert.Equal(("n2! n4!", 77L), (Copies(LeavingCopies.LetGo(there, 77)), LeavingCopies.LetGo(there, 77).Version));
        Assert.Same(Marked, LeavingCopies.LetGo(Marked, 77));

        // Another one that is not in sync is needed as much as the target.
        Assert.Equal("n2 n3!~ n4!", Copies(Repair(With(there, "n2", ReplicaProgress.CatchingUp))));
    }

    [Fact]
    public void The_worst_of_many_is_another_one()
    {
        var surplus = Marked with { Channels = Marked.Channels.ToDictionary(c => c.Key, c => c.Value with { ReplicationFactor = 2 }, StringComparer.Ordinal) };

        // Of n2 and n4 one goes; then n2 is in sync, and nothing needs n3.
        Assert.Equal("n2!", Copies(Repair(surplus)));
        Assert.Equal("n2 n3!~", Copies(Repair(With(surplus, "n2", ReplicaProgress.CatchingUp))));
    }

    [Fact]
    public void Where_the_target_fails_another_is_found_and_where_there_is_none_it_stays()
    {
        Assert.Equal("n2! n3! n4", Copies(Repair(Fail(Marked, "n4"))));
        Assert.Equal("n2! n3!~ n4 n5", Copies(Repair(Fail(Join(Marked, "n5"), "n4"))));

        // A silent target has not failed yet.
        Assert.Equal("n2! n3!~ n4", Copies(Repair(Join(Marked, "n5"), silent: "n4")));
    }

    [Fact]
    public void A_failover_may_make_it_the_leader_and_then_it_stays()
    {
        var led = Fail(Fail(Marked, "n2"), "n1");

        Assert.Equal("n3", led.Channels["ch0"].Leader);
        Assert.DoesNotContain(led.Channels["ch0"].Replicas, r => r.NodeId == "n3" || r.Leaving);
    }

    [Fact]
    public void A_failover_to_another_leaves_the_mark_until_the_missing_copy_is_made()
    {
        var led = Fail(Marked, "n1");
        Assert.Equal(("n2", "n3!~ n4"), (led.Channels["ch0"].Leader, Copies(led)));

        // Two of three are left besides it, and no further node: it is needed.
        Assert.Equal("n3! n4", Copies(Repair(led)));
        Assert.Equal("n3!~ n4 n5", Copies(Repair(Join(led, "n5"))));
    }

    [Fact]
    public void On_a_node_that_fails_or_is_drained_the_mark_means_nothing()
    {
        Assert.Equal("n2! n3 n4", Copies(Repair(Fail(Marked, "n3"))));
        Assert.Equal("n2! n3! n4", Copies(Repair(Switchover.Drain(Marked, "n3").State)));
        Assert.Equal("n2! n4", Copies(Repair(Switchover.Remove(Switchover.Drain(Marked, "n3").State, "n3", Now).State)));
    }

    [Fact]
    public void A_node_that_joins_again_starts_its_copy_over_and_it_still_leaves()
    {
        Assert.Equal("n2! n3~ n4", Copies(Join(Marked, "n3")));
        Assert.Equal("n2! n4!", Copies(Repair(With(Join(Marked, "n3"), "n4", ReplicaProgress.InSync))));
    }

    [Fact]
    public void Where_the_target_is_removed_it_stays_and_the_other_way_round_nothing_is_lost()
    {
        var removed = Switchover.Remove(Switchover.Drain(Marked, "n4").State, "n4", Now).State;

        Assert.Equal("n2! n3!", Copies(Repair(removed)));
    }

    [Fact]
    public void A_planned_move_keeps_the_former_leaders_copy_though_one_more_is_there_for_a_while() =>
        Assert.Equal("n1 n3!~ n4", Copies(Switchover.Move(Marked, "ch0", "n2").State));

    [Fact]
    public void Taken_back_it_stays_and_the_fresh_copy_goes_unless_that_is_in_sync_already()
    {
        var back = LeavingCopies.TakeBack(Marked);
        Assert.Equal(("n2! n3!", Marked.Version + 1), (Copies(back), back.Version));
        Assert.Same(back, LeavingCopies.TakeBack(back));
        Assert.Equal("n2! n4!", Copies(LeavingCopies.TakeBack(With(Marked, "n4", ReplicaProgress.InSync))));
        Assert.Equal("n3! n4!", Copies(LeavingCopies.TakeBack(With(With(Marked, "n4", ReplicaProgress.InSync), "n2", ReplicaProgress.CatchingUp))));

        var offline = Fail(Fail(Fail(Fail(Marked, "n4"), "n3"), "n2"), "n1");
        Assert.Equal(3, LeavingCopies.TakeBack(offline).Channels["ch0"].Replicas.Count);
        Assert.Empty(LeavingCopies.UnderWay(LeavingCopies.TakeBack(offline)));
    }

    [Fact]
    public void A_mark_is_in_the_json_only_while_it_is_there()
    {
        Assert.Contains("\"leaving\":true", JsonSerializer.Serialize(Marked, BatonJson.Options), StringComparison.Ordinal);
        Assert.DoesNotContain("leaving", JsonSerializer.Serialize(LeavingCopies.TakeBack(Marked), BatonJson.Options), StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_node_is_needed_for_is_what_would_have_fewer_live_copies_without_it()
    {
        IReadOnlySet<string> none = new HashSet<string>(StringComparer.Ordinal);
        var drained = Switchover.Drain(LeavingCopies.TakeBack(Marked), "n2").State;
        Assert.Equal(["ch0"], LeavingCopies.NeededOn(drained, "n2", none), StringComparer.Ordinal);
        Assert.Equal(["ch0"], LeavingCopies.NeededOn(Repair(drained), "n2", none), StringComparer.Ordinal);
        Assert.Empty(LeavingCopies.NeededOn(With(Repair(drained), "n4", ReplicaProgress.InSync), "n2", none));

        // Two candidates are left, and both have it; a failed node has nothing that counts.
        Assert.Empty(LeavingCopies.NeededOn(Fail(drained, "n4"), "n2", none));
        Assert.Empty(LeavingCopies.NeededOn(Fail(drained, "n2"), "n2", none));
        Assert.Empty(LeavingCopies.NeededOn(With(drained, "n2", ReplicaProgress.CatchingUp), "n2", none));
        Assert.Equal(["ch0"], LeavingCopies.NeededOn(With(drained, "n2", ReplicaProgress.CatchingUp), "n2", new HashSet<string>(StringComparer.Ordinal) { "ch0" }), StringComparer.Ordinal);
    }

    [Fact]
    public void Whatever_happens_a_copy_in_sync_on_a_live_node_goes_only_where_as_many_are_left_as_asked_for() => ClusterStories.Always((before, step, _, after) =>
    {
        var what = step.What.Split(' ');
        return what[0] is "cannot" or "move" or "drain" or "undrain" or "remove" || after.Channels.All(c =>
        {
            var left = InSync(after, c.Value);

            // What the node of this step had goes with it, and what somebody has said of its copy is so.
            return InSync(before, before.Channels[c.Key])
                .Where(n => n != what[1] && !c.Value.Replicas.Any(r => r.NodeId == n && r.State != ReplicaProgress.InSync))
                .All(n => left.Contains(n) || left.Count >= c.Value.ReplicationFactor);
        });
    });

    private static HashSet<string> InSync(ClusterState state, ChannelState channel) =>
        channel.Replicas.Where(r => r.State == ReplicaProgress.InSync).Select(r => r.NodeId).Append(channel.Leader).OfType<string>().Where(n => state.Nodes[n].IsLive).ToHashSet(StringComparer.Ordinal);
}
