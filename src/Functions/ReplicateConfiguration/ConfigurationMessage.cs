using Baton.Core.Broadcasts;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>The broadcast that carries a configuration to every channel.</summary>
internal static class ConfigurationMessage
{
    /// <summary>The message: one copy a channel; on the first channel the control vchannel stands for it.</summary>
    public static BroadcastMessage For(ClusterState state, Configuration configuration, bool forced) => new(
        BroadcastMessage.AlterReplicateConfigKind,
        [.. state.Channels.OrderBy(c => c.Value.Index).Select((c, i) => i == 0 ? VChannels.Control(c.Key) : c.Key)],
        ResourceLocks.ExclusiveCluster,
        AlterReplicateConfig: new AlterReplicateConfig(configuration, forced));
}
