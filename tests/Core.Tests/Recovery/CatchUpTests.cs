using Baton.Core.Cluster;
using Baton.Core.Recovery;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>Bringing an existing copy up to date, and cutting it first where it must be.</summary>
public sealed class CatchUpTests
{
    private readonly LiveSender _sender = new();

    [Fact]
    public void RC36_A_replica_that_reaches_the_target_in_steps_is_in_sync()
    {
        var id = _sender.CatchingUp(70, 100);

        Assert.Null(_sender.Do(s => s.RecordProgress(id, 85)));
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 100)));
        Assert.Null(_sender.Do(s => s.CompleteSession(id)));

        Assert.Equal((ReplicaProgress.InSync, null), (_sender.Now.State, _sender.Now.Session));
        Assert.Equal("no active session", _sender.Do(s => s.CompleteSession(id)));
    }

    [Fact]
    public void RC37_Half_way_is_not_enough()
    {
        var id = _sender.CatchingUp(0, 100);
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 50)));

        Assert.Equal("completion rejected", _sender.Do(s => s.CompleteSession(id)));
        Assert.Equal(ReplicaProgress.CatchingUp, _sender.Now.State);
    }

    [Fact]
    public void RC38_RC39_A_session_that_knows_no_range_cannot_complete()
    {
        var id = _sender.Attach();
        Assert.Equal(("RC38", "completion rejected"), ("RC38", _sender.Do(s => s.CompleteSession(id))));

        Assert.Null(_sender.Do(s => s.BeginConnect(id)));
        Assert.Equal(("RC39", "completion rejected"), ("RC39", _sender.Do(s => s.CompleteSession(id))));
        Assert.Equal(ReplicaProgress.Connecting, _sender.Now.State);
    }

    [Theory]
    [InlineData("RC40", 5, 20, Refusals.CompletionRejected)]
    [InlineData("RC40", 10, 10, null)]
    public void From_the_handshake_only_a_session_with_nothing_to_do_completes(string rc, long start, long target, string? refused)
    {
        var id = _sender.Handshaken(start, target);

        Assert.Equal((rc, refused), (rc, _sender.Do(s => s.CompleteSession(id))));
    }

    [Theory]
    [InlineData("RC41", 20, 5)]
    [InlineData("below the log", -1, 5)]
    public void A_range_that_ends_before_it_begins_is_refused(string rc, long start, long target)
    {
        var id = _sender.Connecting();

        Assert.Equal((rc, "invalid range"), (rc, _sender.Do(s => s.RecordHandshake(id, start, target))));
        Assert.Null(_sender.Do(s => s.RecordHandshake(id, 5, 20)));
    }

    [Fact]
    public void RC43_Progress_rises_or_is_refused()
    {
        var id = _sender.CatchingUp(0, 100);
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 50)));

        Assert.Equal("progress regression", _sender.Do(s => s.RecordProgress(id, 30)));
        Assert.Equal("progress regression", _sender.Do(s => s.RecordProgress(id, 50)));
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 60)));
        Assert.Equal(60, _sender.Session.RecoveredTo);
    }

    [Theory]
    [InlineData("RC44", 50, null)]
    [InlineData("RC44", 51, Refusals.ExceedsFrozenTarget)]
    public void A_session_goes_no_further_than_it_set_out_to(string rc, long lsn, string? refused)
    {
        var id = _sender.CatchingUp(0, 50);

        Assert.Equal((rc, refused), (rc, _sender.Do(s => s.RecordProgress(id, lsn))));
    }

    public static TheoryData<string, Func<ReplicaSender, ReplicaSender>> Interruptions => new()
    {
        { "RC45", s => s.UpdateEpoch(2) },
        { "RC46", s => s.UpdateEndpoint(Endpoint(version: 2)) },
    };

    [Theory]
    [MemberData(nameof(Interruptions))]
    public void What_comes_in_the_middle_ends_the_session_and_another_one_works(string rc, Func<ReplicaSender, ReplicaSender> interruption)
    {
        var old = _sender.CatchingUp(0, 100);
        Assert.Null(_sender.Do(s => s.RecordProgress(old, 50)));
        _sender.Become(interruption);

        Assert.Equal((rc, "session 1 not active"), (rc, _sender.Do(s => s.RecordProgress(old, 60))));
        Assert.Equal(ReplicaProgress.Disconnected, _sender.Now.State);

        var id = _sender.CatchingUp(50, 100);
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 100)));
        Assert.Null(_sender.Do(s => s.CompleteSession(id)));
        Assert.Equal(ReplicaProgress.InSync, _sender.Now.State);
    }

    [Fact]
    public void A_call_of_another_phase_is_refused()
    {
        var id = _sender.Attach();
        Assert.Equal("wrong phase", _sender.Do(s => s.RecordHandshake(id, 0, 5)));
        Assert.Equal("wrong phase", _sender.Do(s => s.BeginCatchUp(id, 0)));
        Assert.Equal("wrong phase", _sender.Do(s => s.RecordProgress(id, 5)));

        Assert.Null(_sender.Do(s => s.BeginConnect(id)));
        Assert.Equal("wrong phase", _sender.Do(s => s.BeginConnect(id)));
        Assert.All(OwnershipTests.EveryCall(id).TakeLast(6), call => Assert.Equal("not a rebuild session", _sender.Do(call)));
    }

    [Fact]
    public void RC55_A_replica_that_is_ahead_is_not_in_sync_before_it_is_cut()
    {
        var id = Ahead();
        Assert.Equal((100, 100, 100), (_sender.Session.StartLsn, _sender.Session.TargetLsn, _sender.Session.TruncateToLsn));

        Assert.Equal("completion rejected", _sender.Do(s => s.CompleteSession(id)));
        Assert.Null(_sender.Do(s => s.BeginCatchUp(id, 0)));
        Assert.Equal("completion rejected", _sender.Do(s => s.CompleteSession(id)));

        Assert.Null(_sender.Do(s => s.RecordTruncation(id, 100)));
        Assert.Null(_sender.Do(s => s.CompleteSession(id)));
        Assert.Equal(ReplicaProgress.InSync, _sender.Now.State);
    }

    [Theory]
    [InlineData("RC56", 99)]
    [InlineData("RM8", 101)]
    public void RM8_A_cut_elsewhere_is_refused_and_the_right_one_may_follow(string rc, long lsn)
    {
        var id = Ahead();

        Assert.Equal((rc, "LSN mismatch"), (rc, _sender.Do(s => s.RecordTruncation(id, lsn))));
        Assert.Null(_sender.Do(s => s.RecordTruncation(id, 100)));
        Assert.Null(_sender.Do(s => s.CompleteSession(id)));
    }

    [Fact]
    public void RC57_A_replica_that_is_behind_is_not_to_be_cut()
    {
        var id = _sender.Connecting();
        Assert.NotNull(_sender.Step(s => s.RecordHandshake(id, Replica(80), Log(49, 100, 100), 80)).Verdict);

        Assert.Equal("truncation not required", _sender.Do(s => s.RecordTruncation(id, 80)));
    }

    [Fact]
    public void RM10_No_record_follows_others_that_are_still_to_be_dropped()
    {
        var id = _sender.Connecting();
        Assert.Null(_sender.Do(s => s.RecordHandshake(id, Replica(80), Log(49, 100, 100), 60)));
        Assert.Null(_sender.Do(s => s.BeginCatchUp(id, 0)));

        Assert.Equal("truncation required", _sender.Do(s => s.RecordProgress(id, 90)));
        Assert.Null(_sender.Do(s => s.RecordTruncation(id, 60)));
        Assert.Null(_sender.Do(s => s.RecordProgress(id, 61)));
    }

    [Fact]
    public void RM5_With_nothing_committed_a_replica_with_records_is_in_sync_at_0_once_it_has_none()
    {
        var id = _sender.Connecting();
        Assert.Null(_sender.Do(s => s.RecordHandshake(id, Replica(7), Log(0, 9, 0), 7)));

        Assert.Equal("completion rejected", _sender.Do(s => s.CompleteSession(id)));
        Assert.Equal("LSN mismatch", _sender.Do(s => s.RecordTruncation(id, 7)));
        Assert.Null(_sender.Do(s => s.RecordTruncation(id, 0)));
        Assert.Null(_sender.Do(s => s.CompleteSession(id)));
    }

    [Fact]
    public void RM5_With_nothing_committed_a_new_replica_is_in_sync_at_0()
    {
        var id = _sender.Connecting(SessionKind.Bootstrap);
        Assert.Equal(RecoveryOutcome.ZeroGap, _sender.Step(s => s.RecordHandshake(id, Replica(0), Log(0), 0)).Verdict!.Outcome);

        Assert.Null(_sender.Do(s => s.CompleteSession(id)));
        Assert.True(_sender.Now.IsInSync);
    }

    /// <summary>R105 C100.</summary>
    private long Ahead()
    {
        var id = _sender.Connecting();
        Assert.Null(_sender.Do(s => s.RecordHandshake(id, Replica(105), Log(49, 105, 100), 105)));
        return id;
    }
}
