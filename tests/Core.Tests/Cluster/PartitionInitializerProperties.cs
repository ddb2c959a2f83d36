using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Cluster;

/// <summary>What holds of first leaders and copies, whatever the cluster is like and whatever is asked for.</summary>
public sealed class PartitionInitializerProperties
{
    private static readonly string[] NodeIds = ["n1", "n2", "n3", "n4", "n5"];

    // Few enough for all choices of leaders to be tried: at most 4 to the power of 6.
    private static readonly string[] Names = ["p0", "p1", "p2", "p3", "p4", "p5"];

    private static readonly Gen<NodeState> Node =
        from zone in Gen.Elements<string?>(null, "z1", "z1", "z2", "z3")
        from failed in Gen.Elements(false, false, false, true)
        from draining in Gen.Elements(false, false, false, true)
        select new NodeState(new Uri("http://node"), 1, failed, zone, Draining: draining);

    private static readonly Gen<ClusterState> State =
        from nodes in Node.ListOf(5)
        from count in Gen.Choose(0, 5)
        from channels in Channel(count).ListOf(4)
        from some in Gen.Choose(0, 4)
        from metadata in Gen.Choose(-1, count - 1)
        let known = States.Of([.. NodeIds.Take(count)], [.. channels.Take(some).Select((c, i) => ($"p{i + 3}", c))])
        let live = known with { Nodes = known.Nodes.Select((n, i) => (n.Key, Node: nodes[i])).ToDictionary(n => n.Key, n => n.Node, StringComparer.Ordinal) }
        select metadata < 0 ? live : live with
        {
            Channels = new Dictionary<string, ChannelState>(live.Channels, StringComparer.Ordinal) { [MetadataChannel.Name] = new(live.Nodes[NodeIds[metadata]].IsLive ? NodeIds[metadata] : null, 3, 1, [], -1) },
        };

    private static readonly Gen<Case> Cases =
        from state in State
        from names in Gen.SubListOf(Names)
        from copies in Gen.Choose(1, 4).ListOf(6)
        from policy in Gen.Elements(LeaderPolicy.PreferCoordinator, LeaderPolicy.Spread)
        select new Case(state, [.. names.Select((n, i) => new WantedChannel(n, copies[i]))], policy);

    private static Gen<ChannelState> Channel(int nodes) =>
        from leader in Gen.Choose(-1, nodes - 1)
        from replicas in Gen.SubListOf(NodeIds.Take(nodes))
        select new ChannelState(leader < 0 ? null : NodeIds[leader], 2, 3, [.. replicas.Where(r => leader < 0 || r != NodeIds[leader]).Select(r => new ReplicaState(r, ReplicaMode.Sync, ReplicaProgress.InSync, 5))], 0);

    [Fact]
    public void The_same_again_changes_nothing() => Holds((c, after) => ReferenceEquals(PartitionInitializer.Initialize(after.State, c.Wanted, c.Policy).State, after.State));

    [Fact]
    public void The_same_input_gives_the_same_answer_however_its_entries_are_ordered() => Holds((c, after) => Text(after.State) == Text(PartitionInitializer.Initialize(
        c.State with { Nodes = Reversed(c.State.Nodes), Channels = Reversed(c.State.Channels) }, c.Wanted, c.Policy).State));

    [Fact]
    public void Every_new_channel_has_as_many_copies_as_were_asked_for_and_there_are_candidates_on_nodes_of_their_own() => Holds((c, after) => after.Created.All(name =>
    {
        var owners = Owners(after.State.Channels[name]);
        var eligible = Eligible(c.State);
        var drained = eligible.All(n => c.State.Nodes[n].Draining);
        var wanted = Math.Min(c.Wanted.Single(w => w.Name == name).ReplicationFactor, drained ? Math.Min(1, eligible.Count) : eligible.Count);
        return owners.Count == wanted && owners.Distinct(StringComparer.Ordinal).Count() == wanted && owners.All(eligible.Contains)
            && after.State.Channels[name].Offline == (eligible.Count == 0) && after.State.Channels[name].Term == Math.Min(1, eligible.Count);
    }));

