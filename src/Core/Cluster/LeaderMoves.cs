namespace Baton.Core.Cluster;

/// <summary>Gives channels that need one a leader: the choice that failovers, joins and draining share.</summary>
internal static class LeaderMoves
{
    /// <summary>
    /// The leaders of <paramref name="wanting"/> among the eligible nodes of <paramref name="state"/>; without such a node, none. Each channel gets one of its best candidates
    /// (<see cref="Placement.BestCandidates"/>): the metadata leader, where the policy prefers it and it is among them; for the others together, those that leave the load as even as
    /// it can be.
    /// </summary>
    /// <param name="state">The state, in which the nodes to move away from are no candidates any more.</param>
    /// <param name="wanting">Channels by name, in the order of plans. What they lead to now does not count.</param>
    /// <param name="policy">See <see cref="LeaderPolicy"/>.</param>
    public static IReadOnlyDictionary<string, string> Choose(ClusterState state, IReadOnlyList<KeyValuePair<string, ChannelState>> wanting, LeaderPolicy policy)
    {
        string[] nodes = [.. Placement.Eligible(state)];
        int[] all = [.. Enumerable.Range(0, nodes.Length)];
        return nodes.Length == 0 || wanting.Count == 0
            ? new Dictionary<string, string>(StringComparer.Ordinal)
            : Choose(state, wanting, policy, nodes, [.. wanting.Select(c => Placement.BestCandidates(c.Value, nodes) is { } best ? IndexesOf(best, nodes) : all)]);
    }

    /// <summary>The same where not every channel may be given to every node.</summary>
    /// <param name="state">The state.</param>
    /// <param name="wanting">Channels by name, in the order of plans. What they lead to now does not count.</param>
    /// <param name="policy">See <see cref="LeaderPolicy"/>.</param>
    /// <param name="eligible">For each of <paramref name="wanting"/> the live nodes that it may be given to, at least one, in ordinal order.</param>
    public static IReadOnlyDictionary<string, string> Choose(
        ClusterState state, IReadOnlyList<KeyValuePair<string, ChannelState>> wanting, LeaderPolicy policy, IReadOnlyList<string[]> eligible)
    {
        string[] nodes = [.. Placement.Live(state)];
        return Choose(state, wanting, policy, nodes, [.. wanting.Zip(eligible, (c, e) => IndexesOf(Placement.BestCandidates(c.Value, e) ?? e, nodes))]);
    }

    private static Dictionary<string, string> Choose(
        ClusterState state, IReadOnlyList<KeyValuePair<string, ChannelState>> wanting, LeaderPolicy policy, string[] nodes, List<int[]> candidates)
    {
        var load = LoadBesides(state, wanting, nodes);
        if (policy == LeaderPolicy.PreferCoordinator && Coordinator(state, wanting, candidates, load, nodes) is { } coordinator)
        {
            candidates = [.. candidates.Select(c => Array.BinarySearch(c, coordinator) >= 0 ? [coordinator] : c)];
        }

        var chosen = LeaderBalance.Choose(load, candidates);
        return wanting.Select((c, i) => (c.Key, Node: nodes[chosen[i]])).ToDictionary(c => c.Key, c => c.Node, StringComparer.Ordinal);
    }

    // Where the metadata channel is itself to move, it goes first, and the others to wherever it goes.
    private static int? Coordinator(ClusterState state, IReadOnlyList<KeyValuePair<string, ChannelState>> wanting, List<int[]> candidates, int[] load, string[] nodes)
    {
        for (var i = 0; i < wanting.Count; i++)
        {
            if (MetadataChannel.Is(wanting[i].Key))
            {
                var leader = candidates[i].MinBy(n => load[n]);
                candidates[i] = [leader];
                return leader;
            }
        }

        return state.Channels.GetValueOrDefault(MetadataChannel.Name)?.Leader is { } coordinator && Array.BinarySearch(nodes, coordinator, StringComparer.Ordinal) is >= 0 and var at ? at : null;
    }

    private static int[] LoadBesides(ClusterState state, IReadOnlyList<KeyValuePair<string, ChannelState>> wanting, string[] nodes)
    {
        var moving = wanting.Select(c => c.Key).ToHashSet(StringComparer.Ordinal);
        var led = state.Channels.Where(c => c.Value.Leader is not null && !moving.Contains(c.Key)).CountBy(c => c.Value.Leader!, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        return [.. nodes.Select(n => led.GetValueOrDefault(n))];
    }

    private static int[] IndexesOf(IReadOnlyList<string> best, string[] nodes) => [.. best.Select(n => Array.BinarySearch(nodes, n, StringComparer.Ordinal)).Order()];
}
