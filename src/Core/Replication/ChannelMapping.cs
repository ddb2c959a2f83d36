namespace Baton.Core.Replication;

/// <summary>Which channel of one cluster corresponds to which of another: position i to position i (V34).</summary>
public static class ChannelMapping
{
    /// <summary>The channel of <paramref name="toCluster"/> that corresponds to <paramref name="channel"/> of <paramref name="fromCluster"/>, or null where either cluster or the channel is unknown.</summary>
    public static string? Target(ReplicateConfiguration? configuration, string fromCluster, string toCluster, string channel)
    {
        var from = configuration?.Find(fromCluster)?.PChannels ?? [];
        var to = configuration?.Find(toCluster)?.PChannels ?? [];
        for (var i = 0; i < from.Count && i < to.Count; i++)
        {
            if (string.Equals(from[i], channel, StringComparison.Ordinal))
            {
                return to[i];
            }
        }

        return null;
    }

    /// <summary>The vchannel of <paramref name="toCluster"/> that corresponds to <paramref name="vchannel"/> of <paramref name="fromCluster"/>: the same suffix on the corresponding channel. Null where there is none.</summary>
    public static string? TargetVChannel(ReplicateConfiguration? configuration, string fromCluster, string toCluster, string vchannel) =>
        Target(configuration, fromCluster, toCluster, VChannels.ChannelOf(vchannel)) is { } channel ? VChannels.MoveTo(vchannel, channel) : null;
}
