using Baton.Core.Api;

namespace Baton.Core.Replication;

/// <summary>What a cluster takes from its own clients, by how it replicates.</summary>
public static class ReplicateAdmission
{
    /// <summary>Whether several clusters are configured, this one among them. One that the configuration has dropped replicates with nobody.</summary>
    public static bool Replicates(ReplicateConfiguration? configuration, string clusterId) =>
        configuration is { Clusters.Count: > 1 } && configuration.Find(clusterId) is not null;

    /// <summary>Null where a client may broadcast to <paramref name="vchannels"/>.</summary>
    public static ApiError? CheckBroadcast(ReplicateConfigurationMeta meta, string clusterId, Supersession? superseded, IReadOnlyList<string> vchannels)
    {
        ArgumentNullException.ThrowIfNull(meta);
        ArgumentNullException.ThrowIfNull(vchannels);
        if (ReplicateRoles.RoleOf(meta.Configuration, clusterId) == ClusterRole.Secondary)
        {
            return ApiError.ReplicateViolation("This cluster is a secondary: broadcasts are made on its primary.");
        }

        if (superseded is { RefusesWrites: true })
        {
            return Refusal(superseded);
        }

        // Its other copies would reach the target naming a channel that corresponds to none there.
        var named = Replicates(meta.Configuration, clusterId) ? meta.Configuration!.Find(clusterId)!.PChannels : null;
        return named is not null && vchannels.FirstOrDefault(v => !named.Contains(VChannels.ChannelOf(v), StringComparer.Ordinal)) is { } unnamed
            ? ApiError.ReplicateViolation($"Channel {VChannels.ChannelOf(unnamed)} is in no replicate configuration yet: send one that names it on every cluster.")
            : null;
    }

    /// <summary>What a client is told by a cluster that was superseded.</summary>
    public static ApiError Refusal(Supersession superseded)
    {
        ArgumentNullException.ThrowIfNull(superseded);
        return ApiError.ReplicateViolation(
            $"Cluster {superseded.By} was promoted in place of this one: write there. This cluster refuses writes until an operator attaches it to {superseded.By} again, or keeps it by a configuration without {superseded.By}.");
    }
}
