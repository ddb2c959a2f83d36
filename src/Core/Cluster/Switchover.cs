using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>What an operator's wish comes to.</summary>
/// <param name="State">The new state, or the old where there is nothing to write.</param>
/// <param name="Changed">The new state is to be written.</param>
/// <param name="Moves">The channels that change hands, in creation order.</param>
/// <param name="Error">Why it cannot be done.</param>
public sealed record SwitchoverResult(ClusterState State, bool Changed, IReadOnlyList<LeaderMove> Moves, ApiError? Error = null);

/// <summary>
/// Leaderships that move because an operator wants them to, while everybody lives. The state names the new leader first; the former one serves until the new one has fenced it. Each
/// step done again changes nothing, so that whoever died in the middle can be followed by another.
/// </summary>
public static class Switchover
{
    /// <summary>
    /// The state with <paramref name="channel"/> led by <paramref name="to"/> at the next term. The former leader keeps a copy, as an async replica that starts over, in the place of
    /// the target's; none where the channel has as many copies on candidates as were asked for without it, or where it is itself being drained.
    /// </summary>
    /// <returns>The state; unchanged where the node leads the channel already; a 404 for a channel or node that the cluster does not have; a 409 where the node has failed or is being drained.</returns>
    public static SwitchoverResult Move(ClusterState state, string channel, string to)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!state.Channels.TryGetValue(channel, out var before))
        {
            return Refused(state, ApiErrorCode.NotFound, $"There is no channel '{channel}'.");
        }

        if (Member(state, to) is not { } node)
        {
            return Refused(state, ApiErrorCode.NotFound, $"There is no node '{to}': name one that GET /api/topology shows.");
        }

        // First: whoever asks again after the node was drained or failed has had what it asked for.
        if (Is(before.Leader, to))
        {
            return Unchanged(state);
        }

        if (!node.IsCandidate)
        {
            return Refused(state, ApiErrorCode.Conflict, $"Node '{to}' {(node.Failed ? "has failed: name another, or move the channel once it has joined again" : "is being drained: name another")}.");
        }

        var after = Moved(state, before, to);
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal) { [channel] = after };
        return Done(state with { Channels = channels }, [new LeaderMove(channel, before.Leader, to, after.Term)]);
    }

    /// <summary>
    /// The state in which <paramref name="nodeId"/> is being drained: it is given nothing any more, and what it led, others lead. It lives, and serves until they have fenced it.
    /// Where it has come to lead something again, because a failover had no other node, that moves now.
    /// </summary>
    /// <returns>The state; unchanged where all that is so; a 404 where the cluster does not have the node; a 409 where it lives and no other node does that could take over.</returns>
    public static SwitchoverResult Drain(ClusterState state, string nodeId, LeaderPolicy policy = LeaderPolicy.PreferCoordinator)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (Member(state, nodeId) is not { } node)
        {
            return Refused(state, ApiErrorCode.NotFound, $"There is no node '{nodeId}'.");
        }

        var led = Placement.InOrder(state.Channels.Where(c => Is(c.Value.Leader, nodeId))).ToList();
        if (node.Draining && led.Count == 0)
        {
            return Unchanged(state);
        }

        var drained = WithNode(state, nodeId, node with { Draining = true });
        if (node.IsLive && state.Channels.Count > 0 && Placement.Candidates(drained).Count == 0)
        {
            return Refused(state, ApiErrorCode.Conflict, $"No other live node could take over from node '{nodeId}': start another first.");
        }

        var leaders = LeaderMoves.Choose(drained, led, policy);
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        var moves = new List<LeaderMove>();
        foreach (var (name, channel) in led)
        {
            // Its copy counts for nothing, and yet is one more until it is replaced: the node stays a member until then.
            var after = Placement.Lead(channel, leaders[name]);
            channels[name] = node.IsLive && channel.ReplicationFactor > 1 ? after with { Replicas = [.. after.Replicas, new ReplicaState(nodeId, ReplicaMode.Async, ReplicaProgress.Disconnected, 0)] } : after;
            moves.Add(new LeaderMove(name, nodeId, leaders[name], channels[name].Term));
        }

        return Done(drained with { Channels = channels }, moves);
    }

    /// <summary>The state in which <paramref name="nodeId"/> may be given channels again. What has moved away stays where it is.</summary>
    /// <returns>The state; unchanged where the node is not being drained; a 404 where the cluster does not have the node.</returns>
    public static SwitchoverResult Undrain(ClusterState state, string nodeId)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Member(state, nodeId) switch
        {
            null => Refused(state, ApiErrorCode.NotFound, $"There is no node '{nodeId}'."),
            { Draining: false } => Unchanged(state),
            var node => Done(WithNode(state, nodeId, node with { Draining = false }), []),
        };
    }

    /// <summary>
    /// The state in which <paramref name="nodeId"/> is no member any more. Its row stays for a while, so that its process is told; its copies are replaced by
    /// <see cref="ReplicaSets.Repair"/>, which also drops the row in the end.
    /// </summary>
    /// <returns>The state; unchanged where it was removed before; a 404 where the cluster does not have the node; a 409 where it is not being drained, or leads something.</returns>
    public static SwitchoverResult Remove(ClusterState state, string nodeId, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!state.Nodes.TryGetValue(nodeId, out var node))
        {
            return Refused(state, ApiErrorCode.NotFound, $"There is no node '{nodeId}'.");
        }

        if (node.RemovedAt is not null)
        {
            return Unchanged(state);
        }

        if (!node.Draining)
        {
            return Refused(state, ApiErrorCode.Conflict, $"Node '{nodeId}' is not being drained any more: ask for its removal again.");
        }

        if (state.Channels.FirstOrDefault(c => Is(c.Value.Leader, nodeId)) is { Key: { } led })
        {
            return Refused(state, ApiErrorCode.Conflict, $"Node '{nodeId}' leads channel '{led}' again, for want of another live node: start another, and ask for the removal again.");
        }

        return Done(WithNode(state, nodeId, node with { Draining = false, RemovedAt = now }), []);
    }

    /// <summary>The channel led by <paramref name="to"/>, with its former leader's copy where there is to be one (<see cref="Move"/>).</summary>
    internal static ChannelState Moved(ClusterState state, ChannelState before, string to)
    {
        var after = Placement.Lead(before, to);
        if (before.Leader is not { } from || Member(state, from) is not { IsCandidate: true } || LeavingCopies.Counted(state, after).Count() + 1 >= before.ReplicationFactor)
        {
            return after;
        }

        var at = before.Replicas.TakeWhile(r => !Is(r.NodeId, to)).Count();
        return after with { Replicas = [.. after.Replicas.Take(at), new ReplicaState(from, ReplicaMode.Async, ReplicaProgress.Disconnected, 0), .. after.Replicas.Skip(at)] };
    }

    // A removed node's row is kept only to tell its process.
    private static NodeState? Member(ClusterState state, string nodeId) => state.Nodes.GetValueOrDefault(nodeId) is { RemovedAt: null } node ? node : null;

    private static ClusterState WithNode(ClusterState state, string nodeId, NodeState node) =>
        state with { Nodes = new Dictionary<string, NodeState>(state.Nodes, StringComparer.Ordinal) { [nodeId] = node } };

    private static bool Is(string? leader, string nodeId) => string.Equals(leader, nodeId, StringComparison.Ordinal);

    private static SwitchoverResult Done(ClusterState state, IReadOnlyList<LeaderMove> moves) => new(state with { Version = state.Version + 1 }, Changed: true, moves);

    private static SwitchoverResult Unchanged(ClusterState state) => new(state, Changed: false, []);

    private static SwitchoverResult Refused(ClusterState state, ApiErrorCode code, string detail) => new(state, Changed: false, [], new ApiError(code, detail));
}
