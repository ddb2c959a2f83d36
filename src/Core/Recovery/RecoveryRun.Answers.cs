namespace Baton.Core.Recovery;

/// <content>What came of the actions. A tick comes with each: time that passed while something was done counts before what was done, or a budget would be asked only once it is too late.</content>
public sealed partial record RecoveryRun
{
    /// <summary>The replica is bound to the session.</summary>
    public RunStep Connected(long tick) => On(tick, [RecoveryActionKind.Connect], run =>
        run.Did(run.Sender.BeginConnect(SessionId), IsRebuild ? RecoveryEvents.RebuildConnected : RecoveryEvents.Connected));

    /// <summary>The replica and the log have said what they have.</summary>
    /// <param name="replica">What the replica has.</param>
    /// <param name="history">What the log has; null where there is no log.</param>
    /// <param name="inLog">The log's record at the replica's last LSN; null where it has none.</param>
    /// <param name="tick">When.</param>
    public RunStep Handshaken(ReplicaPosition replica, RetainedHistory? history, RecordMark? inLog, long tick)
    {
        ArgumentNullException.ThrowIfNull(replica);
        return On(tick, [RecoveryActionKind.Handshake], run =>
            IsRebuild ? run.SelectSource(history)
            : history is null || replica.SharesLineage(inLog) ? run.Judge(replica, history, replica.FlushedLsn, tick)
            : replica.FlushedLsn < history.TailLsn ? run.Judge(replica, history, 0, tick)
            : new(run with { Position = replica, History = history }, []));
    }

    /// <summary>The last record in common was found; 0 where there is none in what is retained.</summary>
    public RunStep CommonFound(long lastCommonLsn, long tick) => On(tick, [RecoveryActionKind.FindCommon], run => run.Judge(Position!, History, lastCommonLsn, tick));

    /// <summary>The log is kept for the session.</summary>
    public RunStep Pinned(long tick) => On(tick, [RecoveryActionKind.Pin], run =>
        (run with { Pin = PinState.Held }).Wrote(RecoveryEvents.HistoryPinned, $"from={Next.FromLsn} target={Next.TargetLsn}").Then(r => r.Begin(tick)));

    /// <summary>The copy was cut.</summary>
    /// <param name="lsn">Its last LSN now.</param>
    /// <param name="tick">When.</param>
    public RunStep Truncated(long lsn, long tick) => On(tick, [RecoveryActionKind.Truncate], run =>
        run.Sender.RecordTruncation(SessionId, lsn) is var step && step.Refused is { } refused
            ? run.Wrote(RecoveryEvents.TruncationFailed, $"{refused}: cut to {lsn}")
            : (run with { Sender = step.Sender }).Wrote(RecoveryEvents.TruncationRecorded, $"truncated_to={lsn}"));

    /// <summary>The replica has told how far it is. Nothing of a rebuild is to be told before the old copy is gone.</summary>
    /// <param name="lsn">The last LSN on its disk; of a rebuild, of the new copy. The same as before is no progress, and no fault either.</param>
    /// <param name="bytes">Bytes moved since it last told.</param>
    /// <param name="tick">When.</param>
    public RunStep Progressed(long lsn, long bytes, long tick) => On(tick, [RecoveryActionKind.CatchUp, RecoveryActionKind.Rebuild], run =>
    {
        var before = IsRebuild ? run.Active!.Rebuild!.ReachedLsn : run.Active!.RecoveredTo;
        var step = lsn == before ? new(run.Sender) : IsRebuild ? run.Rebuilt(lsn, bytes, tick) : run.Sender.RecordProgress(SessionId, lsn, tick, bytes);
        return step.Refused is { } refused ? run.Failed($"{refused}: at {lsn} after {before}") : (run with { Sender = step.Sender }).InBudget(tick);
    });

