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

    /// <summary>
    /// The answer to a heartbeat of a node that leaves, by the state that its leaving has led to: it owns nothing, and of what it still serves, the channels that have
    /// been given to others. The same beat on the same state has the same answer. A channel that nobody leads, for want of a live node, is not among them.
    /// </summary>
    public static HeartbeatResponse AnswerLeaving(ClusterState state, string nodeId, HeartbeatRequest beat)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(beat);
        var present = state.Nodes.TryGetValue(nodeId, out var node) && node.Incarnation == beat.Incarnation;
        return new HeartbeatResponse([], MustRejoin: !present)
        {
            TakenOver = [.. (beat.Channels ?? []).Where(c => IsTakenOver(state, c)).Select(c => c.Name)],
        };
    }

    // At a higher term, whoever has it: also a later incarnation of the same node opens it, and fences this one.
    private static bool IsTakenOver(ClusterState state, HeartbeatChannel? held) =>
        held is { Name: not null, Role: Leader } && state.Channels.TryGetValue(held.Name, out var channel) && channel.Leader is not null && channel.Term > held.Term;

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
