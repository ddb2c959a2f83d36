using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>What the state gives a node to do.</summary>
public static class Assignments
{
    /// <summary>The role of the node that serves a channel.</summary>
    public const string Leader = "leader";

    /// <summary>The role of a node that keeps a warm copy.</summary>
    public const string Replica = "replica";

    /// <summary>What <paramref name="nodeId"/> should own, in creation order; nothing while it is unknown, marked failed or removed. One that is being drained owns what it still leads and follows.</summary>
    public static IReadOnlyList<Assignment> For(ClusterState state, string nodeId)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!state.Nodes.TryGetValue(nodeId, out var node) || !node.IsLive)
        {
            return [];
        }

        return [.. Placement.InOrder(state.Channels.Where(c => Placement.Owns(c.Value, nodeId)))
            .Select(c => AssignmentOn(state, c.Key, c.Value, nodeId))
            .OfType<Assignment>()];
    }

    /// <summary>
    /// What <paramref name="nodeId"/> should lead and by its own account does not, at that term or above: what is to be opened on it. A channel that it follows at the term, it does not lead.
    /// </summary>
    /// <param name="state">The state as read.</param>
    /// <param name="nodeId">The node.</param>
    /// <param name="held">The channels of its last heartbeat.</param>
    public static IReadOnlyList<Assignment> Lacking(ClusterState state, string nodeId, IEnumerable<HeartbeatChannel> held)
    {
        ArgumentNullException.ThrowIfNull(held);
        var leads = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var channel in held.Where(c => c is { Name: not null, Role: Leader }))
        {
            leads[channel.Name] = Math.Max(channel.Term, leads.GetValueOrDefault(channel.Name));
        }

        return [.. For(state, nodeId).Where(a => a.Role == Leader && !(leads.TryGetValue(a.Channel, out var term) && term >= a.Term))];
    }

    /// <summary>The answer to a heartbeat. A removed node is told that it is one, whatever it says. A node that is unknown, marked failed or of another incarnation owns nothing until it joins again.</summary>
    public static HeartbeatResponse Answer(ClusterState state, string nodeId, long incarnation)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (IsRemoved(state, nodeId))
        {
            return new HeartbeatResponse([]) { Removed = true, Metadata = MetadataChannel.LeaderIn(state) };
        }

        var present = state.Nodes.TryGetValue(nodeId, out var node) && !node.Failed && node.Incarnation == incarnation;
        return new HeartbeatResponse(present ? For(state, nodeId) : [], MustRejoin: !present) { Metadata = MetadataChannel.LeaderIn(state) };
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
        var removed = IsRemoved(state, nodeId);
        return new HeartbeatResponse([], MustRejoin: !present && !removed)
        {
            Removed = removed,
            Metadata = MetadataChannel.LeaderIn(state),
            TakenOver = [.. (beat.Channels ?? []).Where(c => IsTakenOver(state, c)).Select(c => c.Name)],
        };
    }

    private static bool IsRemoved(ClusterState state, string nodeId) => state.Nodes.GetValueOrDefault(nodeId)?.RemovedAt is not null;

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
