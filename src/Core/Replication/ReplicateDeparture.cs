namespace Baton.Core.Replication;

/// <summary>
/// Where a channel left its source by force: what the source had sent up to then is here, what came after it is there alone. A channel that was forced keeps
/// it until it follows a source again, and tells it to its former source, which so learns that it was superseded.
/// </summary>
/// <param name="By">The cluster that was promoted.</param>
/// <param name="BroadcastId">The broadcast that forced it.</param>
/// <param name="From">How far the source had been taken over: its cluster, channel, and the LSN and time tick there of the last record taken; both 0 where none was.</param>
public sealed record ReplicateDeparture(string By, long BroadcastId, ReplicateCheckpoint From);

/// <summary>What a former primary knows of the promotion that replaced it.</summary>
/// <param name="By">The cluster that was promoted.</param>
/// <param name="BroadcastId">The broadcast that forced it.</param>
/// <param name="At">When this cluster learnt of it (UTC).</param>
/// <param name="RefusesWrites">Whether clients' writes are refused until an operator attaches this cluster again or keeps it.</param>
public sealed record Supersession(string By, long BroadcastId, DateTimeOffset At, bool RefusesWrites);

/// <summary>What the nodes of a cluster must know of its replicate configuration beyond what each channel's own log says.</summary>
/// <param name="Version">Version of the configuration: when it rises, there may be other CDC tasks.</param>
/// <param name="Replicates">Several clusters are configured: a channel that no configuration has named yet takes no writes.</param>
/// <param name="Superseded">Another cluster was promoted in this one's place.</param>
public sealed record ReplicateStanding(long Version, bool Replicates, Supersession? Superseded = null);
