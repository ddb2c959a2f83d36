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
            .Select(c => AssignmentOn(state, c.Key, c.Value, nodeId))
            .OfType<Assignment>()];
    }

    /// <summary>The answer to a heartbeat. A node that is unknown, marked failed or of another incarnation owns nothing until it joins again.</summary>
    public static HeartbeatResponse Answer(ClusterState state, string nodeId, long incarnation)
    {
        ArgumentNullException.ThrowIfNull(state);
        var present = state.Nodes.TryGetValue(nodeId, out var node) && !node.Failed && node.Incarnation == incarnation;
        return present ? new HeartbeatResponse(For(state, nodeId)) : new HeartbeatResponse([], MustRejoin: true);
    }

    private static Assignment? AssignmentOn(ClusterState state, string name, ChannelState channel, string nodeId)
    {
        var leader = EndpointOf(state, channel.Leader);
        if (string.Equals(channel.Leader, nodeId, StringComparison.Ordinal))
        {
            return new Assignment(name, Leader, channel.Term, leader);
        }

        return channel.Replicas.FirstOrDefault(r => string.Equals(r.NodeId, nodeId, StringComparison.Ordinal)) is { } replica
            ? new Assignment(name, Replica, channel.Term, leader, replica.Mode)
            : null;
    }

    private static Uri? EndpointOf(ClusterState state, string? nodeId) => nodeId is null ? null : state.Nodes.GetValueOrDefault(nodeId)?.Endpoint;
}
