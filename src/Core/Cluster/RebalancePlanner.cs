namespace Baton.Core.Cluster;

/// <summary>A copy, or a leadership, that goes from one node to another.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="From">The node that has too many.</param>
/// <param name="To">The node that has too few.</param>
public sealed record RebalanceMove(string Channel, string From, string To);

/// <summary>What is to move.</summary>
/// <param name="Leaders">Leaderships, in the order in which they move.</param>
/// <param name="Replicas">Copies, in the order in which they move.</param>
/// <param name="After">The state once all of it is done and every copy has come in sync. Never written: it is to be counted in.</param>
public sealed record RebalancePlan(IReadOnlyList<RebalanceMove> Leaders, IReadOnlyList<RebalanceMove> Replicas, ClusterState After)
{
    /// <summary>The cluster is balanced.</summary>
    public bool IsEmpty => Leaders.Count == 0 && Replicas.Count == 0;
}

/// <summary>
/// The fewest moves after which the candidates have as many copies, and lead as many channels, as each other, or one more. Copies are those of replicated channels, the leader's included; a channel of replication factor 1 has nothing but a leader.
/// <para>
/// A copy moves straight from a node above the even share to one below it, never into a zone that has more copies of the channel, and never the leader's. Leaderships move to nodes with a copy in sync that stays; a channel of replication
/// factor 1 may go to any candidate, which reads its log from shared storage. Channels that are offline, that lack copies or have too many, or whose leadership somebody has declined, stay as they are, and nothing goes to a node that is failed or
/// being drained. Capacities do not count: placement does not go by them either.
/// </para>
/// </summary>
public static class RebalancePlanner
{
    /// <summary>
    /// All that is to move until nothing is: where copies have moved, leaderships can follow, and where leaderships have, more copies may. Every round leaves less to be evened out, so that they end. Copies that are leaving count as gone, those of
    /// their targets as in sync. Planning on <see cref="RebalancePlan.After"/> gives nothing; the same state, however its entries are ordered, gives the same plan.
    /// </summary>
    public static RebalancePlan Plan(ClusterState state, LeaderPolicy policy = LeaderPolicy.PreferCoordinator)
    {
        ArgumentNullException.ThrowIfNull(state);
        var after = Completed(state);
        var leaders = new List<RebalanceMove>();
        var replicas = new List<RebalanceMove>();
        while (true)
        {
            var copies = ReplicaBalance.Moves(after);
            after = With(after, copies, WithCopyMoved);
            var leads = LeaderRebalance.Moves(after, policy);
            after = With(after, leads, (c, m) => WithLeaderMoved(state, c, m));
            replicas.AddRange(copies);
            leaders.AddRange(leads);
            if (copies.Count == 0 && leads.Count == 0)
            {
                return new RebalancePlan(leaders, replicas, after);
            }
        }
    }

    /// <summary>The copies that can begin to move now. Those under way count as having arrived.</summary>
    public static IReadOnlyList<RebalanceMove> Replicas(ClusterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return ReplicaBalance.Moves(Completed(state));
    }

    /// <summary>The leaderships that can move now.</summary>
    public static IReadOnlyList<RebalanceMove> Leaders(ClusterState state, LeaderPolicy policy = LeaderPolicy.PreferCoordinator)
    {
        ArgumentNullException.ThrowIfNull(state);
        return LeaderRebalance.Moves(state, policy);
    }

    /// <summary>How many copies of replicated channels each candidate has, the leader's included; leaving ones do not count.</summary>
    public static IReadOnlyDictionary<string, int> Copies(ClusterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var copies = Placement.Candidates(state).ToDictionary(n => n, _ => 0, StringComparer.Ordinal);
        foreach (var node in state.Channels.Values.Where(c => c.ReplicationFactor > 1).SelectMany(c => LeavingCopies.Counted(state, c).Select(r => r.NodeId).Append(c.Leader)))
        {
            if (node is not null && copies.TryGetValue(node, out var count))
            {
                copies[node] = count + 1;
            }
        }

        return copies;
    }

    /// <summary>How many channels each candidate leads.</summary>
    public static IReadOnlyDictionary<string, int> Leads(ClusterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var led = state.Channels.Values.Where(c => c.Leader is not null).CountBy(c => c.Leader!, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        return Placement.Candidates(state).ToDictionary(n => n, n => led.GetValueOrDefault(n), StringComparer.Ordinal);
    }

    private static ClusterState Completed(ClusterState state)
    {
        var marked = LeavingCopies.UnderWay(state).ToHashSet(StringComparer.Ordinal);
        return marked.Count == 0 ? state : state with
        {
            Channels = state.Channels.ToDictionary(
                c => c.Key,
                c => marked.Contains(c.Key) ? c.Value with { Replicas = [.. c.Value.Replicas.Where(r => !r.Leaving).Select(r => IsOnCandidate(state, r) ? r with { State = ReplicaProgress.InSync } : r)] } : c.Value,
                StringComparer.Ordinal),
        };
    }

    private static ClusterState With(ClusterState state, IReadOnlyList<RebalanceMove> moves, Func<ChannelState, RebalanceMove, ChannelState> moved)
    {
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        foreach (var move in moves)
        {
            channels[move.Channel] = moved(channels[move.Channel], move);
        }

        return state with { Channels = channels };
    }

    private static ChannelState WithCopyMoved(ChannelState channel, RebalanceMove move) => channel with
    {
        Replicas = [.. channel.Replicas.Select(r => r.NodeId == move.From ? ReplicaSpread.Fresh(move.To) with { State = ReplicaProgress.InSync } : r)],
    };

    // A former leader's copy has everything, once it has said so.
    private static ChannelState WithLeaderMoved(ClusterState state, ChannelState channel, RebalanceMove move)
    {
        var moved = Switchover.Moved(state, channel, move.To);
        return moved with { Replicas = [.. moved.Replicas.Select(r => r.NodeId == move.From ? r with { State = ReplicaProgress.InSync } : r)] };
    }

    private static bool IsOnCandidate(ClusterState state, ReplicaState replica) => state.Nodes.GetValueOrDefault(replica.NodeId) is { IsCandidate: true };
}
