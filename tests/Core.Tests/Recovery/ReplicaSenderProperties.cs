using Baton.Core.Cluster;
using Baton.Core.Recovery;
using FsCheck;
using FsCheck.Fluent;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>Any calls on a sender, in any order, of sessions that are and that were.</summary>
public sealed class ReplicaSenderProperties
{
    private static readonly RetainedHistory[] Logs = [Log(10), Log(4, 10, 10), Log(4, 10, 10, 6, trusted: true), Log(0), Log(0, 9, 10)];

    /// <summary>One call.</summary>
    /// <param name="Name">Its name, to read a failing series.</param>
    /// <param name="OfSession">It belongs to a session.</param>
    /// <param name="Make">Makes it with a session's id.</param>
    private sealed record Call(string Name, bool OfSession, Func<ReplicaSender, long, SenderStep> Make);

    /// <summary>One call as it was drawn.</summary>
    /// <param name="Name">What is called; "go on" for what a driver that knows its business would call now, without which the deeper states would be reached by luck.</param>
    /// <param name="Stale">With the id of an older session.</param>
    /// <param name="Named">Any call, with the numbers drawn for this one.</param>
    private sealed record Drawn(string Name, bool Stale, Func<string, Call> Named)
    {
        public override string ToString() => Name + (Stale ? " of an older session" : "");
    }

