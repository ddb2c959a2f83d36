using Baton.Edge.Producers;
using System.Collections.Concurrent;
using Baton.Gateway.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Producers;

/// <summary>The lanes of every channel of the route that was appended to. Channels are never taken out of a cluster, so they are as many as it has.</summary>
internal sealed class LaneTable(IOptions<GatewaySettings> settings)
{
    /// <summary>Drawn at the start: what an earlier process of this name left half sent must not meet the sequences of this one.</summary>
    private readonly string _prefix = $"gw-{Guid.NewGuid().ToString("N")[..16]}-";
    private readonly ConcurrentDictionary<string, ChannelLanes> _channels = new(StringComparer.Ordinal);

    /// <summary>How many were made, of all channels.</summary>
    public int Made => _channels.Values.Sum(c => c.Made);

    /// <summary>The lanes of <paramref name="channel"/>, which must be one of the route: names that clients make up would be kept for good.</summary>
    public ChannelLanes Of(string channel) => _channels.GetOrAdd(channel, static (_, t) => new ChannelLanes(t._prefix, t.Most), this);

    private int Most => settings.Value.ProducersPerChannel;
}
