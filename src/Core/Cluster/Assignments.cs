using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>What the state gives a node to do.</summary>
public static class Assignments
{
    /// <summary>The role of the node that serves a channel.</summary>
    public const string Leader = "leader";

    /// <summary>The role of a node that keeps a warm copy.</summary>
    public const string Replica = "replica";

    /// <summary>What <paramref name="nodeId"/> should own, in creation order; nothing while it is unknown or marked failed.</summary>
    public static IReadOnlyList<Assignment> For(ClusterState state, string nodeId)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!state.Nodes.TryGetValue(nodeId, out var node) || node.Failed)
        {
            return [];
        }

        return [.. Placement.InOrder(state.Channels)
            .Select(c => RoleOn(c.Value, nodeId) is { } role ? new Assignment(c.Key, role, c.Value.Term, EndpointOf(state, c.Value.Leader)) : null)
            .OfType<Assignment>()];
    }

    /// <summary>The answer to a heartbeat. A node that is unknown, marked failed or of another incarnation owns nothing until it joins again.</summary>
    public static HeartbeatResponse Answer(ClusterState state, string nodeId, long incarnation)
    {
        ArgumentNullException.ThrowIfNull(state);
        var present = state.Nodes.TryGetValue(nodeId, out var node) && !node.Failed && node.Incarnation == incarnation;
        return present ? new HeartbeatResponse(For(state, nodeId)) : new HeartbeatResponse([], MustRejoin: true);
    }

    private static string? RoleOn(ChannelState channel, string nodeId)
    {
        if (string.Equals(channel.Leader, nodeId, StringComparison.Ordinal))
        {
            return Leader;
        }

        return channel.Replicas.Any(r => string.Equals(r.NodeId, nodeId, StringComparison.Ordinal)) ? Replica : null;
    }

    private static Uri? EndpointOf(ClusterState state, string? nodeId) => nodeId is null ? null : state.Nodes.GetValueOrDefault(nodeId)?.Endpoint;
}