    /// <summary>The last record was compared. Said too early it completes nothing.</summary>
    /// <param name="ofReplica">The replica's record at the target; null where it has none.</param>
    /// <param name="inLog">The log's.</param>
    /// <param name="tick">When.</param>
    public RunStep Verified(RecordMark? ofReplica, RecordMark? inLog, long tick) => On(tick, [RecoveryActionKind.Verify, RecoveryActionKind.Truncate, RecoveryActionKind.CatchUp, RecoveryActionKind.Rebuild], run =>
    {
        // A copy that begins behind the target has no record there; nor has anybody one at 0.
        var (isDue, target) = (run.Next.Kind == RecoveryActionKind.Verify, run.Next.TargetLsn);
        if (isDue && target > (run.Active!.Rebuild?.FromLsn ?? 0) && (inLog is null || ofReplica != inLog))
        {
            return run.Failed($"the record at LSN {target} is not the log's");
        }

        var step = IsRebuild ? run.Sender.CompleteRebuild(SessionId) : run.Sender.CompleteSession(SessionId);
        return step.Refused is { } refused
            ? run.Wrote(RecoveryEvents.CompletionRejected, $"{refused}: {RecoveryEvents.Text(run.Next.Kind)} is still to be done")
            : (run with { Sender = step.Sender }).Wrote(IsRebuild ? RecoveryEvents.RebuildCompleted : RecoveryEvents.Completed, "in_sync");
    });

    /// <summary>The log is no longer kept, or, which is as good, knew nothing of the session.</summary>
    public RunStep Unpinned() => Next.Kind == RecoveryActionKind.Unpin ? (this with { Pin = PinState.Released }).Wrote(RecoveryEvents.PinsReleased) : Unchanged;

    /// <summary>What was to be done was refused, for good: the session ends. An answer that did not come is no refusal (<see cref="Waited"/>).</summary>
    public RunStep Refused(string reason, long tick)
    {
        var asked = Next.Kind;
        var step = On(tick, [asked], run => run.Failed(reason));

        // What was refused is not there to be released. A pin whose answer never came may be.
        return asked == RecoveryActionKind.Pin ? step with { Run = step.Run with { Pin = PinState.None } } : step;
    }

    /// <summary>Time passed and nothing was heard: what is to be done is tried again, unless the budget is used up.</summary>
    public RunStep Waited(long tick) => Active is { } session && !IsTransferring(session) && tick >= Deadline ? Failed("no answer within the budget") : InBudget(tick);

    /// <summary>What to do with an answer: nothing where another or none is waited for, and nothing more where its coming was the end of the budget.</summary>
    private RunStep On(long tick, RecoveryActionKind[] answers, Func<RecoveryRun, RunStep> next) => Active is null || !answers.Contains(Next.Kind)
        ? Unchanged
        : InBudget(tick).Then(run => run.Active is null ? run.Unchanged : next(run));

    private RunStep InBudget(long tick)
    {
        var step = Sender.CheckBudget(SessionId, tick);
        return step.Violation == BudgetViolation.None ? Unchanged : (this with { Sender = step.Sender }).Wrote(RecoveryEvents.BudgetEscalated, RecoveryEvents.Text(step.Violation));
    }

    private RunStep Judge(ReplicaPosition replica, RetainedHistory? history, long lastCommonLsn, long tick)
    {
        var step = Sender.RecordHandshake(SessionId, replica, history, lastCommonLsn);
        if (step.Verdict is not { } verdict)
        {
            return Failed(step.Refused ?? "");
        }

        var run = this with { Sender = step.Sender, Position = null, History = null };
        var judged = step.Refused is { } refused
            ? run.Wrote(RecoveryEvents.HandshakeFailed, refused)
            : run.Wrote(RecoveryEvents.Handshake, $"outcome={RecoveryEvents.Text(verdict.Outcome)}");
        return judged.Then(r => verdict switch
        {
            { Recoverable: false } => r.Wrote(RecoveryEvents.Escalated, $"needs_rebuild: {verdict.Reason}"),
            { Outcome: RecoveryOutcome.ZeroGap } => (r with { Sender = r.Sender.CompleteSession(SessionId).Sender }).Wrote(RecoveryEvents.Completed, "zero_gap"),
            { } v when v.StartLsn == v.TargetLsn => r.Begin(tick),
            _ => new(r with { Pin = PinState.Wanted }, []),
        });
    }

