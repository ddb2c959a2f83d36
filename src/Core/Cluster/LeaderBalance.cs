namespace Baton.Core.Cluster;

/// <summary>
/// Gives each of many channels to one of its candidates so that the loads end as even as they can be: no other choice has a lower maximum, a higher minimum
/// or a smaller difference between them.
/// <para>
/// That is an optimal semi-matching. Greedy first; then, while there is a path from a node to one that leads at least two fewer, along which each node hands a channel to the next,
/// channels are handed on along it. Where no such path is left, nothing can be improved (Harvey, Ladner, Lovász, Tamir: Semi-matchings for bipartite graphs and load balancing). The
/// paths are looked for between nodes, not channels, so that their number and not that of the channels counts.
/// </para>
/// </summary>
internal sealed class LeaderBalance
{
    private readonly IReadOnlyList<int[]> _candidates;
    private readonly int[] _load;
    private readonly int[] _chosen;
    private readonly List<int>[] _on;
    private readonly int[,] _edges;

    private LeaderBalance(IReadOnlyList<int> load, IReadOnlyList<int[]> candidates)
    {
        _candidates = candidates;
        _load = [.. load];
        _chosen = new int[candidates.Count];
        _on = [.. load.Select(_ => new List<int>())];
        _edges = new int[load.Count, load.Count];
    }

    /// <summary>The node of each channel. The same input has the same answer.</summary>
    /// <param name="load">Per node, what it leads besides.</param>
    /// <param name="candidates">Per channel its candidates, rising, at least one. Earlier nodes win ties.</param>
    public static IReadOnlyList<int> Choose(IReadOnlyList<int> load, IReadOnlyList<int[]> candidates)
    {
        var balance = new LeaderBalance(load, candidates);
        balance.Fill();
        balance.Even();
        return balance._chosen;
    }

    // Those with least choice first: that leaves little to improve.
    private void Fill()
    {
        foreach (var channel in Enumerable.Range(0, _candidates.Count).OrderBy(c => _candidates[c].Length))
        {
            Give(channel, LeastLoaded(_candidates[channel]));
        }
    }

    private int LeastLoaded(int[] candidates)
    {
        var least = candidates[0];
        foreach (var node in candidates)
        {
            least = _load[node] < _load[least] ? node : least;
        }

        return least;
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
                // From the fullest node all that can be reached lead as many as it, or one fewer: among them nothing can improve, and nothing leads out of them.
                left.ExceptWith(reached);
            }
            else
            {
                HandOn(path);
            }
        }
    }

    // Breadth first: the nodes within reach, and the shortest way to one that leads at least two fewer, if there is one.
    private (List<int> Reached, List<int> Path) Search(int from, SortedSet<int> among)
    {
        var reached = new List<int> { from };
        var cameFrom = new Dictionary<int, int> { [from] = from };
        for (var i = 0; i < reached.Count; i++)
        {
            foreach (var next in among)
            {
                if (_edges[reached[i], next] == 0 || !cameFrom.TryAdd(next, reached[i]))
                {
                    continue;
                }

                reached.Add(next);
                if (_load[next] <= _load[from] - 2)
                {
                    return (reached, PathTo(next, cameFrom));
                }
            }
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

    // As many channels at once as each step can hand on and as the difference asks for.
    private void HandOn(List<int> path)
    {
        var steps = path.Zip(path.Skip(1)).ToList();
        var count = Math.Min((_load[path[0]] - _load[path[^1]]) / 2, steps.Min(s => _edges[s.First, s.Second]));
        for (; count > 0; count--)
        {
            foreach (var (from, to) in steps)
            {
                Give(Take(from, to), to);
            }
        }
    }

    // The latest that can go: what greed gave out first stays.
    private int Take(int from, int to)
    {
        var at = _on[from].FindLastIndex(c => Array.BinarySearch(_candidates[c], to) >= 0);
        var channel = _on[from][at];
        _on[from].RemoveAt(at);
        _load[from]--;
        foreach (var other in _candidates[channel])
        {
            _edges[from, other]--;
        }

        return channel;
    }

    private void Give(int channel, int to)
    {
        _chosen[channel] = to;
        _on[to].Add(channel);
        _load[to]++;
        foreach (var other in _candidates[channel])
        {
            _edges[to, other]++;
        }
    }
}
