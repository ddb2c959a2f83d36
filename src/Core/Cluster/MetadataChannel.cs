using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>The channel that carries the cluster's metadata. Its leader is the metadata leader, or coordinator.</summary>
public static class MetadataChannel
{
    /// <summary>Its name. No client can create a channel of this name.</summary>
    public const string Name = "__metadata";

    /// <summary>Whether <paramref name="channel"/> is its name.</summary>
    public static bool Is(string? channel) => string.Equals(channel, Name, StringComparison.Ordinal);

    /// <summary>Who leads it by <paramref name="state"/>; null while nobody does.</summary>
    public static LeaderHint? LeaderIn(ClusterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Channels.GetValueOrDefault(Name) is { Leader: { } leader } channel && state.Nodes.TryGetValue(leader, out var node) ? new LeaderHint(leader, node.Endpoint, channel.Term) : null;
    }
}
