using Baton.Core.Broadcasts;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>
/// The broadcast that carries a configuration to every channel: one copy a channel; on the channel created first the control vchannel stands for it. The order in which a configuration lists the channels says only
/// which correspond: the copies keep their suffix on their way to another cluster, so its control vchannel for this broadcast is on whichever channel corresponds to this cluster's first.
/// </summary>
internal static class ConfigurationMessage
{
    /// <summary>
    /// A normal change: to the channels that it names for this cluster. One that was created after the check, and that it does not name, must not get a copy: over there it would correspond to nothing.
    /// </summary>
    public static BroadcastMessage Normal(ClusterState state, Configuration configuration, string clusterId)
    {
        var named = configuration.Find(clusterId)?.PChannels;
        return Of(state, c => named is null || named.Contains(c, StringComparer.Ordinal), new AlterReplicateConfig(configuration));
    }

    /// <summary>A forced one: to every channel that clients have.</summary>
    public static BroadcastMessage Forced(ClusterState state, Configuration configuration) => Of(state, _ => true, new AlterReplicateConfig(configuration, Forced: true));

    private static BroadcastMessage Of(ClusterState state, Func<string, bool> isTarget, AlterReplicateConfig change) => new(
        BroadcastMessage.AlterReplicateConfigKind,
        [.. state.PChannels.OrderBy(c => c.Value.Index).Where(c => isTarget(c.Key)).Select((c, i) => i == 0 ? VChannels.Control(c.Key) : c.Key)],
        ResourceLocks.ExclusiveCluster,
        AlterReplicateConfig: change);
}
