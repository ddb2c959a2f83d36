using System.Text.Json.Serialization;

namespace Baton.Core.Recovery;

/// <summary>What a channel's log still has, as one reading saw it.</summary>
/// <param name="HeadLsn">The last record written.</param>
/// <param name="TailLsn">Records above it are retained; 0 while all are.</param>
/// <param name="CommittedLsn">The last record that counts.</param>
/// <param name="SnapshotLsn">What the newest snapshot covers; 0 without one.</param>
/// <param name="SnapshotTrusted">That snapshot was read and verified.</param>
public sealed record RetainedHistory(long HeadLsn, long TailLsn, long CommittedLsn, long SnapshotLsn = 0, bool SnapshotTrusted = false)
{
    /// <summary>Nothing is committed that was not written. Where it is not so, the reading is worth nothing.</summary>
    [JsonIgnore]
    public bool IsConsistent => CommittedLsn <= HeadLsn;

    /// <summary>What a replica needs.</summary>
    /// <param name="replica">What it says of its copy.</param>
    /// <param name="lastCommonLsn">
    /// The last LSN at which replica and log have the same record: <see cref="ReplicaPosition.FlushedLsn"/> where the last record agrees, else what a search has found, 0 where nothing.
    /// </param>
    public Recoverability Classify(ReplicaPosition replica, long lastCommonLsn)
    {
        ArgumentNullException.ThrowIfNull(replica);

        // What is beyond the committed end goes even where the log has it too: it may not stay.
        var start = Math.Min(Math.Min(lastCommonLsn, CommittedLsn), replica.FlushedLsn);
        var cut = start < replica.FlushedLsn;
        var (outcome, reason) = (IsConsistent, cut) switch
        {
            (false, _) => (RecoveryOutcome.NeedsRebuild, $"history_inconsistent: committed {CommittedLsn} is above head {HeadLsn}"),
            (_, false) when start == CommittedLsn => (RecoveryOutcome.ZeroGap, "zero_gap"),
            _ when start < TailLsn => (RecoveryOutcome.NeedsRebuild, $"gap_beyond_retention: need LSN {start + 1}, retained from {TailLsn + 1}"),
            (_, false) => (RecoveryOutcome.Catchup, $"gap_within_retention: need LSN {start + 1}–{CommittedLsn}"),
            _ when start < replica.FirstLsn - 1 => (RecoveryOutcome.NeedsRebuild, $"copy_starts_too_late: to be cut to {start}, begins at {replica.FirstLsn}"),
            _ when start == CommittedLsn => (RecoveryOutcome.Catchup, "replica_ahead_needs_truncation"),
            _ => (RecoveryOutcome.Catchup, $"replica_diverged_needs_truncation: last common LSN {start}"),
        };
        return new Recoverability(outcome, reason, start, CommittedLsn, cut && outcome == RecoveryOutcome.Catchup ? start : null);
    }

    /// <summary>
    /// What a new copy is made from. A snapshot serves only where the log goes on behind it without a gap, and covers nothing that is not committed.
    /// </summary>
    [JsonIgnore]
    public RebuildSource RebuildFrom => IsConsistent && SnapshotTrusted && SnapshotLsn > 0 && SnapshotLsn >= TailLsn && SnapshotLsn <= CommittedLsn
        ? RebuildSource.SnapshotTail
        : RebuildSource.FullBase;
}
