namespace Baton.Core.Cluster;

/// <summary>Which nodes may lead, and which follow. They come from the state, never from a list; the same input gives the same answer.</summary>
internal static class Placement
{
    /// <summary>Ids of nodes that may be given channels, in order.</summary>
    public static IReadOnlyList<string> Candidates(ClusterState state) =>
        [.. state.Nodes.Where(n => n.Value.IsCandidate).Select(n => n.Key).Order(StringComparer.Ordinal)];

    /// <summary>Ids of nodes that serve what they lead, in order: the candidates, and those that are being drained.</summary>
    public static IReadOnlyList<string> Live(ClusterState state) =>
        [.. state.Nodes.Where(n => n.Value.IsLive).Select(n => n.Key).Order(StringComparer.Ordinal)];

    /// <summary>
    /// Ids of nodes that may be given leaderships, in order: the candidates; where there is none, the nodes that are being drained, since they live: a channel is offline only where
    /// no node is left.
    /// </summary>
    public static IReadOnlyList<string> Eligible(ClusterState state) =>
        Candidates(state) is { Count: > 0 } candidates ? candidates : Live(state);

    /// <summary>The channels in creation order, which is the order of every plan.</summary>
    public static IEnumerable<KeyValuePair<string, ChannelState>> InOrder(IEnumerable<KeyValuePair<string, ChannelState>> channels) =>
        channels.OrderBy(c => c.Value.Index).ThenBy(c => c.Key, StringComparer.Ordinal);

    /// <summary>
    /// The best leaders for a channel among <paramref name="nodes"/>, all equally good: its in-sync sync replicas, else its in-sync async ones, else the catching-up ones that have
    /// flushed most; null where it has none of these, so that all are equal (they read the log from shared storage: nothing is lost, it only takes longer).
    /// </summary>
    /// <param name="channel">The channel.</param>
    /// <param name="nodes">Node ids in ordinal order.</param>
    public static IReadOnlyList<string>? BestCandidates(ChannelState channel, string[] nodes)
    {
        var best = (Rank: Cold, Lacking: 0L);
        var found = new List<string>();
        foreach (var replica in channel.Replicas)
        {
            var worth = Worth(replica);
            if (worth.Rank == Cold || worth.CompareTo(best) > 0 || Array.BinarySearch(nodes, replica.NodeId, StringComparer.Ordinal) < 0)
            {
                continue;
            }

            if (worth != best)
            {
                found.Clear();
                best = worth;
            }

            found.Add(replica.NodeId);
        }

        return found.Count > 0 ? found : null;
    }

    /// <summary>The channel led by <paramref name="leader"/> at the next term.</summary>
    public static ChannelState Lead(ChannelState channel, string leader) => channel with
    {
        Leader = leader,
        Term = channel.Term + 1,
        Replicas = [.. channel.Replicas.Where(r => !string.Equals(r.NodeId, leader, StringComparison.Ordinal))],
        Declined = null,
    };

    /// <summary>Whether <paramref name="node"/> has a copy of the channel, as leader or replica.</summary>
    public static bool Owns(ChannelState channel, string node) =>
        string.Equals(channel.Leader, node, StringComparison.Ordinal) || channel.Replicas.Any(r => string.Equals(r.NodeId, node, StringComparison.Ordinal));

    private const int Cold = 3;

    private static (int Rank, long Lacking) Worth(ReplicaState replica) => (Rank(replica), replica.State == ReplicaProgress.CatchingUp ? -replica.FlushedLsn : 0);

    private static int Rank(ReplicaState replica) => replica switch
    {
        { State: ReplicaProgress.InSync, Mode: ReplicaMode.Sync } => 0,
        { State: ReplicaProgress.InSync } => 1,
        { State: ReplicaProgress.CatchingUp } => 2,
        _ => Cold,
    };
}
