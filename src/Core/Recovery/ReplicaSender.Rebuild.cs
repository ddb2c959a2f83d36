using Baton.Core.Cluster;

namespace Baton.Core.Recovery;

/// <content>A new copy: choose the source, transfer the base, replay the tail behind a snapshot, complete.</content>
public sealed partial record ReplicaSender
{
    /// <summary>Chooses what the copy is made from, and with it how far it must come.</summary>
    public SenderStep SelectSource(long sessionId, RetainedHistory history)
    {
        ArgumentNullException.ThrowIfNull(history);
        return InRebuild(sessionId, RebuildPhase.Init, (s, _) => s.Phase == SessionPhase.Handshake
            ? new(this with { Session = s with { Rebuild = RebuildProgress.Selected(history) } })
            : Refuse(Refusals.WrongPhase));
    }

    /// <summary>Begins: from here on the old copy is gone, and the replica needs a rebuild until one completes, whatever becomes of this one.</summary>
    public SenderStep BeginTransfer(long sessionId, long tick) => InRebuild(sessionId, RebuildPhase.SourceSelect, (s, r) =>
        Become(s with { Rebuild = r with { Phase = RebuildPhase.Transfer }, Use = BudgetUse.From(tick) }, ReplicaProgress.NeedsRebuild));

    /// <summary>Notes how much of the base is there.</summary>
    public SenderStep RecordTransfer(long sessionId, long lsn, long? tick = null, long bytes = 0) => RecordReached(sessionId, RebuildPhase.Transfer, lsn, tick, bytes);

    /// <summary>Goes on with the log behind the snapshot, once that is there.</summary>
    public SenderStep BeginTailReplay(long sessionId) => InRebuild(sessionId, RebuildPhase.Transfer, (s, r) =>
        r.Source != RebuildSource.SnapshotTail ? Refuse(Refusals.WrongPhase)
        : !(r.ReachedLsn >= r.BaseLsn) ? Refuse(Refusals.BaseTransferIncomplete)
        : new(this with { Session = s with { Rebuild = r with { Phase = RebuildPhase.TailReplay } } }));

    /// <summary>Notes how far the tail is replayed.</summary>
    public SenderStep RecordTail(long sessionId, long lsn, long? tick = null, long bytes = 0) => RecordReached(sessionId, RebuildPhase.TailReplay, lsn, tick, bytes);

    /// <summary>Makes the replica in sync, where its new copy is whole.</summary>
    public SenderStep CompleteRebuild(long sessionId) => InRebuild(sessionId, null, (_, r) => r.IsReady ? Complete() : Refuse(Refusals.NotReady));

    private SenderStep RecordReached(long sessionId, RebuildPhase phase, long lsn, long? tick, long bytes) => InRebuild(sessionId, phase, (s, r) =>
        lsn < 0 || lsn <= r.ReachedLsn ? Refuse(Refusals.TransferRegression)
        : LacksTick(s, tick) ? Refuse(Refusals.TickRequired)
        : new(this with { Session = s.Transferred(phase, lsn, bytes, tick) }));

    private SenderStep InRebuild(long sessionId, RebuildPhase? phase, Func<RecoverySession, RebuildProgress, SenderStep> step) => InSession(sessionId, s =>
        s.Rebuild is not { } rebuild ? Refuse(Refusals.NotARebuildSession)
        : phase is not null && rebuild.Phase != phase ? Refuse(Refusals.WrongPhase)
        : step(s, rebuild));
}