    private static readonly Gen<Drawn> Calls =
        from name in Gen.Frequency(
            (10, Gen.Constant("go on")),
            (4, Gen.Elements("connect", "handshake", "judge", "catch up", "progress", "truncate", "complete", "budget", "source", "transfer begin", "transfer", "tail begin", "tail", "complete rebuild", "invalidate")),
            (2, Gen.Elements("attach", "supersede")),
            (1, Gen.Elements("epoch", "endpoint", "release")))
        from lsn in Gen.Choose(0, 11)
        from more in Gen.Choose(0, 11)
        from tick in Gen.Choose(0, 40)
        from kind in Gen.Elements(Enum.GetValues<SessionKind>())
        from budget in Gen.Elements(RecoveryBudget.Unlimited, new RecoveryBudget(30, 5, 0, 10))
        from log in Gen.Elements(Logs)
        from stale in Gen.Frequency((5, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new Drawn(name, stale, called => Of(called, lsn, more, tick, kind, budget, log));

    [Fact]
    public void A_session_never_goes_back_and_nothing_but_completing_one_makes_a_replica_in_sync() => Always((before, call, id, step) =>
    {
        if (before.Session is { } old && step.Sender.Session is { } now)
        {
            Assert.True(now.Id > old.Id || (now.Id == old.Id && now.Phase >= old.Phase && now.RecoveredTo >= old.RecoveredTo));
            Assert.True(now.Id != old.Id || old.IsActive || now == old, "an ended session stays as it is");
        }

        if (step.Sender.State == ReplicaProgress.InSync && before.State != ReplicaProgress.InSync)
        {
            Assert.True(call.Name is "complete" or "complete rebuild", call.Name);
            Assert.True(before.HasActiveSession && before.Session!.Id == id && step.Sender.Session is null && before.Session.HasConvergedOrHadNothingToDo());
        }
    });

    [Fact]
    public void An_active_session_is_of_the_senders_epoch_and_only_a_rebuild_leads_out_of_needing_one() => Always((before, _, _, step) =>
    {
        var after = step.Sender;
        Assert.True(!after.HasActiveSession || after.Session!.Epoch == after.Epoch);
        Assert.True(!after.HasActiveSession || after.State != ReplicaProgress.NeedsRebuild || after.Session!.Kind == SessionKind.Rebuild);
        Assert.True(before.State != ReplicaProgress.NeedsRebuild || after.State == ReplicaProgress.NeedsRebuild || (after.IsInSync && before.Session!.Kind == SessionKind.Rebuild));
        Assert.True(after.Epoch >= before.Epoch);
        Assert.True(!before.IsInSync || !after.IsInSync || (before.Epoch == after.Epoch && before.Endpoint == after.Endpoint));
    });

    [Fact]
    public void A_stale_session_and_a_refused_call_change_nothing() => Always((before, call, id, step) =>
    {
        if (call.OfSession && before.Session?.Id != id)
        {
            Assert.True(step.Refused is Refusals.NoActiveSession or Refusals.SessionIdMismatch, step.Refused);
        }

        Assert.True(step.Refused is null or Refusals.NoHistory || ReferenceEquals(before, step.Sender));
    });

    [Fact]
    public void There_is_never_a_second_session_beside_an_active_one() => Always((before, call, _, step) =>
        Assert.True(!before.HasActiveSession || step.Sender.Session is null || step.Sender.Session.Id == before.Session!.Id || call.Name == "supersede"));

    [Fact]
    public void A_verdict_and_its_proof_agree_and_a_converged_session_breaks_no_budget() => Always((before, _, _, step) =>
    {
        if (step.Verdict is { } verdict)
        {
            Assert.Equal(verdict.Recoverable, step.Sender.HasActiveSession);
            Assert.Equal(!verdict.Recoverable, step.Sender.State == ReplicaProgress.NeedsRebuild);
        }

        Assert.True(step.Violation == BudgetViolation.None || !before.Session!.HasConverged);
    });

    [Fact]
    public void What_is_left_of_a_sender_as_JSON_goes_on_like_the_sender() => Always((before, call, id, step) =>
    {
        Assert.Equal(before, Kept(before));
        Assert.Equal(step, call.Make(Kept(before), id));
    });

    [Fact]
    public void The_series_reach_every_state_every_phase_and_both_ends_of_a_rebuild()
    {
        var all = Enum.GetValues<ReplicaProgress>().Except([ReplicaProgress.Degraded]).Cast<object>()
            .Concat(Enum.GetValues<SessionPhase>().Cast<object>())
            .Concat(Enum.GetValues<RebuildPhase>().Cast<object>())
            .Append(BudgetViolation.DurationExceeded)
            .Append(BudgetViolation.EntriesExceeded)
            .ToHashSet();
        var seen = new HashSet<object>();

        // Nearly always one time is enough.
        for (var times = 0; times < 30 && !seen.IsSupersetOf(all); times++)
        {
            Always((before, _, _, step) => seen.UnionWith(
            [
                step.Sender.State,
                step.Sender.Session?.Phase ?? SessionPhase.Completed,
                step.Sender.Session?.Rebuild?.Phase ?? (before.Session?.Rebuild is not null && step.Sender.IsInSync ? RebuildPhase.Completed : RebuildPhase.Init),
                step.Violation,
            ]));
        }

        Assert.Empty(all.Except(seen));
    }

    [Fact]
    public void Outcome_reason_and_range_of_any_verdict_fit_together() => Prop.ForAll(
        (from numbers in Gen.Choose(0, 12).ArrayOf(6)
         select (Log: Log(numbers[0], numbers[1], numbers[2]), Replica: new ReplicaPosition(numbers[3], Mark(numbers[3]), 1 + Math.Min(numbers[3], numbers[4])), Common: Math.Min(numbers[3], numbers[5]))).ToArbitrary(),
        drawn =>
        {
            var (log, replica, common) = drawn;
            var verdict = log.Classify(replica, common);

            Assert.Equal(verdict.Outcome != RecoveryOutcome.NeedsRebuild, verdict.Recoverable);
            Assert.Equal(verdict.Outcome == RecoveryOutcome.ZeroGap, verdict.Reason == "zero_gap");
            Assert.True(verdict.Outcome != RecoveryOutcome.ZeroGap || (replica.FlushedLsn == log.CommittedLsn && common == replica.FlushedLsn));
            Assert.True(!verdict.Recoverable || (log.IsConsistent && verdict.StartLsn <= verdict.TargetLsn && verdict.TargetLsn == log.CommittedLsn));
            Assert.True(verdict.Outcome != RecoveryOutcome.Catchup || verdict.StartLsn >= log.TailLsn, "what is to be fetched is retained");
            Assert.Equal(verdict.Outcome == RecoveryOutcome.Catchup && replica.FlushedLsn > Math.Min(common, log.CommittedLsn), verdict.TruncateToLsn is not null);
            Assert.True(verdict.TruncateToLsn is not { } cut || (cut == verdict.StartLsn && cut <= common && cut >= replica.FirstLsn - 1));
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2_000));

    private static void Always(Action<ReplicaSender, Call, long, SenderStep> holds) => Prop.ForAll(Calls.ListOf(60).ToArbitrary(), series =>
    {
        var (sender, lastSessionId) = (Sender(), 0L);
        foreach (var drawn in series)
        {
            var call = drawn.Name == "go on" ? OnwardFrom(sender, drawn.Named) : drawn.Named(drawn.Name);
            var id = call.OfSession ? (sender.Session?.Id ?? lastSessionId) - (drawn.Stale ? 1 : 0) : lastSessionId + 1;
            var step = call.Make(sender, id);
            holds(sender, call, id, step);
            sender = step.Sender;
            lastSessionId = Math.Max(lastSessionId, sender.Session?.Id ?? 0);
        }

        return true;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static Call OnwardFrom(ReplicaSender sender, Func<string, Call> named) => sender.Session switch
    {
        not { IsActive: true } => named("attach"),
        { Phase: SessionPhase.Init } => named("connect"),
        { Phase: SessionPhase.Connecting, Kind: SessionKind.Rebuild } => named("handshake"),
        { Phase: SessionPhase.Connecting } => named("judge"),
        { MustTruncate: true, TruncateToLsn: { } cut } => new Call("truncate", true, (s, id) => s.RecordTruncation(id, cut)),
        { Rebuild: { } rebuild } s => rebuild.Phase switch
        {
            RebuildPhase.Init => named("source"),
            RebuildPhase.SourceSelect => named("transfer begin"),
            _ when rebuild.IsReady => named("complete rebuild"),
            RebuildPhase.Transfer when rebuild.Source == RebuildSource.SnapshotTail && rebuild.ReachedLsn >= rebuild.BaseLsn => named("tail begin"),
            RebuildPhase.Transfer => new Call("transfer", true, (x, id) => x.RecordTransfer(id, rebuild.BaseLsn, s.Use!.LastProgressTick)),
            _ => new Call("tail", true, (x, id) => x.RecordTail(id, rebuild.TargetLsn, s.Use!.LastProgressTick)),
        },
        { Phase: SessionPhase.Handshake } s => named(s.StartLsn == s.TargetLsn ? "complete" : "catch up"),
        { HasConverged: true } => named("complete"),
        { } s => new Call("progress", true, (x, id) => x.RecordProgress(id, s.RecoveredTo + 1, s.Use!.LastProgressTick)),
    };

    private static Call Of(string name, long lsn, long more, long tick, SessionKind kind, RecoveryBudget budget, RetainedHistory log)
    {
        Call Session(Func<ReplicaSender, long, SenderStep> make) => new(name, true, make);
        Call Other(Func<ReplicaSender, long, SenderStep> make) => new(name, false, make);
        return name switch
        {
            "attach" => Other((s, id) => s.Attach(id, s.Epoch, s.State == ReplicaProgress.NeedsRebuild && lsn > 2 ? SessionKind.Rebuild : kind, budget)),
            "supersede" => Other((s, id) => s.Supersede(id, kind, budget)),
            "epoch" => Other((s, _) => new SenderStep(s.UpdateEpoch(lsn))),
            "endpoint" => Other((s, _) => new SenderStep(s.UpdateEndpoint(Endpoint(version: lsn % 3)))),
            "release" => Other((s, _) => new SenderStep(s.ReleaseRetention())),
            "connect" => Session((s, id) => s.BeginConnect(id)),
            "handshake" => Session((s, id) => s.RecordHandshake(id, Math.Min(lsn, more), 10)),
            "judge" => Session((s, id) => s.RecordHandshake(id, Replica(lsn), tick == 0 ? null : log, more % 4 == 0 ? Math.Min(lsn, more) : lsn)),
            "catch up" => Session((s, id) => s.BeginCatchUp(id, tick)),
            "progress" => Session((s, id) => s.RecordProgress(id, lsn, more == 0 ? null : tick, more)),
            "truncate" => Session((s, id) => s.RecordTruncation(id, lsn)),
            "complete" => Session((s, id) => s.CompleteSession(id)),
            "budget" => Session((s, id) => s.CheckBudget(id, tick)),
            "source" => Session((s, id) => s.SelectSource(id, log)),
            "transfer begin" => Session((s, id) => s.BeginTransfer(id, tick)),
            "transfer" => Session((s, id) => s.RecordTransfer(id, lsn, tick, more)),
            "tail begin" => Session((s, id) => s.BeginTailReplay(id)),
            "tail" => Session((s, id) => s.RecordTail(id, lsn, tick, more)),
            "complete rebuild" => Session((s, id) => s.CompleteRebuild(id)),
            "invalidate" => Session((s, id) => s.Invalidate(id, "drawn")),
            _ => throw new InvalidOperationException(name),
        };
    }
}

internal static class Convergence
{
    public static bool HasConvergedOrHadNothingToDo(this RecoverySession session) => session.HasConverged || (session.StartLsn == session.TargetLsn && !session.MustTruncate);
}
