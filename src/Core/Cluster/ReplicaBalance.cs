namespace Baton.Core.Cluster;

/// <summary>
/// Moves copies between nodes until they are as even as direct moves make them. Each move takes one from a node that has more than the even share, rounded up, or gives one to a node that has less than it, rounded down, and takes nobody across: so
/// each copy that moves is one of those that are too many or too few, and in the end none can be found.
/// </summary>
internal sealed class ReplicaBalance
{
    private readonly ReplicaSpread _spread;
    private readonly Dictionary<string, int> _copies;
    private readonly Dictionary<string, List<Held>> _movable;

    private ReplicaBalance(ClusterState state)
    {
        _spread = new ReplicaSpread(state, []);
        _copies = RebalancePlanner.Copies(state).ToDictionary(StringComparer.Ordinal);
        _movable = _copies.Keys.ToDictionary(n => n, _ => new List<Held>(), StringComparer.Ordinal);
        foreach (var (name, channel) in Placement.InOrder(state.Channels.Where(c => c.Value is { Leader: not null, ReplicationFactor: > 1 })))
        {
            var counted = LeavingCopies.Counted(state, channel).Select(r => r.NodeId).ToList();
            if (counted.Count + 1 == channel.ReplicationFactor)
            {
                var held = new Held(name, channel.Leader!, counted, [.. channel.Replicas.Select(r => r.NodeId), channel.Leader!]);
                counted.ForEach(n => _movable[n].Add(held));
            }
        }
    }

    /// <summary>The moves, in the order in which they were found: each fits after those before it.</summary>
    public static IReadOnlyList<RebalanceMove> Moves(ClusterState state)
    {
        var balance = new ReplicaBalance(state);
        var moves = new List<RebalanceMove>();
        while (balance.Next() is { } move)
        {
            moves.Add(move);
        }

        return moves;
    }

    private RebalanceMove? Next()
    {
        if (_copies.Count == 0)
        {
            return null;
        }

        var (least, rest) = Math.DivRem(_copies.Values.Sum(), _copies.Count);
        var most = rest == 0 ? least : least + 1;
        foreach (var (from, has) in _copies.Where(n => n.Value > least).OrderByDescending(n => n.Value).ThenBy(n => n.Key, StringComparer.Ordinal))
        {
            foreach (var (to, lacks) in _copies.Where(n => n.Value < most).OrderBy(n => n.Value).ThenBy(n => n.Key, StringComparer.Ordinal))
            {
                // The latest first: what is oldest stays longest.
                if ((has > most || lacks < least) && _movable[from].FindLast(h => MayMove(h, from, to)) is { } held)
                {
                    Move(held, from, to);
                    return new RebalanceMove(held.Channel, from, to);
                }
            }
        }

        return null;
    }

    private bool MayMove(Held held, string from, string to)
    {
        if (held.Owners.Contains(to))
        {
            return false;
        }

        List<string> others = [held.Leader, .. held.Counted.Where(n => n != from)];
        return _spread.SharedZone(to, others) <= _spread.SharedZone(from, others);
    }

    private void Move(Held held, string from, string to)
    {
        _copies[from]--;
        _copies[to]++;
        _movable[from].Remove(held);
        _movable[to].Add(held);
        held.Counted.Remove(from);
        held.Counted.Add(to);
        held.Owners.Remove(from);
        held.Owners.Add(to);
    }

    // A channel whose copies are as many as asked for.
    private sealed class Held(string channel, string leader, List<string> counted, HashSet<string> owners)
    {
        public string Channel { get; } = channel;

        public string Leader { get; } = leader;

        public List<string> Counted { get; } = counted;

        public HashSet<string> Owners { get; } = owners;
    }
}