    private RunStep SelectSource(RetainedHistory? history)
    {
        if (history is not { IsConsistent: true })
        {
            return Failed(history is null ? Refusals.NoHistory : "history_inconsistent");
        }

        var step = Sender.RecordHandshake(SessionId, 0, history.CommittedLsn);
        step = step.Refused is null ? step.Sender.SelectSource(SessionId, history) : step;
        return step.Refused is { } refused
            ? Failed(refused)
            : (this with { Sender = step.Sender, Pin = PinState.Wanted }).Wrote(RecoveryEvents.RebuildSourceSelected, $"kind={RecoveryEvents.Text(step.Sender.Session!.Rebuild!.Source)}");
    }

    private RunStep Begin(long tick) => IsRebuild
        ? Did(Sender.BeginTransfer(SessionId, tick))
        : Did(Sender.BeginCatchUp(SessionId, tick), RecoveryEvents.CatchupStarted, $"target={Active!.TargetLsn} start={Active.StartLsn}");

    /// <summary>One report stands for the base and the tail behind it: a replica tells only how far its disk is.</summary>
    private SenderStep Rebuilt(long lsn, long bytes, long tick)
    {
        var rebuild = Active!.Rebuild!;
        if (rebuild.Phase == RebuildPhase.TailReplay)
        {
            return Sender.RecordTail(SessionId, lsn, tick, bytes);
        }

        var isSnapshot = rebuild.Source == RebuildSource.SnapshotTail;
        var step = Sender.RecordTransfer(SessionId, isSnapshot ? Math.Min(lsn, rebuild.BaseLsn) : lsn, tick, bytes);
        if (step.Refused is not null || !isSnapshot || lsn < rebuild.BaseLsn)
        {
            return step;
        }

        step = step.Sender.BeginTailReplay(SessionId);
        return lsn == rebuild.BaseLsn ? step : step.Sender.RecordTail(SessionId, lsn, tick);
    }

    private RunStep Did(SenderStep step, string? name = null, string detail = "") =>
        step.Refused is { } refused ? Failed(refused)
        : name is null ? new(this with { Sender = step.Sender }, [])
        : (this with { Sender = step.Sender }).Wrote(name, detail);

    /// <summary>Ends the session where it stands. The copy is what it was: the next session looks at it anew.</summary>
    private RunStep Failed(string reason)
    {
        var name = (Next.Kind, IsRebuild) switch
        {
            (RecoveryActionKind.Connect, false) => RecoveryEvents.ConnectFailed,
            (RecoveryActionKind.Connect, true) => RecoveryEvents.RebuildConnectFailed,
            (RecoveryActionKind.Handshake or RecoveryActionKind.FindCommon, false) => RecoveryEvents.HandshakeFailed,
            (RecoveryActionKind.Handshake or RecoveryActionKind.FindCommon, true) => RecoveryEvents.RebuildSourceFailed,
            (RecoveryActionKind.Pin, _) => RecoveryEvents.PinFailed,
            (_, true) => RecoveryEvents.RebuildFailed,
            (RecoveryActionKind.Truncate, _) => RecoveryEvents.TruncationFailed,
            (RecoveryActionKind.Verify, _) => RecoveryEvents.CompletionRejected,
            _ => Active!.Phase == SessionPhase.Handshake ? RecoveryEvents.CatchupBeginFailed : RecoveryEvents.CatchupProgressFailed,
        };

        return (this with { Sender = Sender.Invalidate(SessionId, name).Sender, Position = null, History = null }).Wrote(name, reason);
    }
}
