using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Cluster;

/// <summary>What a rebalance moves.</summary>
public sealed class RebalancePlannerTests
{
    private static readonly string[] NodeIds = ["n1", "n2", "n3", "n4", "n5"];

    private static readonly Gen<ChannelState> Channel =
        from factor in Gen.Choose(1, 3)
        from owners in Gen.Shuffle(NodeIds)
        from more in Gen.Elements(0, 0, 0, 0, 1, -1)
        from ready in Gen.Elements(ReplicaProgress.InSync, ReplicaProgress.InSync, ReplicaProgress.InSync, ReplicaProgress.CatchingUp).ListOf(4)
        from declined in Gen.Elements(false, false, false, false, true)
        select new ChannelState(owners[0], 3, factor, [.. owners.Skip(1).Take(Math.Max(0, factor - 1 + more)).Zip(ready, (n, s) => new ReplicaState(n, ReplicaMode.Sync, s, 5))], 0, declined ? ["n9"] : null);

    private static readonly Gen<ClusterState> State =
        from count in Gen.Choose(0, 24)
        from channels in Channel.ListOf(count)
        from metadata in Gen.Elements(NodeIds)
        from skew in Gen.Elements(true, false)
        from zones in Gen.Elements<string?>(null, null, "z1", "z2").ListOf(NodeIds.Length)
        from how in Gen.Elements("live", "live", "live", "live", "failed", "draining").ListOf(NodeIds.Length)
        let state = States.Of(NodeIds, [(MetadataChannel.Name, States.Led(metadata, 1)), .. channels.Select((c, i) => ($"ch{i}", skew ? Skewed(c) : c))])
        select Consistent(state with
        {
            Nodes = state.Nodes.Zip(zones, how).ToDictionary(
                n => n.First.Key, n => n.First.Value with { Zone = n.Second, Failed = n.Third == "failed", Draining = n.Third == "draining" }, StringComparer.Ordinal),
        });

    // Every node live, every channel whole, in sync, and on the same two nodes or on one; no zones: nothing stands in the way.
    private static readonly Gen<ClusterState> Free =
        from single in Gen.Elements(true, false)
        from leaders in Gen.Elements("n1", "n1", "n1", "n2").ListOf()
        select States.Of(NodeIds, [.. leaders.Select((l, i) => ($"ch{i}", single ? States.Led(l, 1) : Two(l, l == "n1" ? "n2" : "n1")))]);

    private static void Check(Func<ClusterState, bool> holds) => Prop.ForAll(State.ToArbitrary(), holds).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static void CheckEach(Func<ClusterState, LeaderPolicy, bool> holds) => Check(s => holds(s, LeaderPolicy.Spread) && holds(s, LeaderPolicy.PreferCoordinator));

    [Fact]
    public void Planning_on_what_was_planned_gives_nothing() => CheckEach((s, policy) => RebalancePlanner.Plan(RebalancePlanner.Plan(s, policy).After, policy).IsEmpty);

    [Fact]
    public void The_same_state_has_the_same_plan_however_its_entries_are_ordered() => CheckEach((s, policy) =>
        Text(RebalancePlanner.Plan(s, policy)) == Text(RebalancePlanner.Plan(s with { Nodes = Reversed(s.Nodes), Channels = Reversed(s.Channels) }, policy)));

    [Fact]
    public void Copies_that_move_are_those_that_are_too_many_or_too_few() => Check(s =>
    {
        var copies = RebalancePlanner.Copies(s);
        return RebalancePlanner.Replicas(s).Count <= Excess(copies) && RebalancePlanner.Plan(s, LeaderPolicy.Spread).Replicas.Count <= Excess(copies);
    });

