namespace Baton.Core.Cluster;

/// <summary>
/// Plans a failover from the state and one report. Acting on a false report costs a leadership move and nothing else, since opening
/// a channel fences its former leader in storage; so the planner never asks whether the node is really dead.
/// </summary>
public static class FailoverPlanner
{
    /// <summary>Default time during which a node that was moved away from on suspicion is not moved away from on suspicion again.</summary>
    public static TimeSpan DefaultSuspicionCooldown { get; } = TimeSpan.FromSeconds(30);

    /// <summary>The new leader and next term of every channel that the reported node leads. The same input gives the same plan; planning again on the planned state changes nothing.</summary>
    /// <param name="state">The state as read.</param>
    /// <param name="evidence">The report.</param>
    /// <param name="suspicionCooldown">See <see cref="DefaultSuspicionCooldown"/>.</param>
    /// <param name="now">The time of the decision.</param>
    public static FailoverPlan Plan(ClusterState state, FailureEvidence evidence, TimeSpan suspicionCooldown, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(evidence);
        if (!state.Nodes.TryGetValue(evidence.NodeId, out var node))
        {
            return Nothing(FailoverOutcome.UnknownNode, state);
        }

        // What a node says of itself counts for the incarnation that says it, as any heartbeat of its own.
        if (evidence.Incarnation < node.Incarnation || (evidence.Kind == FailureEvidenceKind.Leaving && evidence.Incarnation != node.Incarnation))
        {
            return Nothing(FailoverOutcome.StaleEvidence, state);
        }

        if (node.Failed && !state.Channels.Values.Any(c => IsOn(c.Leader, evidence.NodeId)))
        {
            return Nothing(FailoverOutcome.Unchanged, state);
        }

        var suspected = evidence.Kind == FailureEvidenceKind.Suspicion;
        // Either side of it: where the clock was set back, the last suspicion is in the future, and must not hold for as long as that.
        if (suspected && (now - node.LastSuspectedAt)?.Duration() < suspicionCooldown)
        {
            return Nothing(FailoverOutcome.InCooldown, state);
        }

        var marked = node with { Failed = true, LastSuspectedAt = suspected ? now : node.LastSuspectedAt };
        return MoveAway(state with { Nodes = With(state.Nodes, evidence.NodeId, marked) }, evidence.NodeId);
    }

    private static FailoverPlan MoveAway(ClusterState state, string failed)
    {
        var load = Placement.LeaderLoad(state);
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        var moves = new List<LeaderMove>();
        foreach (var (name, before) in Placement.InOrder(state.Channels))
        {
            var channel = WithoutSync(before, failed);
            if (IsOn(before.Leader, failed))
            {
                var leader = Placement.PickLeader(channel, load);
                channel = leader is null ? channel with { Leader = null } : Placement.Lead(channel, leader);
                moves.Add(new LeaderMove(name, failed, leader, channel.Term));
                if (leader is not null)
                {
                    load[leader]++;
                }
            }

            channels[name] = channel;
        }

        return new FailoverPlan(FailoverOutcome.Planned, state with { Version = state.Version + 1, Channels = channels }, moves);
    }

    // The entry stays: how far the node had got is evidence for whoever rebuilds it.
    private static ChannelState WithoutSync(ChannelState channel, string failed) =>
        channel.Replicas.Any(r => IsOn(r.NodeId, failed))
            ? channel with { Replicas = [.. channel.Replicas.Select(r => IsOn(r.NodeId, failed) ? r with { Mode = ReplicaMode.Async, State = ReplicaProgress.Disconnected } : r)] }
            : channel;

    private static Dictionary<string, NodeState> With(IReadOnlyDictionary<string, NodeState> nodes, string id, NodeState node) =>
        new(nodes, StringComparer.Ordinal) { [id] = node };

    private static bool IsOn(string? nodeId, string failed) => string.Equals(nodeId, failed, StringComparison.Ordinal);

    private static FailoverPlan Nothing(FailoverOutcome outcome, ClusterState state) => new(outcome, state, []);
}
