namespace Baton.Core.Recovery;

/// <summary>What the log keeps for one replica.</summary>
/// <param name="Sender">The replica.</param>
/// <param name="FromLsn">The first record kept for it.</param>
/// <param name="Bytes">Bytes of the log from there to its end.</param>
public sealed record RetentionHold(ReplicaSender Sender, long FromLsn, long Bytes);

/// <summary>A replica for which the log is kept no longer: the hold is to be dropped.</summary>
/// <param name="Sender">The replica: it needs a rebuild now, and its session has ended.</param>
/// <param name="Event">What to write down; null where the replica had been released before, and only its hold was left.</param>
public sealed record RetentionRelease(ReplicaSender Sender, RecoveryEvent? Event);

/// <summary>The slowest replica must not keep the log from ever being shortened: it can be rebuilt, a full account cannot be written to.</summary>
public static class RetentionBound
{
    /// <summary>The replicas for which more is kept than may be, the one that holds most first. A bound of 0 is none.</summary>
    public static IReadOnlyList<RetentionRelease> Release(IEnumerable<RetentionHold> holds, long maxRetainedBytes) => maxRetainedBytes <= 0
        ? []
        : [.. holds
            .Where(h => h.Bytes > maxRetainedBytes)
            .OrderByDescending(h => h.Bytes)
            .ThenBy(h => h.Sender.Replica.ToString(), StringComparer.Ordinal)
            .Select(h => Released(h, maxRetainedBytes))];

    private static RetentionRelease Released(RetentionHold hold, long maxRetainedBytes)
    {
        var (before, after) = (hold.Sender, hold.Sender.ReleaseRetention());
        var detail = $"needs_rebuild: {RecoveryEvents.RetentionReleased}, {hold.Bytes} bytes from LSN {hold.FromLsn} are above {maxRetainedBytes}";
        return new RetentionRelease(
            after,
            ReferenceEquals(before, after) ? null : RecoveryEvent.Of(before.Replica, 0, RecoveryEvents.Escalated, detail));
    }
}
