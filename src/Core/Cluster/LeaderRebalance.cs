namespace Baton.Core.Cluster;

/// <summary>
/// Moves leaderships until they are as even as the copies in sync allow: from the fullest node by the shortest way to the emptiest that leads at least two fewer, as long as there is one. Where a copy in sync is everywhere, every way is direct, and as many
/// move as are too many. A way over other nodes is taken where nothing else makes it more even. That it ends, and as even as can be: <see cref="LeaderBalance"/>.
/// </summary>
internal sealed class LeaderRebalance
{
    private readonly string[] _nodes;
    private readonly int[] _load;
    private readonly List<Led>[] _on;
    private readonly int[,] _edges;

    private LeaderRebalance(string[] nodes, int[] load)
    {
        _nodes = nodes;
        _load = load;
        _on = [.. nodes.Select(_ => new List<Led>())];
        _edges = new int[nodes.Length, nodes.Length];
    }

    /// <summary>The moves. With <see cref="LeaderPolicy.PreferCoordinator"/> all channels that the metadata leader could lead go to it first, and it keeps them; the others are evened out besides.</summary>
    public static IReadOnlyList<RebalanceMove> Moves(ClusterState state, LeaderPolicy policy)
    {
        string[] nodes = [.. Placement.Candidates(state)];
        var leads = RebalancePlanner.Leads(state);
        var balance = new LeaderRebalance(nodes, [.. nodes.Select(n => leads[n])]);
        var coordinator = policy == LeaderPolicy.PreferCoordinator && state.Channels.GetValueOrDefault(MetadataChannel.Name)?.Leader is { } leader ? Array.BinarySearch(nodes, leader, StringComparer.Ordinal) : -1;
        var moves = new List<RebalanceMove>();
        var movable = new List<Led>();

        // From the last to the first, and the metadata channel behind all others: what comes first moves first.
        foreach (var (name, channel) in Placement.InOrder(state.Channels).Reverse().OrderBy(c => c.Key == MetadataChannel.Name))
        {
            if (MayLead(state, channel, nodes) is not { } options)
            {
                continue;
            }

            var at = Array.BinarySearch(nodes, channel.Leader, StringComparer.Ordinal);
            if (coordinator < 0)
            {
                movable.Add(new Led(name, at, options));
            }
            else if (name != MetadataChannel.Name && (channel.ReplicationFactor == 1 || !options.Contains(coordinator)))
            {
                movable.Add(new Led(name, at, options));
            }
            else if (name != MetadataChannel.Name && at != coordinator)
            {
                balance._load[at]--;
                balance._load[coordinator]++;
                moves.Add(new RebalanceMove(name, nodes[at], nodes[coordinator]));
            }
        }

        movable.ForEach(l => balance.Add(l, l.From));
        balance.Even();
        moves.AddRange(movable.Where(l => l.At != l.From).Select(l => new RebalanceMove(l.Channel, nodes[l.From], nodes[l.At])));
        return moves;
    }

    // The nodes that may lead it, rising, its leader among them; null where it stays.
    private static int[]? MayLead(ClusterState state, ChannelState channel, string[] nodes)
    {
        var counted = LeavingCopies.Counted(state, channel).ToList();
        if (channel.Leader is not { } leader || Array.BinarySearch(nodes, leader, StringComparer.Ordinal) < 0 || channel.Declined is not null)
        {
            return null;
        }

        if (channel.ReplicationFactor == 1)
        {
            return counted.Count == 0 ? [.. Enumerable.Range(0, nodes.Length)] : null;
        }

        // One too many: with a new leader, the former one would have none.
        return counted.Count + 1 > channel.ReplicationFactor ? null
            : [.. counted.Where(r => r.State == ReplicaProgress.InSync).Select(r => r.NodeId).Append(leader).Select(n => Array.BinarySearch(nodes, n, StringComparer.Ordinal)).Order()];
    }

    private void Even()
    {
        var left = new SortedSet<int>(Enumerable.Range(0, _load.Length));
        while (left.Count > 0)
        {
            var from = left.MaxBy(n => _load[n]);
            var (reached, path) = Search(from, left);
            if (path.Count == 0)
            {
                left.ExceptWith(reached);
            }
            else
            {
                // From its end: what one node hands on is not what it was just handed.
                for (var step = path.Count - 2; step >= 0; step--)
                {
                    HandOn(path[step], path[step + 1]);
                }
            }
        }
    }

    // Breadth first. Of the ends that are equally near, the emptiest.
    private (List<int> Reached, List<int> Path) Search(int from, SortedSet<int> among)
    {
        var cameFrom = new Dictionary<int, int> { [from] = from };
        var reached = new List<int> { from };
        var level = new List<int> { from };
        while (level.Count > 0)
        {
            var next = new List<int>();
            foreach (var (node, other) in level.SelectMany(n => among.Where(o => _edges[n, o] > 0).Select(o => (n, o))))
            {
                if (cameFrom.TryAdd(other, node))
                {
                    next.Add(other);
                }
            }

            if (next.Where(n => _load[n] <= _load[from] - 2).OrderBy(n => _load[n]).Select(n => (int?)n).FirstOrDefault() is { } end)
            {
                return (reached, PathTo(end, cameFrom));
            }

            reached.AddRange(next);
            level = next;
        }

        return (reached, []);
    }

    private static List<int> PathTo(int node, Dictionary<int, int> cameFrom)
    {
        var path = new List<int> { node };
        while (cameFrom[path[^1]] != path[^1])
        {
            path.Add(cameFrom[path[^1]]);
        }

        path.Reverse();
        return path;
    }

    private void HandOn(int from, int to)
    {
        var led = _on[from].Find(l => l.MayBeOn(to))!;
        _on[from].Remove(led);
        _load[from]--;
        foreach (var other in led.Options)
        {
            _edges[from, other]--;
        }

        _load[to]++;
        Add(led, to);
    }

    private void Add(Led led, int to)
    {
        led.At = to;
        _on[to].Add(led);
        foreach (var other in led.Options)
        {
            _edges[to, other]++;
        }
    }

    private sealed class Led(string channel, int from, int[] options)
    {
        public string Channel { get; } = channel;

        public int From { get; } = from;

        public int[] Options { get; } = options;

        public int At { get; set; } = from;

        public bool MayBeOn(int node) => Array.BinarySearch(Options, node) >= 0;
    }
}
