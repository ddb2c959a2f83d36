namespace Baton.Core.Replication;

/// <summary>What a cluster remembers of the source that it left by its last forced promotion.</summary>
/// <param name="ClusterId">The source.</param>
/// <param name="TakenTimeTick">
/// The highest time tick, by the source's own clock, of what had been taken over from it. A configuration that it made at or before that is older than the force. 0 where nothing had been taken.
/// </param>
/// <param name="ForcedLsns">
/// LSN of the forced record on each channel that there was. When the source is attached again, it gets everything behind it; then, or when this cluster turns secondary, they are forgotten (null).
/// </param>
public sealed record LeftSource(string ClusterId, long TakenTimeTick, IReadOnlyDictionary<string, long>? ForcedLsns);
