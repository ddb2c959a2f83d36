using Baton.Core.Cluster;
using Baton.Core.Recovery;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>What a replica needs, by what it has and what the log still has.</summary>
public sealed class ClassificationTests
{
    [Theory]
    [InlineData("RC21", 100, 49, 100, RecoveryOutcome.ZeroGap, "zero_gap", null)]
    [InlineData("RC22", 105, 49, 100, RecoveryOutcome.Catchup, "replica_ahead_needs_truncation", 100L)]
    [InlineData("RC23", 80, 49, 100, RecoveryOutcome.Catchup, "gap_within_retention: need LSN 81–100", null)]
    [InlineData("RC24", 49, 49, 100, RecoveryOutcome.Catchup, "gap_within_retention: need LSN 50–100", null)]
    [InlineData("RC25", 48, 49, 100, RecoveryOutcome.NeedsRebuild, "gap_beyond_retention: need LSN 49, retained from 50", null)]
    [InlineData("RC27", 50, 30, 100, RecoveryOutcome.Catchup, "gap_within_retention: need LSN 51–100", null)]
    [InlineData("RC28", 50, 60, 100, RecoveryOutcome.NeedsRebuild, "gap_beyond_retention: need LSN 51, retained from 61", null)]
    [InlineData("RC31", 70, 30, 90, RecoveryOutcome.Catchup, "gap_within_retention: need LSN 71–90", null)]
    [InlineData("RC32", 100, 50, 100, RecoveryOutcome.ZeroGap, "zero_gap", null)]
    [InlineData("RC32", 70, 50, 100, RecoveryOutcome.Catchup, "gap_within_retention: need LSN 71–100", null)]
    [InlineData("RC32", 10, 50, 100, RecoveryOutcome.NeedsRebuild, "gap_beyond_retention: need LSN 11, retained from 51", null)]
    [InlineData("everything is retained", 0, 0, 100, RecoveryOutcome.Catchup, "gap_within_retention: need LSN 1–100", null)]
    [InlineData("RM5: nothing committed, nothing held", 0, 0, 0, RecoveryOutcome.ZeroGap, "zero_gap", null)]
    [InlineData("RM5: nothing committed, records held", 7, 0, 0, RecoveryOutcome.Catchup, "replica_ahead_needs_truncation", 0L)]
    public void A_replica_of_the_logs_lineage(string id, long flushed, long tail, long committed, RecoveryOutcome outcome, string reason, long? truncateTo)
    {
        var verdict = Log(tail, Math.Max(committed, flushed), committed).Classify(Replica(flushed), flushed);

        Assert.Equal((id, outcome, reason, truncateTo), (id, verdict.Outcome, verdict.Reason, verdict.TruncateToLsn));
        Assert.Equal(outcome != RecoveryOutcome.NeedsRebuild, verdict.Recoverable);
        Assert.Equal((Math.Min(flushed, committed), committed), (verdict.StartLsn, verdict.TargetLsn));
    }

    [Theory]
    [InlineData("RM10: equal LSNs", 100, 90, 1, RecoveryOutcome.Catchup, "replica_diverged_needs_truncation: last common LSN 90", 90L)]
    [InlineData("RM10: behind", 80, 60, 1, RecoveryOutcome.Catchup, "replica_diverged_needs_truncation: last common LSN 60", 60L)]
    [InlineData("RM10: ahead", 105, 90, 1, RecoveryOutcome.Catchup, "replica_diverged_needs_truncation: last common LSN 90", 90L)]
    [InlineData("RM10: ahead, common beyond what is committed", 105, 103, 1, RecoveryOutcome.Catchup, "replica_ahead_needs_truncation", 100L)]
    [InlineData("RM10: nothing in common that is retained", 100, 0, 1, RecoveryOutcome.NeedsRebuild, "gap_beyond_retention: need LSN 1, retained from 50", null)]
    [InlineData("RM10: the copy begins above", 100, 60, 71, RecoveryOutcome.NeedsRebuild, "copy_starts_too_late: to be cut to 60, begins at 71", null)]
    [InlineData("RM10: the copy is cut to nothing", 100, 70, 71, RecoveryOutcome.Catchup, "replica_diverged_needs_truncation: last common LSN 70", 70L)]
    public void A_replica_that_has_other_records(string id, long flushed, long lastCommon, long first, RecoveryOutcome outcome, string reason, long? truncateTo)
    {
        var verdict = Log(49, 110, 100).Classify(new ReplicaPosition(flushed, new RecordMark(9, 9), first), lastCommon);

        Assert.Equal((id, outcome, reason, truncateTo), (id, verdict.Outcome, verdict.Reason, verdict.TruncateToLsn));
    }

