using System.Globalization;
using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>What a join comes to.</summary>
/// <param name="State">The new state, or the old where the node is not let in.</param>
/// <param name="Error">Why it is not.</param>
public sealed record JoinResult(ClusterState State, ApiError? Error = null);

/// <summary>Nodes coming into a cluster.</summary>
public static class ClusterMembership
{
    /// <summary>
    /// The state after a node joined, or joined again: its incarnation is one higher and it is no longer marked failed. Channels it
    /// still leads go on at the next term, since it has forgotten what it held; its replicas start over; offline channels get a leader.
    /// <para>
    /// A node that is being drained stays so, whichever process joins: an operator wants it out, and its restart changes nothing about that. A process that was removed is refused for
    /// as long as its row is kept; another process under its id is a new start, and comes in as a fresh node.
    /// </para>
    /// </summary>
    /// <param name="state">The state as read.</param>
    /// <param name="nodeId">The node.</param>
    /// <param name="endpoint">Base address of its HTTP API.</param>
    /// <param name="zone">Its failure domain, if it has one.</param>
    /// <param name="capacity">Relative capacity; 1 when not given.</param>
    /// <param name="instance">The id that its process drew at its start, if it says one.</param>
    /// <param name="policy">Which of several equally good nodes leads a channel that was offline.</param>
    /// <returns>The state; with a 409 where the node was removed and its process has not ended since.</returns>
    public static JoinResult Join(
        ClusterState state, string nodeId, Uri endpoint, string? zone, int? capacity, string? instance = null, LeaderPolicy policy = LeaderPolicy.PreferCoordinator)
    {
        ArgumentNullException.ThrowIfNull(state);
        var before = state.Nodes.GetValueOrDefault(nodeId);

        // Where both say none, it may be the same: without proof that the process ended, nothing that rests on it is forgotten.
        var sameProcess = before is not null && string.Equals(before.Instance, instance, StringComparison.Ordinal);
        if (before?.RemovedAt is { } removedAt && sameProcess)
        {
            return new JoinResult(state, ApiError.Conflict(string.Create(
                CultureInfo.InvariantCulture, $"Node '{nodeId}' was removed from the cluster at {removedAt.UtcDateTime:O}. End this process; a new one may join under the same id.")));
        }

        // A suspicion of a process that has lived on was wrong, and its cooldown outlives the join: the node joins only because it was moved away from.
        // A process that did end was suspected rightly: a suspicion of the next one must not be held back.
        var node = new NodeState(endpoint, (before?.Incarnation ?? 0) + 1, Failed: false, zone, capacity ?? 1, sameProcess ? before!.LastSuspectedAt : null, instance)
        {
            Draining = before is { RemovedAt: null, Draining: true },
        };
        var joined = state with
        {
            Version = state.Version + 1,
            Nodes = new Dictionary<string, NodeState>(state.Nodes, StringComparer.Ordinal) { [nodeId] = node },
            Channels = state.Channels.ToDictionary(c => c.Key, c => StartOver(c.Value, nodeId), StringComparer.Ordinal),
        };

        // First those that had leaders, that of the metadata among them: the others may go where it went.
        return new JoinResult(PartitionInitializer.LeadWaiting(LeadOffline(joined, policy), policy));
    }

    private static ClusterState LeadOffline(ClusterState state, LeaderPolicy policy)
    {
        var offline = Placement.InOrder(state.Channels.Where(c => c.Value is { Offline: true, Term: > 0 })).ToList();
        var leaders = LeaderMoves.Choose(state, offline, policy);
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        foreach (var (name, leader) in leaders)
        {
            channels[name] = Placement.Lead(channels[name], leader);
        }

        return state with { Channels = channels };
    }

    private static ChannelState StartOver(ChannelState channel, string nodeId) =>
        string.Equals(channel.Leader, nodeId, StringComparison.Ordinal) ? channel with { Term = channel.Term + 1 }
        : Placement.Owns(channel, nodeId) ? channel with { Replicas = [.. channel.Replicas.Select(r => string.Equals(r.NodeId, nodeId, StringComparison.Ordinal) ? r with { State = ReplicaProgress.Disconnected } : r)] }
        : channel;
}
