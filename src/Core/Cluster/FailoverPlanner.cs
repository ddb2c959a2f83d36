using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>
/// Plans a failover from the state and one report. Acting on a false report costs a leadership move and nothing else, since opening
/// a channel fences its former leader in storage; so the planner never asks whether the node is really dead.
/// </summary>
public static class FailoverPlanner
{
    /// <summary>Default time during which a node that was moved away from on suspicion is not moved away from on suspicion again.</summary>
    public static TimeSpan DefaultSuspicionCooldown { get; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The new leader and next term of every channel that the reported node leads, or of those that it says it cannot lead. Each goes to one of its best candidates; among equals, by
    /// <paramref name="policy"/>, and so that the plan as a whole leaves the load as even as it can be. The same input gives the same plan; planning again on the planned state changes nothing.
    /// </summary>
    /// <param name="state">The state as read.</param>
    /// <param name="evidence">The report.</param>
    /// <param name="suspicionCooldown">See <see cref="DefaultSuspicionCooldown"/>.</param>
    /// <param name="now">The time of the decision.</param>
    /// <param name="policy">Which of several equally good nodes leads.</param>
    public static FailoverPlan Plan(
        ClusterState state, FailureEvidence evidence, TimeSpan suspicionCooldown, DateTimeOffset now, LeaderPolicy policy = LeaderPolicy.PreferCoordinator)
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

        // Of a node that is not live, the failover may have been this very report's: its leaders and the routine message may still be owed.
        if (evidence is { Kind: FailureEvidenceKind.HeartbeatLost, HeardSince: true } && node.IsLive)
        {
            return Nothing(FailoverOutcome.StaleEvidence, state);
        }

        if (evidence.Kind == FailureEvidenceKind.CannotLead)
        {
            return MoveOn(state, evidence, policy);
        }

        if (!node.IsLive && !state.Channels.Values.Any(c => IsOn(c.Leader, evidence.NodeId)))
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
        return MoveAway(state with { Nodes = With(state.Nodes, evidence.NodeId, marked) }, evidence.NodeId, policy);
    }

    private static FailoverPlan MoveAway(ClusterState state, string failed, LeaderPolicy policy)
    {
        var led = Placement.InOrder(state.Channels.Where(c => IsOn(c.Value.Leader, failed))).ToList();
        var leaders = LeaderMoves.Choose(state, led, policy);
        var channels = state.Channels.ToDictionary(c => c.Key, c => WithoutSync(c.Value, failed), StringComparer.Ordinal);
        var moves = new List<LeaderMove>();
        foreach (var (name, _) in led)
        {
            var leader = leaders.GetValueOrDefault(name);
            channels[name] = leader is null ? channels[name] with { Leader = null } : Placement.Lead(channels[name], leader);
            moves.Add(new LeaderMove(name, failed, leader, channels[name].Term));
        }

        return new FailoverPlan(FailoverOutcome.Planned, state with { Version = state.Version + 1, Channels = channels }, moves);
    }

    // The node keeps the rest of what it leads, and all of it where there is no other: an attempt that may succeed yet is better than none.
    private static FailoverPlan MoveOn(ClusterState state, FailureEvidence evidence, LeaderPolicy policy)
    {
        var said = (evidence.Leaderships ?? []).ToHashSet();
        var led = Placement.InOrder(state.Channels.Where(c => IsOn(c.Value.Leader, evidence.NodeId) && said.Contains(new ChannelAtTerm(c.Key, c.Value.Term)))).ToList();
        if (led.Count == 0)
        {
            return Nothing(FailoverOutcome.StaleEvidence, state);
        }

        var live = Placement.Live(state);
        if (live.All(n => IsOn(n, evidence.NodeId)))
        {
            return Nothing(FailoverOutcome.Unchanged, state);
        }

        var candidates = Placement.Candidates(state);
        List<List<string>> declined = [.. led.Select(c => Declined(state, c.Value, evidence.NodeId))];
        var leaders = LeaderMoves.Choose(state, led, policy, [.. declined.Select(d => NextToAsk(d, candidates, live))]);
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        var moves = new List<LeaderMove>();
        foreach (var ((name, channel), by) in led.Zip(declined))
        {
            channels[name] = Placement.Lead(channel, leaders[name]) with { Declined = by };
            moves.Add(new LeaderMove(name, evidence.NodeId, leaders[name], channels[name].Term));
        }

        return new FailoverPlan(FailoverOutcome.Planned, state with { Version = state.Version + 1, Channels = channels }, moves);
    }

    private static List<string> Declined(ClusterState state, ChannelState channel, string by) =>
        [.. (channel.Declined ?? []).Where(n => state.Nodes.ContainsKey(n) && !IsOn(n, by)), by];

    // Who has not declined: the candidates, else those that are being drained, since they live. Once all have, the first that did is struck off and asked again: what kept it from
    // leading may be over.
    private static string[] NextToAsk(List<string> declined, IReadOnlyList<string> candidates, IReadOnlyList<string> live)
    {
        while (true)
        {
            var asked = declined.ToHashSet(StringComparer.Ordinal);
            string[] next = [.. candidates.Where(n => !asked.Contains(n))];
            next = next.Length > 0 ? next : [.. live.Where(n => !asked.Contains(n))];
            if (next.Length > 0)
            {
                return next;
            }

            declined.RemoveAt(0);
        }
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
