namespace Baton.Core.Cluster;

/// <summary>Nodes coming into a cluster.</summary>
public static class ClusterMembership
{
    /// <summary>
    /// The state after a node joined, or joined again: its incarnation is one higher and it is no longer marked failed. Channels it
    /// still leads go on at the next term, since it has forgotten what it held; its replicas start over; offline channels get a leader.
    /// </summary>
    /// <param name="state">The state as read.</param>
    /// <param name="nodeId">The node.</param>
    /// <param name="endpoint">Base address of its HTTP API.</param>
    /// <param name="zone">Its failure domain, if it has one.</param>
    /// <param name="capacity">Relative capacity; 1 when not given.</param>
    public static ClusterState Join(ClusterState state, string nodeId, Uri endpoint, string? zone, int? capacity)
    {
        ArgumentNullException.ThrowIfNull(state);
        var before = state.Nodes.GetValueOrDefault(nodeId);

        // LastSuspectedAt outlives the join: a node that joins again because it was moved away from is still in its cooldown.
        var node = new NodeState(endpoint, (before?.Incarnation ?? 0) + 1, Failed: false, zone, capacity ?? 1, before?.LastSuspectedAt);
        var joined = state with
        {
            Version = state.Version + 1,
            Nodes = new Dictionary<string, NodeState>(state.Nodes, StringComparer.Ordinal) { [nodeId] = node },
        };
        return joined with { Channels = Rejoin(joined, nodeId) };
    }

    private static Dictionary<string, ChannelState> Rejoin(ClusterState state, string nodeId)
    {
        var load = Placement.LeaderLoad(state);
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        foreach (var (name, before) in Placement.InOrder(state.Channels))
        {
            var channel = StartOver(before, nodeId);
            if (string.Equals(channel.Leader, nodeId, StringComparison.Ordinal))
            {
                channel = channel with { Term = channel.Term + 1 };
            }
            else if (channel.Offline && Placement.PickLeader(channel, load) is { } leader)
            {
                channel = Placement.Lead(channel, leader);
                load[leader]++;
            }

            channels[name] = channel;
        }

        return channels;
    }

    private static ChannelState StartOver(ChannelState channel, string nodeId) =>
        channel.Replicas.Any(r => string.Equals(r.NodeId, nodeId, StringComparison.Ordinal))
            ? channel with { Replicas = [.. channel.Replicas.Select(r => string.Equals(r.NodeId, nodeId, StringComparison.Ordinal) ? r with { State = ReplicaProgress.Disconnected } : r)] }
            : channel;
}