    [Fact]
    public void Where_nothing_stands_in_the_way_no_fewer_moves_would_do_and_all_is_even() => Prop.ForAll(Free.ToArbitrary(), s =>
    {
        var (copies, leads) = (RebalancePlanner.Copies(s), RebalancePlanner.Leads(s));
        var plan = RebalancePlanner.Plan(s, LeaderPolicy.Spread);
        var (copiesAfter, leadsAfter) = (RebalancePlanner.Copies(plan.After), RebalancePlanner.Leads(plan.After));
        var single = s.Channels.Values.All(c => c.ReplicationFactor == 1);
        return single
            ? plan.Replicas.Count == 0 && plan.Leaders.Count == Least(leads) && Even(leadsAfter)

            // A leader's copy stands in the way until its leadership has moved.
            : Even(copiesAfter) && plan.Replicas.Count is var count && (count == Least(copies) || (count > RebalancePlanner.Replicas(s).Count && count <= Excess(copies)));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void No_direct_move_of_a_leadership_is_left_that_would_make_it_more_even() => Check(s =>
    {
        var after = RebalancePlanner.Plan(s, LeaderPolicy.Spread).After;
        var leads = RebalancePlanner.Leads(after);
        return after.Channels.Where(c => IsMovable(after, c.Value)).All(c => Options(after, c.Value).All(o => leads[o] >= leads[c.Value.Leader!] - 1));
    });

    [Fact]
    public void Leaderships_go_only_to_where_a_copy_in_sync_stays_or_of_a_single_copy_to_any_candidate() => CheckEach((s, policy) => RebalancePlanner.Leaders(s, policy).All(m =>
        s.Channels[m.Channel].Leader == m.From && m.From != m.To && IsMovable(s, s.Channels[m.Channel]) && Options(s, s.Channels[m.Channel]).Contains(m.To)));

    [Fact]
    public void Channels_that_the_coordinator_could_lead_it_leads_and_the_metadata_stays() => Check(s =>
    {
        var after = RebalancePlanner.Plan(s).After;
        return after.Channels[MetadataChannel.Name].Leader is not { } coordinator
            || !after.Nodes[coordinator].IsCandidate
            || (coordinator == s.Channels[MetadataChannel.Name].Leader
                && after.Channels.Values.All(c => c.ReplicationFactor == 1 || !IsMovable(after, c) || c.Leader == coordinator || !Options(after, c).Contains(coordinator)));
    });

    [Fact]
    public void Zones_are_never_worse_and_nothing_goes_to_a_node_that_is_no_candidate() => Check(s => RebalancePlanner.Replicas(s).Aggregate((State: s, Holds: true), (at, move) =>
    {
        var marked = LeavingCopies.Mark(at.State, [move], int.MaxValue);
        var moved = Settled(marked);
        return (moved, at.Holds && marked != at.State && s.Nodes[move.To].IsCandidate && SharedZones(moved, move.Channel) <= SharedZones(at.State, move.Channel));
    }).Holds);

    [Fact]
    public void At_no_point_of_a_plan_has_a_channel_fewer_live_copies_than_before_and_none_that_is_offline_changes() => CheckEach((s, policy) =>
    {
        var at = s;
        foreach (var step in Steps(policy))
        {
            var next = step(at);
            if (next.Channels.Any(c => Live(next, c.Value) < Live(at, at.Channels[c.Key]) || (c.Value.Leader is null && !ReferenceEquals(c.Value, s.Channels[c.Key]))))
            {
                return false;
            }

            at = next;
        }

        return Live(at) >= Live(s);
    });

    [Fact]
    public void Of_equals_the_metadata_channel_stays()
    {
        var state = States.Of(["n1", "n2"], (MetadataChannel.Name, States.Led("n1", 1)), ("ch1", States.Led("n1", 1)), ("ch2", States.Led("n1", 1)));

        Assert.Equal([new RebalanceMove("ch2", "n1", "n2")], RebalancePlanner.Plan(state, LeaderPolicy.Spread).Leaders);
        Assert.Equal([new RebalanceMove("ch2", "n1", "n2")], RebalancePlanner.Plan(state).Leaders);
    }

    [Fact]
    public void A_leadership_goes_by_way_of_another_node_where_no_copy_in_sync_is_elsewhere()
    {
        var state = States.Of(
            ["n1", "n2", "n3"],
            ("ch0", Two("n1", "n2")), ("ch1", Two("n1", "n2")), ("ch2", Two("n1", "n2")), ("ch3", Two("n2", "n3")), ("ch4", Two("n2", "n3")), ("ch5", Two("n3", "n1") with { Leader = "n2", Replicas = [Ready("n3")] }));

        Assert.Equal(["n1 3", "n2 3", "n3 0"], RebalancePlanner.Leads(state).Select(l => $"{l.Key} {l.Value}"), StringComparer.Ordinal);
        var after = LeadersMoved(state, LeaderPolicy.Spread);
        Assert.Equal(["n1 2", "n2 2", "n3 2"], RebalancePlanner.Leads(after).Select(l => $"{l.Key} {l.Value}"), StringComparer.Ordinal);
    }

    [Fact]
    public void A_node_that_joins_gets_its_share_of_copies_and_then_of_leaderships()
    {
        var state = States.Of(["n1", "n2", "n3"], [.. Enumerable.Range(0, 6).Select(i => ($"ch{i}", Two(i % 2 == 0 ? "n1" : "n2", i % 2 == 0 ? "n2" : "n1")))]);

        var plan = RebalancePlanner.Plan(state, LeaderPolicy.Spread);

        Assert.Equal((4, 2), (plan.Replicas.Count, plan.Leaders.Count));
        Assert.Equal([4, 4, 4], RebalancePlanner.Copies(plan.After).Values);
        Assert.Equal([2, 2, 2], RebalancePlanner.Leads(plan.After).Values);
        Assert.Empty(RebalancePlanner.Leaders(state, LeaderPolicy.Spread));
    }

    [Fact]
    public void Copies_under_way_count_as_having_arrived()
    {
        var state = States.Of(["n1", "n2", "n3"], [.. Enumerable.Range(0, 6).Select(i => ($"ch{i}", Two(i % 2 == 0 ? "n1" : "n2", i % 2 == 0 ? "n2" : "n1")))]);
        var marked = LeavingCopies.Mark(state, RebalancePlanner.Replicas(state), atOnce: 3);

        Assert.Equal(3, LeavingCopies.UnderWay(marked).Count);
        Assert.Single(RebalancePlanner.Replicas(marked));
    }

    private static ReplicaState Ready(string node) => new(node, ReplicaMode.Sync, ReplicaProgress.InSync, 5);

    private static ChannelState Two(string leader, string other) => States.Led(leader, 1) with { ReplicationFactor = 2, Replicas = [Ready(other)] };

    private static ChannelState Skewed(ChannelState c) => c with { Leader = "n1", Replicas = [.. c.Replicas.Where(r => r.NodeId != "n1")] };

    // A state as it can be stored: a failed node leads nothing, has nothing in sync, and a channel is offline only without a live node.
    private static ClusterState Consistent(ClusterState state)
    {
        var live = state.Nodes.FirstOrDefault(n => n.Value.IsLive).Key;
        return state with
        {
            Channels = state.Channels.ToDictionary(
                c => c.Key,
                c => c.Value with
                {
                    Leader = state.Nodes[c.Value.Leader!].IsLive ? c.Value.Leader : live,
                    Replicas = [.. c.Value.Replicas
                        .Where(r => state.Nodes[c.Value.Leader!].IsLive || r.NodeId != live)
                        .Select(r => state.Nodes[r.NodeId].Failed ? r with { State = ReplicaProgress.Disconnected } : r)],
                },
                StringComparer.Ordinal),
        };
    }

    // What an operation does: some copies are marked, they arrive and go, and then leaderships move, one by one; all of it again.
    private static IEnumerable<Func<ClusterState, ClusterState>> Steps(LeaderPolicy policy) => Enumerable.Range(0, 8).SelectMany(_ => new Func<ClusterState, ClusterState>[]
    {
        s => LeavingCopies.Mark(s, RebalancePlanner.Replicas(s), 3),
        Settled,
        s => RebalancePlanner.Leaders(s, policy) is [var first, ..] ? Switchover.Move(s, first.Channel, first.To).State : s,
    });

    private static ClusterState LeadersMoved(ClusterState state, LeaderPolicy policy) =>
        RebalancePlanner.Leaders(state, policy).Aggregate(state, (s, m) => Switchover.Move(s, m.Channel, m.To).State);

    private static ClusterState Settled(ClusterState state)
    {
        var inSync = state with
        {
            Channels = state.Channels.ToDictionary(
                c => c.Key,
                c => c.Value.Replicas.Any(r => r.Leaving) ? c.Value with { Replicas = [.. c.Value.Replicas.Select(r => state.Nodes[r.NodeId].IsCandidate ? r with { State = ReplicaProgress.InSync } : r)] } : c.Value,
                StringComparer.Ordinal),
        };
        return LeavingCopies.LetGo(inSync, state.Version + 1);
    }

    private static bool IsMovable(ClusterState state, ChannelState channel) =>
        channel is { Leader: { } leader, Declined: null } && state.Nodes[leader].IsCandidate && channel.Replicas.Count(r => state.Nodes[r.NodeId].IsCandidate) + 1 <= channel.ReplicationFactor;

    private static HashSet<string> Options(ClusterState state, ChannelState channel) =>
        [.. state.Nodes.Where(n => n.Value.IsCandidate && (channel.ReplicationFactor == 1 || channel.Replicas.Any(r => r is { State: ReplicaProgress.InSync, Leaving: false } && r.NodeId == n.Key))).Select(n => n.Key)];

    private static int SharedZones(ClusterState state, string channel) => state.Channels[channel] is var c
        ? c.Replicas.Where(r => !r.Leaving && state.Nodes[r.NodeId].IsCandidate).Select(r => r.NodeId).Append(c.Leader!).Select(n => state.Nodes[n].Zone).GroupBy(z => z).Sum(g => g.Count() * (g.Count() - 1) / 2)
        : 0;

    private static int Live(ClusterState state) => state.Channels.Values.Sum(c => Live(state, c));

    private static int Live(ClusterState state, ChannelState channel) =>
        Math.Min(channel.ReplicationFactor, channel.Replicas.Select(r => r.NodeId).Append(channel.Leader).Count(n => n is not null && state.Nodes[n].IsLive));

    private static int Excess(IReadOnlyDictionary<string, int> counts) => counts.Count == 0 ? 0 : counts.Values.Sum(c => Math.Max(0, c - Most(counts))) + counts.Values.Sum(c => Math.Max(0, Fewest(counts) - c));

    private static int Least(IReadOnlyDictionary<string, int> counts) => Math.Max(counts.Values.Sum(c => Math.Max(0, c - Most(counts))), counts.Values.Sum(c => Math.Max(0, Fewest(counts) - c)));

    private static int Most(IReadOnlyDictionary<string, int> counts) => (counts.Values.Sum() + counts.Count - 1) / counts.Count;

    private static int Fewest(IReadOnlyDictionary<string, int> counts) => counts.Values.Sum() / counts.Count;

    private static bool Even(IReadOnlyDictionary<string, int> counts) => counts.Values.Max() - counts.Values.Min() <= 1;

    private static Dictionary<string, T> Reversed<T>(IReadOnlyDictionary<string, T> entries) => new(entries.Reverse(), StringComparer.Ordinal);

    private static string Text(RebalancePlan plan) => JsonSerializer.Serialize(new { plan.Leaders, plan.Replicas }, BatonJson.Options);
}