    [Theory]
    [InlineData(1, 5, true)]
    [InlineData(2, 5, false)]
    [InlineData(1, 6, false)]
    public void RM10_A_lineage_agrees_by_the_term_and_the_checksum_of_the_last_record(long term, long crc, bool agrees) =>
        Assert.Equal(agrees, new ReplicaPosition(10, new RecordMark(term, crc)).SharesLineage(new RecordMark(1, 5)));

    [Fact]
    public void RM10_A_record_that_the_log_does_not_have_proves_nothing_and_an_empty_copy_needs_no_proof()
    {
        Assert.False(new ReplicaPosition(10, new RecordMark(1, 5)).SharesLineage(null));
        Assert.True(new ReplicaPosition(0).SharesLineage(null));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(70)]
    [InlineData(120)]
    public void RM4_Where_more_is_committed_than_written_proof_and_outcome_both_say_that_nothing_is_certain(long flushed)
    {
        var verdict = Log(0, 90, 100, 100, trusted: true).Classify(Replica(flushed), flushed);

        Assert.Equal((RecoveryOutcome.NeedsRebuild, false, "history_inconsistent: committed 100 is above head 90"), (verdict.Outcome, verdict.Recoverable, verdict.Reason));
        Assert.Equal(RebuildSource.FullBase, Log(0, 90, 100, 95, trusted: true).RebuildFrom);
    }

    [Theory]
    [InlineData("RC69", 30, 50, true, RebuildSource.SnapshotTail)]
    [InlineData("RC69", 80, 50, true, RebuildSource.FullBase)]
    [InlineData("RC69", 30, 50, false, RebuildSource.FullBase)]
    [InlineData("RC69", 30, 0, true, RebuildSource.FullBase)]
    [InlineData("the log goes on right behind the snapshot", 50, 50, true, RebuildSource.SnapshotTail)]
    [InlineData("the snapshot holds what is not committed", 30, 101, true, RebuildSource.FullBase)]
    public void What_a_new_copy_is_made_from(string id, long tail, long snapshot, bool trusted, RebuildSource source) =>
        Assert.Equal((id, source), (id, Log(tail, 110, 100, snapshot, trusted).RebuildFrom));

    [Fact]
    public void RC31_The_range_of_a_session_is_what_the_log_and_the_replica_leave_open()
    {
        var sender = new LiveSender();
        var id = sender.Connecting();

        var step = sender.Step(s => s.RecordHandshake(id, Replica(70), Log(30, 90, 90), 70));

        Assert.Equal((RecoveryOutcome.Catchup, 70, 90, 70), (step.Verdict!.Outcome, sender.Session.StartLsn, sender.Session.TargetLsn, sender.Session.RecoveredTo));
    }

    [Fact]
    public void RC25_A_gap_that_the_log_cannot_close_ends_the_session()
    {
        var sender = new LiveSender();
        var id = sender.Connecting();

        var step = sender.Step(s => s.RecordHandshake(id, Replica(48), Log(49, 100, 100), 48));

        Assert.Equal((null, RecoveryOutcome.NeedsRebuild), (step.Refused, step.Verdict!.Outcome));
        Assert.Equal((ReplicaProgress.NeedsRebuild, "gap_exceeds_retention"), (sender.Now.State, sender.Session.EndedBecause));
    }

    [Fact]
    public void Without_a_log_there_is_nothing_to_judge_by_and_the_replica_needs_a_rebuild()
    {
        var sender = new LiveSender();
        var id = sender.Connecting();

        var step = sender.Step(s => s.RecordHandshake(id, Replica(48), null, 48));

        Assert.Equal(("no history", RecoveryOutcome.NeedsRebuild, ReplicaProgress.NeedsRebuild), (step.Refused, step.Verdict!.Outcome, sender.Now.State));
    }
}
