namespace Baton.Core.Cluster;

/// <summary>Which node leads, and which follow. Live nodes come from the state, never from a list; the same input gives the same answer.</summary>
internal static class Placement
{
    /// <summary>Ids of nodes that may own channels, in order.</summary>
    public static IReadOnlyList<string> LiveNodes(ClusterState state) =>
        [.. state.Nodes.Where(n => n.Value.IsCandidate).Select(n => n.Key).Order(StringComparer.Ordinal)];

    /// <summary>How many channels each live node leads.</summary>
    public static Dictionary<string, int> LeaderLoad(ClusterState state)
    {
        var load = LiveNodes(state).ToDictionary(n => n, _ => 0, StringComparer.Ordinal);
        foreach (var channel in state.Channels.Values)
        {
            if (channel.Leader is { } leader && load.TryGetValue(leader, out var count))
            {
                load[leader] = count + 1;
            }
        }

        return load;
    }

    /// <summary>The channels in creation order, which is the order of every plan.</summary>
    public static IEnumerable<KeyValuePair<string, ChannelState>> InOrder(IEnumerable<KeyValuePair<string, ChannelState>> channels) =>
        channels.OrderBy(c => c.Value.Index).ThenBy(c => c.Key, StringComparer.Ordinal);

    /// <summary>
    /// The new leader of a channel among <paramref name="load"/>'s nodes, or null where there is none: an in-sync sync replica, else an
    /// in-sync async one, else the catching-up replica that has flushed most, else any (it reads the log from shared storage, so
    /// nothing is lost, it only takes longer). Ties go to the node that leads fewest channels, then to the lowest id.
    /// </summary>
    public static string? PickLeader(ChannelState channel, IReadOnlyDictionary<string, int> load)
    {
        var replicas = channel.Replicas.ToDictionary(r => r.NodeId, StringComparer.Ordinal);
        return load.Keys
            .OrderBy(n => Rank(replicas.GetValueOrDefault(n)))
            .ThenByDescending(n => replicas.GetValueOrDefault(n) is { State: ReplicaProgress.CatchingUp } r ? r.FlushedLsn : 0)
            .ThenBy(n => load[n])
            .ThenBy(n => n, StringComparer.Ordinal)
            .FirstOrDefault();
    }

    /// <summary>The channel led by <paramref name="leader"/> at the next term.</summary>
    public static ChannelState Lead(ChannelState channel, string leader) => channel with
    {
        Leader = leader,
        Term = channel.Term + 1,
        Replicas = [.. channel.Replicas.Where(r => !string.Equals(r.NodeId, leader, StringComparison.Ordinal))],
    };

    /// <summary>Replicas of a new channel: spread over zones first, then to the nodes with fewest copies, then by id.</summary>
    public static IReadOnlyList<ReplicaState> PickReplicas(ClusterState state, string leader, int count)
    {
        var chosen = new List<string> { leader };
        var copies = LiveNodes(state).ToDictionary(n => n, n => state.Channels.Values.Count(c => Owns(c, n)), StringComparer.Ordinal);
        while (chosen.Count <= count)
        {
            var next = copies.Keys.Except(chosen, StringComparer.Ordinal)
                .OrderBy(n => chosen.Count(c => string.Equals(state.Nodes[c].Zone, state.Nodes[n].Zone, StringComparison.Ordinal)))
                .ThenBy(n => copies[n])
                .ThenBy(n => n, StringComparer.Ordinal)
                .FirstOrDefault();
            if (next is null)
            {
                break;
            }

            chosen.Add(next);
        }

        return [.. chosen.Skip(1).Select(n => new ReplicaState(n, ReplicaMode.Sync, ReplicaProgress.Disconnected, 0))];
    }

    private static bool Owns(ChannelState channel, string node) =>
        string.Equals(channel.Leader, node, StringComparison.Ordinal) || channel.Replicas.Any(r => string.Equals(r.NodeId, node, StringComparison.Ordinal));

    private static int Rank(ReplicaState? replica) => replica switch
    {
        { State: ReplicaProgress.InSync, Mode: ReplicaMode.Sync } => 0,
        { State: ReplicaProgress.InSync } => 1,
        { State: ReplicaProgress.CatchingUp } => 2,
        _ => 3,
    };
}
