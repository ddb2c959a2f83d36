using Baton.Core.Api;

namespace Baton.Gateway.Routing;

/// <summary>
/// The last route that was heard. Looking a channel up takes no lock; who waits for a change of one channel is told of that alone, and where nobody waits there is nothing to tell. A route of a lower version is never taken.
/// </summary>
internal sealed class RouteTable(TimeProvider time)
{
    private volatile Known _known = new(-1, new Dictionary<string, Destination>(StringComparer.Ordinal), []);

    /// <summary>The route's version; -1 before the first.</summary>
    public long Version => _known.Version;

    /// <summary>How many channels it has.</summary>
    public int Channels => _known.Channels.Count;

    /// <summary>Is cancelled when there is a newer route than now.</summary>
    public CancellationToken Superseded => _known.Newer.Token;

    /// <summary>Where requests of <paramref name="channel"/> go; null where the route does not know it.</summary>
    public Destination? Find(string channel) => _known.Channels.GetValueOrDefault(channel);

    /// <summary>One of the nodes that lead anything, another for each <paramref name="turn"/>; null where there is none.</summary>
    public Destination? AnyNode(int turn) => _known.Nodes is { Length: > 0 } nodes ? nodes[(int)((uint)turn % (uint)nodes.Length)] : null;

    /// <summary>The incarnation of a node that leads anything, as far as the route says.</summary>
    public long? IncarnationOf(string nodeId) => Array.Find(_known.Nodes, n => n.Leader!.NodeId == nodeId)?.Leader!.Incarnation;

    /// <summary>Takes a route that is newer than the last. One caller at a time. Ends when all who waited for what changed have been told.</summary>
    /// <returns>False where it is not newer, and was not taken.</returns>
    public async Task<bool> TakeAsync(RouteView route)
    {
        var before = _known;
        if (route.Version <= before.Version)
        {
            return false;
        }

        var channels = new Dictionary<string, Destination>(route.Channels.Count + (route.Offline?.Count ?? 0), StringComparer.Ordinal);
        foreach (var channel in route.Offline ?? [])
        {
            channels[channel] = Same(before.Channels.GetValueOrDefault(channel), null);
        }

        foreach (var (channel, entry) in route.Channels)
        {
            channels[channel] = Same(before.Channels.GetValueOrDefault(channel), entry);
        }

        // Of a node alone nothing is asked that a term would matter for.
        var nodes = route.Channels.Values
            .DistinctBy(e => e.NodeId, StringComparer.Ordinal)
            .OrderBy(e => e.NodeId, StringComparer.Ordinal)
            .Select(e => Same(Array.Find(before.Nodes, n => n.Leader!.NodeId == e.NodeId), e with { Term = 0 }))
            .ToArray();
        _known = new Known(route.Version, channels, nodes);

        // Told when the new one can be looked up.
        var left = before.Channels.Where(c => !channels.TryGetValue(c.Key, out var now) || now != c.Value).Select(c => c.Value).Concat(before.Nodes.Except(nodes));
        await Task.WhenAll(left.Select(d => d.LeaveAsync()).Append(before.Newer.CancelAsync()));
        return true;
    }

    private Destination Same(Destination? before, RouteEntry? leader) => before is not null && before.Leader == leader ? before : new Destination(leader, time);

    private sealed record Known(long Version, IReadOnlyDictionary<string, Destination> Channels, Destination[] Nodes)
    {
        public CancellationTokenSource Newer { get; } = new();
    }
}
