namespace Baton.Core.Cluster;

/// <summary>
/// Copies that change nodes. A move of a copy is written down in the state: the copy that is to go is marked as leaving, and the node that it goes to has a fresh one, in one write. From there on it is the business of every
/// repair (<see cref="ReplicaSets"/>): whoever began it may die.
/// </summary>
public static class LeavingCopies
{
    /// <summary>
    /// The state with the copies of <paramref name="moves"/> marked and their targets' made, where the move still fits it: the channel has a leader, as many copies as asked for and none that is leaving, the copy is there, and its target is
    /// a candidate that has none. What does not fit is left out.
    /// </summary>
    /// <param name="state">The state as read.</param>
    /// <param name="moves">In the order in which they are to begin.</param>
    /// <param name="atOnce">How many channels may have a leaving copy at most, those that have one already included.</param>
    /// <returns>The state one version higher; the same object where nothing is marked.</returns>
    public static ClusterState Mark(ClusterState state, IEnumerable<RebalanceMove> moves, int atOnce)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(moves);
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        var room = atOnce - UnderWay(state).Count;
        var marked = false;
        foreach (var move in moves)
        {
            if (room > 0 && channels.TryGetValue(move.Channel, out var channel) && Fits(state, channel, move))
            {
                channels[move.Channel] = channel with
                {
                    Replicas = [.. channel.Replicas.Select(r => r.NodeId == move.From ? r with { Leaving = true } : r), ReplicaSpread.Fresh(move.To)],
                };
                room--;
                marked = true;
            }
        }

        return marked ? state with { Version = state.Version + 1, Channels = channels } : state;
    }

    /// <summary>
    /// The state without marks. Where as many others are in sync as asked for, the leaving copies go, as a repair would let them; else they stay, and of those that are not in sync the latest go, as far as there are too many.
    /// </summary>
    /// <returns>The state one version higher; the same object where nothing is marked.</returns>
    public static ClusterState TakeBack(ClusterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var marked = UnderWay(state);
        if (marked.Count == 0)
        {
            return state;
        }

        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        foreach (var name in marked)
        {
            channels[name] = channels[name] with { Replicas = WithoutMarks(state, channels[name]) };
        }

        return state with { Version = state.Version + 1, Channels = channels };
    }

    /// <summary>The channels that have a leaving copy, in creation order.</summary>
    public static IReadOnlyList<string> UnderWay(ClusterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return [.. Placement.InOrder(state.Channels.Where(c => c.Value.Replicas.Any(r => r.Leaving))).Select(c => c.Key)];
    }

    /// <summary>Whether a repair would let a leaving copy go now: nothing else that happens in a cluster asks for one then.</summary>
    public static bool CanGo(ClusterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Channels.Values.Any(c => c.Leader is not null && c.Replicas.Any(r => r.Leaving) && InSync(state, c) >= c.ReplicationFactor);
    }

    /// <summary>The state at <paramref name="version"/> without the leaving copies that are needed no longer; the same object where there is none.</summary>
    public static ClusterState LetGo(ClusterState state, long version) => !CanGo(state) ? state : state with
    {
        Version = version,
        Channels = state.Channels.ToDictionary(
            c => c.Key,
            c => c.Value.Leader is not null && c.Value.Replicas.Any(r => r.Leaving) && InSync(state, c.Value) >= c.Value.ReplicationFactor ? c.Value with { Replicas = [.. c.Value.Replicas.Where(r => !r.Leaving)] } : c.Value,
            StringComparer.Ordinal),
    };

    /// <summary>
    /// The channels with copies on <paramref name="nodeId"/>, in sync, of which fewer copies are in sync elsewhere than asked for, though there are candidates that could have them: those that its removal would leave with fewer live copies.
    /// </summary>
    /// <param name="state">The state.</param>
    /// <param name="nodeId">The node that is to go.</param>
    /// <param name="led">Channels that it led: those count as if it had copies in sync.</param>
    public static IReadOnlyList<string> NeededOn(ClusterState state, string nodeId, IReadOnlySet<string> led)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(led);
        var candidates = Placement.Candidates(state).Count(n => n != nodeId);
        return state.Nodes.GetValueOrDefault(nodeId) is not { IsLive: true }
            ? []
            : [.. Placement.InOrder(state.Channels.Where(c => c.Value.Leader is not null
                && (led.Contains(c.Key) || c.Value.Replicas.Any(r => r.NodeId == nodeId && r.State == ReplicaProgress.InSync))
                && InSync(state, c.Value, except: nodeId) < Math.Min(c.Value.ReplicationFactor, candidates))).Select(c => c.Key)];
    }

    /// <summary>The replicas that count: on candidates, and not leaving.</summary>
    internal static IEnumerable<ReplicaState> Counted(ClusterState state, ChannelState channel) =>
        channel.Replicas.Where(r => !r.Leaving && state.Nodes.GetValueOrDefault(r.NodeId) is { IsCandidate: true });

    // The leader has everything that there is.
    private static int InSync(ClusterState state, ChannelState channel, string? except = null) =>
        1 + Counted(state, channel).Count(r => r.State == ReplicaProgress.InSync && r.NodeId != except);

    private static bool Fits(ClusterState state, ChannelState channel, RebalanceMove move) =>
        channel.Leader is not null
        && !channel.Replicas.Any(r => r.Leaving)
        && Counted(state, channel).Count() + 1 == channel.ReplicationFactor
        && Counted(state, channel).Any(r => r.NodeId == move.From)
        && !Placement.Owns(channel, move.To)
        && state.Nodes.GetValueOrDefault(move.To) is { IsCandidate: true };

    private static List<ReplicaState> WithoutMarks(ClusterState state, ChannelState channel)
    {
        if (channel.Leader is not null && InSync(state, channel) >= channel.ReplicationFactor)
        {
            return [.. channel.Replicas.Where(r => !r.Leaving)];
        }

        var counted = channel with { Replicas = [.. channel.Replicas.Select(r => r.Leaving ? r with { Leaving = false } : r)] };
        var surplus = Counted(state, counted).Count() + 1 - channel.ReplicationFactor;
        var gone = channel.Leader is null ? [] : Counted(state, counted).Where(r => r.State != ReplicaProgress.InSync).Reverse().Take(surplus).Select(r => r.NodeId).ToHashSet(StringComparer.Ordinal);
        return [.. counted.Replicas.Where(r => !gone.Contains(r.NodeId))];
    }
}
