using Baton.Core.Replication;

namespace Baton.Core.Api;

/// <summary>Life of a CDC task.</summary>
public enum CdcTaskState
{
    /// <summary>The leader of the source channel ships its records.</summary>
    Running,

    /// <summary>The target was promoted in this cluster's place and takes nothing more. Never goes back: replication is set up anew, by a new configuration.</summary>
    Superseded,

    /// <summary>The target has confirmed a configuration without this direction, or an operator gave the task up.</summary>
    Ended,
}

/// <summary>One channel's records on their way to one other cluster.</summary>
/// <param name="Channel">The source channel, of this cluster.</param>
/// <param name="TargetCluster">The cluster that they go to.</param>
/// <param name="TargetChannel">The channel there that corresponds.</param>
/// <param name="Uri">Address of the target: an absolute URI, or host:port for https.</param>
/// <param name="Token">Bearer for the target; null where it is not shown to the caller.</param>
/// <param name="BroadcastId">The configuration that created the task. A later configuration that creates it again makes another task, and reports of this one are late.</param>
/// <param name="StartLsn">The first record to send where the target has none.</param>
/// <param name="ConfigLsn">LSN of the configuration that created the task. Changes of configuration before it are history and are not sent.</param>
/// <param name="State">Where the task is in its life.</param>
/// <param name="CreatedAt">When it was made (UTC).</param>
/// <param name="Departure">With <see cref="CdcTaskState.Superseded"/>: how far the target had taken this channel over.</param>
/// <param name="Salvage">With <see cref="CdcTaskState.Superseded"/>: what only this cluster has.</param>
/// <param name="Progress">How far the channel's leader is, by its last heartbeat.</param>
public sealed record CdcTaskView(
    string Channel,
    string TargetCluster,
    string TargetChannel,
    string Uri,
    string? Token,
    long BroadcastId,
    long StartLsn,
    long ConfigLsn,
    CdcTaskState State,
    DateTimeOffset CreatedAt,
    ReplicateDeparture? Departure = null,
    SalvageList? Salvage = null,
    CdcProgress? Progress = null);

/// <summary><c>GET /api/cdc-tasks</c>. Tokens are shown only to a caller that has the cluster's secret as its bearer token.</summary>
/// <param name="Version">Version of the configuration that they belong to.</param>
/// <param name="Tasks">In the order of channel and target cluster.</param>
public sealed record CdcTasksView(long Version, IReadOnlyList<CdcTaskView> Tasks);

/// <summary>What a task is doing, by its leader's own account.</summary>
public enum CdcPhase
{
    /// <summary>It looks for the leader of the target channel and asks how far that is.</summary>
    Connecting,

    /// <summary>It ships.</summary>
    Shipping,

    /// <summary>The target answers, but takes nothing from here: it is not configured as secondary of this cluster yet, or not any more.</summary>
    Refused,

    /// <summary>What is to be sent next has been deleted from the log. The target has to be built up anew.</summary>
    HistoryGone,

    /// <summary>The target was promoted in this cluster's place.</summary>
    Superseded,
}

/// <summary>How far a CDC task is.</summary>
/// <param name="TargetCluster">Its target.</param>
/// <param name="Phase">What it does.</param>
/// <param name="AckedLsn">Everything to be sent up to this LSN of the source is durable in the target.</param>
/// <param name="LagMs">Age of the oldest record that is not; 0 where there is none (milliseconds).</param>
/// <param name="Reason">Why it does not ship.</param>
public sealed record CdcProgress(string TargetCluster, CdcPhase Phase, long AckedLsn, long LagMs, string? Reason = null);

/// <summary><c>POST /api/cdc-tasks/{channel}/{targetCluster}/report</c>: nodes only. What the leader of the source channel learnt. Repeating it changes nothing.</summary>
/// <param name="BroadcastId">The task's own: a report about an earlier task is refused with Conflict.</param>
/// <param name="Ended">The target has confirmed a configuration without this direction.</param>
/// <param name="Departure">The target was promoted in this cluster's place.</param>
/// <param name="Salvage">With <paramref name="Departure"/>: what only this cluster has, as far as it has been looked through.</param>
public sealed record CdcReport(long BroadcastId, bool Ended = false, ReplicateDeparture? Departure = null, SalvageList? Salvage = null);

/// <summary>The records of a channel that a promoted cluster lacks.</summary>
/// <param name="ThroughLsn">The log has been looked through up to here.</param>
/// <param name="Count">How many records: messages, those of committed transactions included, and copies of broadcasts.</param>
/// <param name="Ranges">Where they are, in the log's order. Records that are no messages lie between them.</param>
public sealed record SalvageList(long ThroughLsn, long Count, IReadOnlyList<SalvageRange> Ranges)
{
    /// <summary>Ranges listed at most; beyond them the last one is drawn out to the end, and its count stays exact.</summary>
    public const int MaxRanges = 1_000;
}

/// <summary>A stretch of the log in which every visible record is one that the promoted cluster lacks.</summary>
/// <param name="FirstLsn">Its first such record.</param>
/// <param name="LastLsn">Its last.</param>
/// <param name="Count">How many.</param>
public sealed record SalvageRange(long FirstLsn, long LastLsn, long Count);

/// <summary><c>GET /api/salvage</c>: what only this cluster has since another was promoted in its place.</summary>
/// <param name="Superseded">By whom this cluster is superseded; null where it is not, or has been attached again or kept since: what it found is still listed, until the same channels replicate to that cluster anew.</param>
/// <param name="Channels">The channels, in order.</param>
public sealed record SalvageView(Supersession? Superseded, IReadOnlyList<ChannelSalvage> Channels);

/// <summary>What only this cluster has of a channel.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="TargetCluster">The cluster that lacks it.</param>
/// <param name="TakenLsn">LSN of the last record that the target had taken; null while its answer is outstanding.</param>
/// <param name="Salvage">The records; null while nobody has looked.</param>
public sealed record ChannelSalvage(string Channel, string TargetCluster, long? TakenLsn, SalvageList? Salvage);

/// <summary>200 of <c>DELETE /api/cdc-tasks/{targetCluster}</c>.</summary>
/// <param name="Ended">How many tasks this has ended.</param>
public sealed record CdcTasksGivenUp(int Ended);
