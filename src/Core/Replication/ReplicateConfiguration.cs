using System.Text.Json.Serialization;

namespace Baton.Core.Replication;

/// <summary>Which clusters there are and who replicates to whom. An input is kept as it came: nulls inside are for the validator to name.</summary>
/// <param name="Clusters">The clusters, in any order.</param>
/// <param name="Topology">The edges; none means no replication.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicateConfiguration(IReadOnlyList<ReplicateCluster?>? Clusters, ReplicateTopology? Topology = null)
{
    /// <summary>The edges, never null.</summary>
    [JsonIgnore]
    public IReadOnlyList<ReplicateEdge?> Edges => Topology?.Edges ?? [];

    /// <summary>The cluster with this id, or null.</summary>
    public ReplicateCluster? Find(string? clusterId) => Clusters?.FirstOrDefault(c => c is not null && string.Equals(c.ClusterId, clusterId, StringComparison.Ordinal));
}

/// <summary>One cluster of a configuration.</summary>
/// <param name="ClusterId">Its id.</param>
/// <param name="Uri">Its address: an absolute URI or host:port.</param>
/// <param name="PChannels">Its physical channels. Position i corresponds to position i of every other cluster.</param>
/// <param name="Token">Opaque credential for its endpoint; may be empty.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicateCluster(
    string? ClusterId,
    string? Uri,
    [property: JsonPropertyName("pchannels")] IReadOnlyList<string?>? PChannels,
    string? Token = null);

/// <summary>The edges of a configuration.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicateTopology(IReadOnlyList<ReplicateEdge?>? Edges);

/// <summary>One direction of replication.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicateEdge(string? Source, string? Target);

/// <summary>What a cluster is in its replicate topology.</summary>
public enum ClusterRole
{
    /// <summary>Primary with nobody replicating from it: no configuration, or one cluster without edges.</summary>
    Standalone,

    /// <summary>Others replicate from it.</summary>
    Primary,

    /// <summary>It has an incoming edge and accepts only replicated records.</summary>
    Secondary,
}

/// <summary>The stored configuration of a cluster.</summary>
/// <param name="Configuration">The configuration, or null before the first.</param>
/// <param name="Version">Raised by one at every change, and when an operator gives CDC tasks up; 0 before the first.</param>
/// <param name="ForceUpdated">The last change was a force update.</param>
/// <param name="ForceUpdateTimestamp">When (UTC), if it was.</param>
/// <param name="Left">The source that the last force update left.</param>
public sealed record ReplicateConfigurationMeta(
    ReplicateConfiguration? Configuration,
    long Version,
    bool ForceUpdated,
    DateTimeOffset? ForceUpdateTimestamp,
    LeftSource? Left = null)
{
    /// <summary>The meta of a cluster that was never configured.</summary>
    public static ReplicateConfigurationMeta Empty { get; } = new(null, 0, false, null);
}

/// <summary>How far a secondary channel has taken over its source channel.</summary>
/// <param name="ClusterId">Source cluster.</param>
/// <param name="Channel">Source channel.</param>
/// <param name="Lsn">LSN in the source channel of the last record taken over; 0 = none.</param>
/// <param name="TimeTick">Its time tick; 0 = none.</param>
public sealed record ReplicateCheckpoint(string ClusterId, string Channel, long Lsn, long TimeTick);
