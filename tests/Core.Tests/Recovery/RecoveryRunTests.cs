using Baton.Core.Cluster;
using Baton.Core.Recovery;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>Sessions from connecting to their end, with everything around them answering as told. Every run is kept as JSON between any two steps.</summary>
public sealed class RecoveryRunTests
{
    private readonly List<RecoveryEvent> _log = [];

    [Fact]
    public void RC70_One_pin_holds_what_the_session_needs_and_is_released()
    {
        var world = new World(committed: 100, flushed: 70, tail: 30);

        var run = Runs.ToTheEnd(Runs.Of(SessionKind.Catchup), world, _log);

        Assert.Equal(["pin 71-100", "unpin"], world.Pins);
        Assert.Equal((ReplicaProgress.InSync, PinState.Released), (run.Sender.State, run.Pin));
        Assert.True(world.HasTheLog);
    }

    [Fact]
    public void RC71_A_replica_that_has_everything_needs_no_pin()
    {
        var world = new World(committed: 100, flushed: 100, tail: 30);

        var run = Runs.ToTheEnd(Runs.Of(SessionKind.Catchup), world, _log);

        Assert.Empty(world.Pins);
        Assert.Equal((ReplicaProgress.InSync, PinState.None), (run.Sender.State, run.Pin));
        Assert.Equal(["connected", "handshake outcome=zero_gap", "completed zero_gap"], Written);
    }

    [Fact]
    public void RC72_Without_its_pin_a_session_ends_and_says_nothing_of_the_copy()
    {
        var run = Runs.Until(RecoveryActionKind.Pin, Runs.Of(SessionKind.Catchup), new World(100, 70, 30));

        run = Runs.Once(run, r => r.Refused("retention is past LSN 71", 9), _log);

        Assert.Equal((ReplicaProgress.Disconnected, false, PinState.None, true), (run.Sender.State, run.Sender.HasActiveSession, run.Pin, run.IsOver));
        Assert.Equal(["pin_failed retention is past LSN 71"], Written);
    }

    [Fact]
    public void RC75_A_replica_that_reports_more_than_it_was_asked_for_ends_the_session_and_frees_its_pin()
    {
        var world = new World(100, 70, 30);
        new[] { 80L, 90, 101 }.ToList().ForEach(world.Reports.Enqueue);

        var run = Runs.ToTheEnd(Runs.Of(SessionKind.Catchup), world, _log);

        Assert.Equal(["pin 71-100", "unpin"], world.Pins);
        Assert.Equal(ReplicaProgress.Disconnected, run.Sender.State);
        Assert.Equal(["catchup_progress_failed exceeds frozen target: at 101 after 90", "pins_released"], Written.TakeLast(2));
    }

    [Fact]
    public void RC77_A_higher_epoch_after_the_second_step_ends_the_session_and_frees_its_pin()
    {
        var world = new World(100, 70, 30);
        new[] { 80L, 90 }.ToList().ForEach(world.Reports.Enqueue);
        var run = Runs.Until(RecoveryActionKind.CatchUp, Runs.Of(SessionKind.Catchup), world, _log);
        run = Runs.Once(Runs.Once(run, world.Answer, _log), world.Answer, _log);
        Assert.Equal(90, run.Sender.Session!.RecoveredTo);

        run = Runs.Once(run, r => r.BumpEpoch(2), _log);
        Assert.Empty(run.Progressed(95, 0, 9).Events);
        run = Runs.ToTheEnd(run, world, _log);

        Assert.Equal(["pin 71-100", "unpin"], world.Pins);
        Assert.Equal((ReplicaProgress.Disconnected, 2), (run.Sender.State, run.Sender.Epoch));
        Assert.Equal(["session_invalidated epoch_bump_to_2", "pins_released"], Written.TakeLast(2));
    }

    [Theory]
    [InlineData(RecoveryActionKind.CatchUp)]
    [InlineData(RecoveryActionKind.Pin)]
    [InlineData(RecoveryActionKind.Verify)]
    public void RC78_A_session_that_is_cancelled_frees_its_pin_even_one_whose_answer_has_not_come(RecoveryActionKind at)
    {
        var world = new World(100, 70, 30);
        var run = Runs.Until(at, Runs.Of(SessionKind.Catchup), world, _log);

        run = Runs.Once(run, r => r.Cancel(), _log);
        Assert.Empty(run.Pinned(9).Events);
        run = Runs.ToTheEnd(run, world, _log);

        Assert.Equal("unpin", Assert.Single(world.Pins, p => p == "unpin"));
        Assert.Equal(["session_invalidated cancelled", "pins_released"], Written.TakeLast(2));
        Assert.Empty(run.Cancel().Events);
        Assert.Empty(run.Unpinned().Events);
    }

