using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Functions.Channels;

/// <summary>Channels as the API shows them.</summary>
internal static class ChannelViews
{
    /// <summary>One channel of the state; its replicas as far as the state and, where they are given, their nodes' last heartbeats know them.</summary>
    public static ChannelView Of(string name, ChannelState channel, IReadOnlyDictionary<string, NodeBeat>? beats = null) => new(
        name,
        channel.Leader,
        channel.Term,
        [.. channel.Replicas.Select(r => Of(r, name, beats?.GetValueOrDefault(r.NodeId)))],
        channel.Offline ? ChannelAvailability.Offline : ChannelAvailability.Online,
        channel.TopicId);

    private static ReplicaView Of(ReplicaState replica, string channel, NodeBeat? beat)
    {
        var said = beat?.Channels.FirstOrDefault(c => string.Equals(c.Name, channel, StringComparison.Ordinal) && string.Equals(c.Role, Assignments.Replica, StringComparison.Ordinal));
        return new ReplicaView(replica.NodeId, replica.Mode, replica.State, Math.Max(replica.FlushedLsn, said?.FlushedLsn ?? 0), said?.State, replica.Leaving ? true : null);
    }
}
