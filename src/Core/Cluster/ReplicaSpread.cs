namespace Baton.Core.Cluster;

/// <summary>
/// Where copies of channels go: spread over zones first, then to the nodes with fewest copies, of these to those that lead fewest channels, then by id. The channel of the metadata is not counted, only, among
/// equals, whoever leads it comes last: a topic's partitions are to be spread evenly by themselves. Counts the copies once, and keeps count of what it gives out.
/// </summary>
internal sealed class ReplicaSpread
{
    private readonly ClusterState _state;
    private readonly Dictionary<string, int> _copies;
    private readonly Dictionary<string, int> _led;
    private readonly string? _coordinator;

    /// <summary>Counts the copies on <paramref name="nodes"/>, which are those that can be given one.</summary>
    public ReplicaSpread(ClusterState state, IEnumerable<string> nodes)
    {
        _state = state;
        _copies = nodes.ToDictionary(n => n, _ => 0, StringComparer.Ordinal);
        _coordinator = state.Channels.GetValueOrDefault(MetadataChannel.Name)?.Leader;
        _led = state.PChannels.Select(c => c.Value.Leader).OfType<string>().CountBy(l => l, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        foreach (var (_, channel) in state.PChannels)
        {
            foreach (var owner in channel.Replicas.Where(r => !r.Leaving).Select(r => r.NodeId).Append(channel.Leader))
            {
                if (owner is not null && _copies.TryGetValue(owner, out var count))
                {
                    _copies[owner] = count + 1;
                }
            }
        }
    }

    /// <summary>The next node for a channel that <paramref name="counted"/> have a copy of; none of <paramref name="owners"/>, which have one already; null where no node is left.</summary>
    public string? Next(IReadOnlyCollection<string> counted, IReadOnlyCollection<string> owners)
    {
        var next = _copies.Keys.Except(owners, StringComparer.Ordinal)
            .OrderBy(n => SharedZone(n, counted))
            .ThenBy(n => _copies[n])
            .ThenBy(n => _led.GetValueOrDefault(n))
            .ThenBy(n => string.Equals(n, _coordinator, StringComparison.Ordinal))
            .ThenBy(n => n, StringComparer.Ordinal)
            .FirstOrDefault();
        if (next is not null)
        {
            _copies[next]++;
        }

        return next;
    }

    /// <summary>How many of <paramref name="nodes"/> would fail with <paramref name="node"/>'s zone.</summary>
    public int SharedZone(string node, IEnumerable<string> nodes) => nodes.Count(n => string.Equals(ZoneOf(n), ZoneOf(node), StringComparison.Ordinal));

    /// <summary>How many copies a node has; 0 where it can be given none.</summary>
    public int CopiesOn(string node) => _copies.GetValueOrDefault(node);

    /// <summary>A copy on <paramref name="node"/> is gone.</summary>
    public void Dropped(string node)
    {
        if (_copies.TryGetValue(node, out var count))
        {
            _copies[node] = count - 1;
        }
    }

    /// <summary>A copy on <paramref name="node"/> counts again.</summary>
    public void Stays(string node)
    {
        if (_copies.TryGetValue(node, out var count))
        {
            _copies[node] = count + 1;
        }
    }

    /// <summary>A copy that is yet to be filled.</summary>
    public static ReplicaState Fresh(string node) => new(node, ReplicaMode.Sync, ReplicaProgress.Disconnected, 0);

    private string? ZoneOf(string node) => _state.Nodes.GetValueOrDefault(node)?.Zone;
}