    [Fact]
    public void RC82_The_log_of_a_session_that_goes_well()
    {
        var registry = new ReplicaRegistry(new RecoveryLog());
        registry.Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));

        Runs.ToTheEnd(Runs.Of(registry.Find(Key())!), new World(100, 70, 30), _log);

        Assert.Equal(
            [
                "connected",
                "handshake outcome=catchup",
                "history_pinned from=71 target=100",
                "catchup_started target=100 start=70",
                "completed in_sync",
                "pins_released",
            ],
            Written);
        Assert.All(_log, e => Assert.Equal((Channel, "n1", 1), (e.Channel, e.Replica, e.SessionId)));
    }

    [Theory]
    [InlineData("RC58", 105, 100, "truncation_recorded truncated_to=100")]
    [InlineData("RM10: equal LSNs", 100, 90, "truncation_recorded truncated_to=90")]
    [InlineData("RM10: behind", 80, 60, "truncation_recorded truncated_to=60")]
    [InlineData("RM10: ahead", 105, 90, "truncation_recorded truncated_to=90")]
    public void A_replica_with_records_that_are_not_the_logs_is_cut_and_then_in_sync(string rc, long flushed, long common, string written)
    {
        var world = new World(100, flushed, 49, common: common);

        var run = Runs.ToTheEnd(Runs.Of(SessionKind.Catchup), world, _log);

        Assert.Equal((rc, ReplicaProgress.InSync, true), (rc, run.Sender.State, world.HasTheLog));
        Assert.Contains(written, Written);
        Assert.Contains("completed in_sync", Written);
    }

    [Theory]
    [InlineData("zero_gap", 100, 0)]
    [InlineData("the copy ends where the log begins", 49, 49)]
    [InlineData("far behind", 3, 49)]
    public void RM10_Nothing_is_taken_for_granted_where_the_last_record_differs_or_is_gone(string what, long flushed, long tail)
    {
        var world = new World(100, flushed, tail, common: 0);

        var run = Runs.ToTheEnd(Runs.Of(SessionKind.Catchup), world, _log);

        Assert.DoesNotContain("handshake outcome=zero_gap", Written);
        Assert.Equal((what, tail == 0 ? ReplicaProgress.InSync : ReplicaProgress.NeedsRebuild), (what, run.Sender.State));
        Assert.Equal(tail == 0, world.HasTheLog);
    }

    [Fact]
    public void RC56_RM8_A_replica_that_was_cut_elsewhere_is_told_again()
    {
        var world = new World(100, 105, 49, common: 100);
        var run = Runs.Until(RecoveryActionKind.Truncate, Runs.Of(SessionKind.Catchup), world);

        run = Runs.Once(run, r => r.Truncated(99, 5), _log);

        Assert.Equal(["truncation_failed LSN mismatch: cut to 99"], Written);
        Assert.Equal(RecoveryActionKind.Truncate, run.Next.Kind);
        Assert.Equal(ReplicaProgress.InSync, Runs.ToTheEnd(run, world).Sender.State);
    }

    [Fact]
    public void RC59_Without_its_cut_a_replica_is_not_called_in_sync_whatever_is_said()
    {
        var run = Runs.Until(RecoveryActionKind.Truncate, Runs.Of(SessionKind.Catchup), new World(100, 105, 49, common: 100));

        run = Runs.Once(run, r => r.Verified(Mark(100), Mark(100), 5), _log);

        Assert.Equal(["completion_rejected completion rejected: truncate is still to be done"], Written);
        Assert.Equal((ReplicaProgress.CatchingUp, RecoveryActionKind.Truncate), (run.Sender.State, run.Next.Kind));
    }

    [Theory]
    [InlineData(SessionKind.Catchup, "completion_rejected")]
    [InlineData(SessionKind.Rebuild, "rebuild_failed")]
    public void A_copy_whose_last_record_is_not_the_logs_is_not_in_sync(SessionKind kind, string written)
    {
        var world = new World(100, 70, 30);
        var run = Runs.Until(RecoveryActionKind.Verify, Runs.Of(kind), world, _log);

        run = Runs.ToTheEnd(Runs.Once(run, r => r.Verified(new RecordMark(1, 1), Mark(100), 9), _log), world, _log);

        Assert.Equal([$"{written} the record at LSN 100 is not the log's", "pins_released"], Written.TakeLast(2));
        Assert.Equal(kind == SessionKind.Rebuild ? ReplicaProgress.NeedsRebuild : ReplicaProgress.Disconnected, run.Sender.State);
    }

    [Fact]
    public void RC54_A_replica_that_answers_when_its_time_is_over_is_too_late_with_all_that_it_has()
    {
        var world = new World(1_000, 500);
        var run = Runs.Until(RecoveryActionKind.CatchUp, Runs.Of(SessionKind.Catchup, new RecoveryBudget(MaxDuration: 5)), world, _log);
        var began = run.Sender.Session!.Use!.StartTick;

        run = Runs.ToTheEnd(Runs.Once(run, r => r.Progressed(1_000, 0, began + 10), _log), world, _log);

        Assert.Equal(["budget_escalated duration_exceeded", "pins_released"], Written.TakeLast(2));
        Assert.Equal(ReplicaProgress.NeedsRebuild, run.Sender.State);
    }

    [Fact]
    public void RM9_A_timer_ends_a_session_of_which_nothing_is_heard_while_it_transfers()
    {
        var world = new World(1_000, 500);
        var run = Runs.Until(RecoveryActionKind.CatchUp, Runs.Of(SessionKind.Catchup, new RecoveryBudget(MaxDuration: 50, MaxStall: 5)), world, _log);
        var deadline = run.Deadline!.Value;

        Assert.Empty(run.Waited(deadline - 1).Events);
        run = Runs.Once(run, r => r.Waited(deadline), _log);

        Assert.Equal("budget_escalated progress_stalled", Written[^1]);
        Assert.Equal((ReplicaProgress.NeedsRebuild, RecoveryActionKind.Unpin, null), (run.Sender.State, run.Next.Kind, run.Deadline));
    }

    [Theory]
    [InlineData(RecoveryActionKind.Connect, SessionKind.Catchup, "connect_failed")]
    [InlineData(RecoveryActionKind.Connect, SessionKind.Rebuild, "rebuild_connect_failed")]
    [InlineData(RecoveryActionKind.Handshake, SessionKind.Catchup, "handshake_failed")]
    [InlineData(RecoveryActionKind.Handshake, SessionKind.Rebuild, "rebuild_source_failed")]
    [InlineData(RecoveryActionKind.FindCommon, SessionKind.Catchup, "handshake_failed")]
    [InlineData(RecoveryActionKind.Pin, SessionKind.Catchup, "pin_failed")]
    [InlineData(RecoveryActionKind.Pin, SessionKind.Rebuild, "pin_failed")]
    [InlineData(RecoveryActionKind.Verify, SessionKind.Catchup, "completion_rejected")]
    public void Where_nobody_answers_before_or_after_the_transfer_the_session_ends_in_time_and_says_nothing_of_the_copy(RecoveryActionKind at, SessionKind kind, string written)
    {
        var world = new World(100, 80, 49, common: 60);
        var run = Runs.Until(at, Runs.Of(kind, new RecoveryBudget(MaxDuration: 1_000)), world);
        var deadline = run.Deadline!.Value;

        Assert.Empty(run.Waited(deadline - 1).Events);
        run = Runs.ToTheEnd(Runs.Once(run, r => r.Waited(deadline), _log), world, _log);

        Assert.Equal($"{written} no answer within the budget", Written[0]);
        Assert.Equal(ReplicaProgress.Disconnected, run.Sender.State);
    }

    [Theory]
    [InlineData(RecoveryActionKind.Connect, SessionKind.Catchup, "connect_failed")]
    [InlineData(RecoveryActionKind.FindCommon, SessionKind.Catchup, "handshake_failed")]
    [InlineData(RecoveryActionKind.Truncate, SessionKind.Catchup, "truncation_failed")]
    [InlineData(RecoveryActionKind.CatchUp, SessionKind.Catchup, "catchup_progress_failed")]
    [InlineData(RecoveryActionKind.Rebuild, SessionKind.Rebuild, "rebuild_failed")]
    [InlineData(RecoveryActionKind.Verify, SessionKind.Rebuild, "rebuild_failed")]
    public void What_is_refused_for_good_ends_the_session_with_its_reason(RecoveryActionKind at, SessionKind kind, string written)
    {
        var world = new World(100, 80, 49, common: 60);
        var run = Runs.Until(at, Runs.Of(kind), world);
        var pinned = world.Pins.Count;

        run = Runs.ToTheEnd(Runs.Once(run, r => r.Refused("409", 50), _log), world, _log);

        Assert.Equal($"{written} 409", Written[0]);
        Assert.Equal((written, 2 * pinned), (run.Sender.Session!.EndedBecause, world.Pins.Count));
    }

    [Theory]
    [InlineData(0, "full_base", "pin 1-100")]
    [InlineData(50, "snapshot_tail", "pin 51-100")]
    public void A_rebuild_from_its_source_to_the_target(long snapshot, string source, string pin)
    {
        var world = new World(100, 80, 0, snapshot, common: 0);
        new[] { 70L, 70, 99 }.ToList().ForEach(world.Reports.Enqueue);

        var run = Runs.ToTheEnd(Runs.Of(SessionKind.Rebuild), world, _log);

        Assert.Equal([pin, "unpin"], world.Pins);
        Assert.Equal((ReplicaProgress.InSync, true), (run.Sender.State, world.HasTheLog));
        Assert.Equal(["rebuild_connected", $"rebuild_source_selected kind={source}", $"history_pinned from={pin[4..^4]} target=100", "rebuild_completed in_sync", "pins_released"], Written);
    }

    [Fact]
    public void RM5_A_rebuild_to_nothing_drops_the_old_copy_first()
    {
        var world = new World(0, 8, common: 0);
        var run = Runs.Until(RecoveryActionKind.Rebuild, Runs.Of(SessionKind.Rebuild), world);

        run = Runs.ToTheEnd(run, world);

        Assert.Equal((ReplicaProgress.InSync, true), (run.Sender.State, world.HasTheLog));
    }

    [Theory]
    [InlineData(true, "no history")]
    [InlineData(false, "history_inconsistent")]
    public void A_rebuild_needs_a_log_to_be_made_from(bool none, string reason)
    {
        var run = Runs.Until(RecoveryActionKind.Handshake, Runs.Of(SessionKind.Rebuild), new World(100, 80));

        Runs.Once(run, r => r.Handshaken(Replica(80), none ? null : Log(0, 90, 100), null, 5), _log);

        Assert.Equal([$"rebuild_source_failed {reason}"], Written);
    }

    [Fact]
    public void Without_a_log_a_replica_is_not_judged_and_needs_a_rebuild()
    {
        var run = Runs.Until(RecoveryActionKind.Handshake, Runs.Of(SessionKind.Catchup), new World(100, 80));

        run = Runs.Once(run, r => r.Handshaken(Replica(80), null, null, 5), _log);

        Assert.Equal(["handshake_failed no history", "escalated needs_rebuild: no_history"], Written);
        Assert.Equal((ReplicaProgress.NeedsRebuild, true), (run.Sender.State, run.IsOver));
    }

    [Fact]
    public void A_gap_beyond_what_is_retained_is_escalated()
    {
        var run = Runs.ToTheEnd(Runs.Of(SessionKind.Catchup), new World(100, 10, 49), _log);

        Assert.Equal(["connected", "handshake outcome=needs_rebuild", "escalated needs_rebuild: gap_beyond_retention: need LSN 1, retained from 50"], Written);
        Assert.Equal(ReplicaProgress.NeedsRebuild, run.Sender.State);
    }

    [Fact]
    public void Answers_to_what_was_not_asked_change_nothing()
    {
        var run = Runs.Of(SessionKind.Catchup);

        Assert.All(
            new Func<RecoveryRun, RunStep>[]
            {
                r => r.Handshaken(Replica(1), Log(1), Mark(1), 1), r => r.CommonFound(1, 1), r => r.Pinned(1), r => r.Truncated(1, 1), r => r.Progressed(1, 1, 1), r => r.Verified(null, null, 1), r => r.Unpinned(),
            },
            answer => Assert.Equal((run, 0), (answer(run).Run, answer(run).Events.Count)));
    }

    [Fact]
    public void A_replica_that_moves_is_stopped_or_loses_its_hold_on_the_log_ends_its_session()
    {
        var world = new World(100, 70, 30);
        var run = Runs.Until(RecoveryActionKind.CatchUp, Runs.Of(SessionKind.Catchup), world);

        Assert.Equal(
            ["endpoint_changed", "sender_stopped", "retention_released"],
            new[] { run.ChangeEndpoint(Endpoint(version: 2)), run.Stop(), run.ReleaseRetention() }.Select(s => Assert.Single(s.Events).Detail));
        Assert.Equal(RecoveryActionKind.Unpin, run.Stop().Run.Next.Kind);
        Assert.Equal(ReplicaProgress.NeedsRebuild, run.ReleaseRetention().Run.Sender.State);
    }

    [Fact]
    public void A_run_needs_a_session_that_is_yet_to_begin() => Assert.Throws<ArgumentException>(() => Runs.Of(Sender()));

    private List<string> Written => [.. _log.Select(e => $"{e.Event} {e.Detail}".TrimEnd())];
}