    [Fact]
    public void No_other_node_would_share_its_zone_with_fewer_copies_than_one_that_was_chosen() => Holds((c, after) => after.Created.All(name =>
    {
        var owners = Owners(after.State.Channels[name]);
        var inZone = owners.CountBy(n => c.State.Nodes[n].Zone ?? "").ToDictionary(StringComparer.Ordinal);
        return owners.All(o => Eligible(c.State).Except(owners, StringComparer.Ordinal).All(n => inZone.GetValueOrDefault(c.State.Nodes[n].Zone ?? "") + 1 >= inZone[c.State.Nodes[o].Zone ?? ""]));
    }));

    [Fact]
    public void Spread_leaders_are_as_even_as_their_copies_allow() => Holds((c, after) =>
    {
        var best = AllChoices(c.State, [.. after.Created.Select(n => Owners(after.State.Channels[n]))]).Select(Shape).Min(StringComparer.Ordinal);
        return c.Policy != LeaderPolicy.Spread || Shape(Loads(after.State)) == best;
    });

    [Fact]
    public void The_metadata_leader_leads_whatever_it_has_a_copy_of_where_the_policy_prefers_it() => Holds((c, after) =>
        c.Policy != LeaderPolicy.PreferCoordinator || MetadataChannel.LeaderIn(c.State) is not { NodeId: var coordinator }
        || after.Created.All(n => after.State.Channels[n].Leader == coordinator || !Owners(after.State.Channels[n]).Contains(coordinator)));

    [Fact]
    public void What_was_there_stays_as_it_is_and_new_channels_come_after_it_in_the_order_of_the_wish() => Holds((c, after) =>
        c.State.Channels.All(k => ReferenceEquals(after.State.Channels[k.Key], k.Value))
        && ReferenceEquals(after.State.Nodes, c.State.Nodes)
        && after.Created.SequenceEqual(c.Wanted.Select(w => w.Name).Where(n => !c.State.Channels.ContainsKey(n)))
        && after.State.Version == c.State.Version + Math.Min(1, after.Created.Count)
        && after.Created.Select(n => after.State.Channels[n].Index).SequenceEqual(Enumerable.Range(c.State.PChannels.Count(), after.Created.Count)));

    private static void Holds(Func<Case, InitializedChannels, bool> holds) => Prop.ForAll(Cases.ToArbitrary(), c =>
    {
        var after = PartitionInitializer.Initialize(c.State, c.Wanted, c.Policy);
        return after.Error is null && holds(c, after);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static List<string> Eligible(ClusterState state) =>
        [.. state.Nodes.Where(n => n.Value.IsLive && (n.Value.IsCandidate || !state.Nodes.Values.Any(o => o.IsCandidate))).Select(n => n.Key)];

    private static List<string> Owners(ChannelState channel) => [.. channel.Replicas.Select(r => r.NodeId).Append(channel.Leader).OfType<string>()];

    private static IEnumerable<Dictionary<string, int>> AllChoices(ClusterState state, IReadOnlyList<List<string>> owners) => owners.Where(o => o.Count > 0).Aggregate(
        (IEnumerable<Dictionary<string, int>>)[Loads(state)],
        (loads, o) => [.. loads.SelectMany(l => o.Select(n => new Dictionary<string, int>(l, StringComparer.Ordinal) { [n] = l[n] + 1 })).DistinctBy(l => string.Join(',', l.Values), StringComparer.Ordinal)]);

    // What clients do not use does not count.
    private static Dictionary<string, int> Loads(ClusterState state) => state.Nodes.Keys.ToDictionary(n => n, n => state.PChannels.Count(c => c.Value.Leader == n), StringComparer.Ordinal);

    // The fullest first: the least of all such texts is the most even. Nodes that can be given nothing are the same in all of them.
    private static string Shape(Dictionary<string, int> loads) => string.Join(',', loads.Values.OrderDescending().Select(l => l.ToString("00", System.Globalization.CultureInfo.InvariantCulture)));

    private static string Text(ClusterState state) => JsonSerializer.Serialize(
        state with { Nodes = new SortedDictionary<string, NodeState>(state.Nodes.ToDictionary()), Channels = new SortedDictionary<string, ChannelState>(state.Channels.ToDictionary()) }, BatonJson.Options);

    private static Dictionary<string, T> Reversed<T>(IReadOnlyDictionary<string, T> entries) => new(entries.Reverse(), StringComparer.Ordinal);

    private sealed record Case(ClusterState State, IReadOnlyList<WantedChannel> Wanted, LeaderPolicy Policy)
    {
        public override string ToString() => $"{Policy} {string.Join(' ', Wanted)} on {JsonSerializer.Serialize(State, BatonJson.Options)}";
    }
}
