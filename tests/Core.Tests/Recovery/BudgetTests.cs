using Baton.Core.Cluster;
using Baton.Core.Recovery;

namespace Baton.Core.Tests.Recovery;

/// <summary>What a session may take.</summary>
public sealed class BudgetTests
{
    private readonly LiveSender _sender = new();

    [Theory]
    [InlineData("RC47", 10, 5, BudgetViolation.None)]
    [InlineData("RC47", 10, 10, BudgetViolation.None)]
    [InlineData("RC47", 10, 11, BudgetViolation.DurationExceeded)]
    [InlineData("RC52", 0, 999_999, BudgetViolation.None)]
    public void A_session_that_takes_longer_than_it_may_ends(string rc, long maxDuration, long tick, BudgetViolation violation)
    {
        var id = _sender.CatchingUp(0, 100, new RecoveryBudget(MaxDuration: maxDuration));

        Assert.Equal((rc, violation), (rc, _sender.Step(s => s.CheckBudget(id, tick)).Violation));
        Assert.Equal(violation == BudgetViolation.None, _sender.Now.HasActiveSession);
    }

    [Fact]
    public void A_replica_whose_session_broke_its_budget_needs_a_rebuild()
    {
        var id = _sender.CatchingUp(0, 100, new RecoveryBudget(MaxDuration: 10));

        _sender.Step(s => s.CheckBudget(id, 11));

        Assert.Equal((ReplicaProgress.NeedsRebuild, "budget_duration_exceeded"), (_sender.Now.State, _sender.Session.EndedBecause));
        Assert.Equal("session 1 not active", _sender.Do(s => s.CheckBudget(id, 12)));
    }

    [Theory]
    [InlineData("RC49", 0, 100, 20, 20, BudgetViolation.None)]
    [InlineData("RC49", 0, 100, 21, 20, BudgetViolation.EntriesExceeded)]
    [InlineData("RC50", 70, 101, 100, 50, BudgetViolation.None)]
    [InlineData("RC50", 70, 101, 100, 20, BudgetViolation.EntriesExceeded)]
    public void Records_count_from_where_the_replica_was(string rc, long start, long target, long progress, long maxEntries, BudgetViolation violation)
    {
        var id = _sender.CatchingUp(start, target, new RecoveryBudget(MaxEntries: maxEntries));
        Assert.Null(_sender.Do(s => s.RecordProgress(id, progress)));

        Assert.Equal((rc, violation), (rc, _sender.Step(s => s.CheckBudget(id, 1)).Violation));
    }

