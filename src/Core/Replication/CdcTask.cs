using Baton.Core.Api;

namespace Baton.Core.Replication;

/// <summary>A CDC task as it is kept. What its parts mean is told at <see cref="CdcTaskView"/>.</summary>
/// <param name="Channel">The source channel.</param>
/// <param name="TargetCluster">The target.</param>
/// <param name="TargetChannel">The channel there that corresponds.</param>
/// <param name="Uri">Address of the target.</param>
/// <param name="Token">Bearer for the target; empty where it has none.</param>
/// <param name="BroadcastId">The configuration that created the task.</param>
/// <param name="StartLsn">The first record to send where the target has none.</param>
/// <param name="ConfigLsn">LSN of the configuration that created it.</param>
/// <param name="Version">The version that this configuration has in force. A task above the version in force belongs to a configuration that is not, and nobody serves it.</param>
/// <param name="State">Where the task is in its life.</param>
/// <param name="CreatedAt">When it was made (UTC).</param>
/// <param name="Departure">Where the target left.</param>
/// <param name="Salvage">What only this cluster has.</param>
public sealed record CdcTask(
    string Channel,
    string TargetCluster,
    string TargetChannel,
    string Uri,
    string Token,
    long BroadcastId,
    long StartLsn,
    long ConfigLsn,
    long Version,
    CdcTaskState State,
    DateTimeOffset CreatedAt,
    ReplicateDeparture? Departure = null,
    SalvageList? Salvage = null);

/// <summary>A configuration that is about to be put in force.</summary>
/// <param name="ClusterId">This cluster.</param>
/// <param name="Before">The configuration in force.</param>
/// <param name="After">The next.</param>
/// <param name="Left">The source that this cluster left by its last forced promotion.</param>
/// <param name="BroadcastId">The broadcast that carried it.</param>
/// <param name="Version">The version that it will have.</param>
/// <param name="ConfigLsns">LSN of its record on each channel of this cluster.</param>
/// <param name="Now">The time (UTC).</param>
public sealed record CdcChange(
    string ClusterId,
    ReplicateConfiguration? Before,
    ReplicateConfiguration After,
    LeftSource? Left,
    long BroadcastId,
    long Version,
    IReadOnlyDictionary<string, long> ConfigLsns,
    DateTimeOffset Now);