    [Theory]
    [InlineData("RC51", 17, BudgetViolation.None)]
    [InlineData("RC51", 18, BudgetViolation.ProgressStalled)]
    public void A_session_that_gets_no_further_ends(string rc, long tick, BudgetViolation violation)
    {
        var id = _sender.CatchingUp(0, 100, new RecoveryBudget(MaxStall: 5), tick: 10);
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 50, 12)));

        Assert.Equal((rc, violation), (rc, _sender.Step(s => s.CheckBudget(id, tick)).Violation));
    }

    [Fact]
    public void RC53_Where_stalls_count_progress_without_a_tick_is_refused()
    {
        var id = _sender.CatchingUp(0, 100, new RecoveryBudget(MaxStall: 5));

        Assert.Equal("tick required", _sender.Do(s => s.RecordProgress(id, 50)));
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 50, 1)));

        var rebuilt = new LiveSender();
        var rebuild = rebuilt.Rebuilding(Recoveries.Log(100), new RecoveryBudget(MaxStall: 5));
        Assert.Equal("tick required", rebuilt.Do(s => s.RecordTransfer(rebuild, 50)));
    }

    [Fact]
    public void RM6_A_tick_from_before_the_start_counts_as_no_time_passed()
    {
        var id = _sender.CatchingUp(0, 100, new RecoveryBudget(MaxDuration: 10, MaxStall: 5), tick: 1_000);

        Assert.Equal(BudgetViolation.None, _sender.Step(s => s.CheckBudget(id, 1)).Violation);
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 50, 2)));
        Assert.Equal(1_000, _sender.Session.Use!.LastProgressTick);
        Assert.Equal(BudgetViolation.None, _sender.Step(s => s.CheckBudget(id, 1_005)).Violation);
    }

    [Theory]
    [InlineData(500, BudgetViolation.None)]
    [InlineData(501, BudgetViolation.BytesExceeded)]
    public void RM12_Bytes_count_too(long bytes, BudgetViolation violation)
    {
        var id = _sender.CatchingUp(0, 100, new RecoveryBudget(MaxBytes: 1_000));
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 10, 1, 500)));
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 20, 1, bytes)));
        Assert.Equal("progress regression", _sender.Do(s => s.RecordProgress(id, 20, 1, 5_000)));

        Assert.Throws<ArgumentOutOfRangeException>(() => _sender.Now.RecordProgress(id, 30, 1, -1));

        Assert.Equal(violation, _sender.Step(s => s.CheckBudget(id, 1)).Violation);
    }

    [Fact]
    public void Time_is_named_before_records_bytes_and_stalls()
    {
        var budget = new RecoveryBudget(10, 10, 10, 10);
        var use = new BudgetUse(0, 0, 11, 11);

        Assert.Equal(BudgetViolation.DurationExceeded, budget.Check(use, 11));
        Assert.Equal(BudgetViolation.EntriesExceeded, budget.Check(use, 10));
        Assert.Equal(BudgetViolation.BytesExceeded, budget.Check(use with { Entries = 10 }, 10));
        Assert.Equal(BudgetViolation.ProgressStalled, (budget with { MaxDuration = 0 }).Check(new BudgetUse(0, 0), 11));
    }

    [Fact]
    public void A_session_that_has_converged_is_never_in_violation()
    {
        var id = _sender.CatchingUp(0, 100, new RecoveryBudget(1, 1, 1, 1));
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 100, 1, 1_000)));

        Assert.Equal(BudgetViolation.None, _sender.Step(s => s.CheckBudget(id, 999_999)).Violation);
        Assert.Null(_sender.Do(s => s.CompleteSession(id)));
    }

    [Fact]
    public void RM9_A_session_tells_the_first_tick_at_which_time_ends_it()
    {
        var id = _sender.CatchingUp(0, 100, new RecoveryBudget(MaxDuration: 20, MaxStall: 5), tick: 10);
        Assert.Equal(16, _sender.Session.Deadline);
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 50, 14)));
        Assert.Equal(20, _sender.Session.Deadline);
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 60, 28)));
        Assert.Equal(31, _sender.Session.Deadline);

        Assert.Equal(BudgetViolation.None, _sender.Step(s => s.CheckBudget(id, 30)).Violation);
        Assert.Equal(BudgetViolation.DurationExceeded, _sender.Step(s => s.CheckBudget(id, 31)).Violation);
        Assert.Null(_sender.Session.Deadline);
    }

    [Fact]
    public void RM9_A_rebuild_has_its_budget_as_well()
    {
        var id = _sender.Rebuilding(Recoveries.Log(0, 100, 100, 50, trusted: true), new RecoveryBudget(MaxEntries: 20, MaxStall: 5));

        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 50, 3)));
        Assert.Null(_sender.Do(s => s.BeginTailReplay(id)));
        Assert.Null(_sender.Do(s => s.RecordTail(id, 70, 4)));
        Assert.Equal(BudgetViolation.None, _sender.Step(s => s.CheckBudget(id, 9)).Violation);
        Assert.Null(_sender.Do(s => s.RecordTail(id, 71, 9)));
        Assert.Equal(BudgetViolation.EntriesExceeded, _sender.Step(s => s.CheckBudget(id, 9)).Violation);
        Assert.Equal((ReplicaProgress.NeedsRebuild, RebuildPhase.Aborted), (_sender.Now.State, _sender.Session.Rebuild!.Phase));
    }
}
