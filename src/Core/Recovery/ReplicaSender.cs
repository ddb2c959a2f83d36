using System.Text.Json.Serialization;
using Baton.Core.Cluster;

namespace Baton.Core.Recovery;

/// <summary>
/// What is known of one replica, and the only door to its session. A value: every call hands out another sender, so whoever holds one can neither change it under others nor see it change.
/// <para>Every call that belongs to a session carries its id and is checked in one order: is the sender stopped, is there a session, is it that one, is it active. Then comes what the call itself requires. A refused call changes nothing.</para>
/// </summary>
/// <param name="Replica">Whose.</param>
/// <param name="Endpoint">Where it is reached.</param>
/// <param name="Epoch">The highest epoch heard of: the term of the channel's leadership.</param>
/// <param name="State">What the replica is. In sync is said by a completed session alone, and only while its epoch and endpoint last.</param>
/// <param name="Session">The last session that did not complete, ended or not.</param>
/// <param name="Stopped">The replica was given up: the sender counts as nothing.</param>
public sealed partial record ReplicaSender(
    ReplicaKey Replica, ReplicaEndpoint Endpoint, long Epoch, ReplicaProgress State = ReplicaProgress.Disconnected, RecoverySession? Session = null, bool Stopped = false)
{
    /// <summary>It has a session that may be called.</summary>
    [JsonIgnore]
    public bool HasActiveSession => !Stopped && Session is { IsActive: true };

    /// <summary>The replica may lead: it completed a session at this epoch and endpoint.</summary>
    [JsonIgnore]
    public bool IsInSync => !Stopped && State == ReplicaProgress.InSync;

    /// <summary>Makes a session, at the sender's epoch.</summary>
    /// <param name="sessionId">Its id, above every id given out before.</param>
    /// <param name="epoch">The epoch that the caller means.</param>
    /// <param name="kind">What it is for.</param>
    /// <param name="budget">What it may take.</param>
    public SenderStep Attach(long sessionId, long epoch, SessionKind kind, RecoveryBudget? budget = null) =>
        Stopped ? Refuse(Refusals.SenderStopped)
        : epoch != Epoch ? Refuse(Refusals.EpochMismatch)
        : HasActiveSession ? Refuse(Refusals.SessionAlreadyActive)
        : Make(sessionId, kind, budget);

    /// <summary>Makes a session in the place of the one that there is, if any.</summary>
    public SenderStep Supersede(long sessionId, SessionKind kind, RecoveryBudget? budget = null) => Stopped ? Refuse(Refusals.SenderStopped) : Make(sessionId, kind, budget);

    /// <summary>Raises the epoch: whatever was said at the one before no longer holds. An epoch that is not higher changes nothing.</summary>
    public ReplicaSender UpdateEpoch(long epoch, string? reason = null) => Stopped || epoch <= Epoch
        ? this
        : Disconnected(reason ?? RecoveryEvents.EpochAdvancedTo(epoch)) with { Epoch = epoch };

    /// <summary>Moves the replica. Another endpoint may be another copy.</summary>
    public ReplicaSender UpdateEndpoint(ReplicaEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return Stopped || !endpoint.Changed(Endpoint) ? this : Disconnected(RecoveryEvents.EndpointChanged) with { Endpoint = endpoint };
    }

    /// <summary>Gives the replica up.</summary>
    public ReplicaSender Stop() => Stopped ? this : Disconnected(RecoveryEvents.SenderStopped) with { Stopped = true };

    /// <summary>Ends a session that cannot go on. Says nothing about the copy.</summary>
    public SenderStep Invalidate(long sessionId, string reason) => Refusal(sessionId) is { } refused ? Refuse(refused) : new(Disconnected(reason));

    /// <summary>Gives up what the log retains for the replica: what it lacks will be deleted, so only a new copy can help.</summary>
    public ReplicaSender ReleaseRetention() => Stopped || State == ReplicaProgress.NeedsRebuild && !HasActiveSession ? this : Lost(RecoveryEvents.RetentionReleased);

    /// <summary>Begins to ask the replica.</summary>
    public SenderStep BeginConnect(long sessionId) => InPhase(sessionId, SessionPhase.Init, s => Become(s with { Phase = SessionPhase.Connecting }, ReplicaProgress.Connecting));

    /// <summary>Notes the range to recover.</summary>
    public SenderStep RecordHandshake(long sessionId, long startLsn, long targetLsn) => InPhase(sessionId, SessionPhase.Connecting, s =>
        startLsn < 0 || targetLsn < startLsn ? Refuse(Refusals.InvalidRange) : new(this with { Session = s.Ranged(startLsn, targetLsn, null) }));

    /// <summary>Judges the replica by the log. One that cannot be brought up to date ends the session, and with it this copy's hopes.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="replica">What the replica says of its copy.</param>
    /// <param name="history">What the log has; null where there is none, which is an error and leaves nothing to judge by.</param>
    /// <param name="lastCommonLsn">See <see cref="RetainedHistory.Classify"/>.</param>
    public SenderStep RecordHandshake(long sessionId, ReplicaPosition replica, RetainedHistory? history, long lastCommonLsn) => InCatchUp(sessionId, SessionPhase.Connecting, s =>
    {
        ArgumentNullException.ThrowIfNull(replica);
        var verdict = history?.Classify(replica, lastCommonLsn) ?? Recoverability.NoHistory;
        return verdict.Recoverable
            ? new(this with { Session = s.Ranged(verdict.StartLsn, verdict.TargetLsn, verdict.TruncateToLsn) }, null, verdict)
            : new(Lost(RecoveryEvents.GapExceedsRetention), history is null ? Refusals.NoHistory : null, verdict);
    });

    /// <summary>Freezes the target and begins to count.</summary>
    public SenderStep BeginCatchUp(long sessionId, long tick) => InCatchUp(sessionId, SessionPhase.Handshake, s => Become(s.Begun(tick), ReplicaProgress.CatchingUp));

    /// <summary>Notes how far the replica has come.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="lsn">The last LSN on its disk.</param>
    /// <param name="tick">When; must be given where the budget counts stalls.</param>
    /// <param name="bytes">Bytes moved for it.</param>
    public SenderStep RecordProgress(long sessionId, long lsn, long? tick = null, long bytes = 0) => InCatchUp(sessionId, SessionPhase.Catchup, s =>
        s.MustTruncate ? Refuse(Refusals.TruncationRequired)
        : lsn <= s.RecoveredTo ? Refuse(Refusals.ProgressRegression)
        : lsn > s.FrozenTargetLsn ? Refuse(Refusals.ExceedsFrozenTarget)
        : LacksTick(s, tick) ? Refuse(Refusals.TickRequired)
        : new(this with { Session = s.Progressed(lsn, bytes, tick) }));

    /// <summary>Notes where the copy was cut. Another place than the one required leaves the session as it was: the right cut may still follow.</summary>
    public SenderStep RecordTruncation(long sessionId, long lsn) => InSession(sessionId, s =>
        s.TruncateToLsn is null ? Refuse(Refusals.TruncationNotRequired)
        : s.TruncateToLsn != lsn ? Refuse(Refusals.LsnMismatch)
        : new(this with { Session = s with { TruncationRecorded = true } }));

    /// <summary>Makes the replica in sync, where the session did all that it set out to do.</summary>
    public SenderStep CompleteSession(long sessionId) => InSession(sessionId, s => s.MayComplete ? Complete() : Refuse(Refusals.CompletionRejected));

    /// <summary>Ends a session that takes more than it may; one that has converged never does.</summary>
    public SenderStep CheckBudget(long sessionId, long tick) => InSession(sessionId, s =>
    {
        var violation = s.HasConverged || s.Use is null ? BudgetViolation.None : s.Budget.Check(s.Use, tick);
        return violation == BudgetViolation.None ? new(this) : new(Lost(RecoveryEvents.BudgetBroken(violation)), Violation: violation);
    });

    /// <summary>Why a call of <paramref name="sessionId"/> is refused before anything else is asked, or null.</summary>
    public string? Refusal(long sessionId) =>
        Stopped ? Refusals.SenderStopped
        : Session is not { } session ? Refusals.NoActiveSession
        : session.Id != sessionId ? Refusals.SessionIdMismatch
        : !session.IsActive ? Refusals.NotActive(sessionId)
        : null;

    private static bool LacksTick(RecoverySession session, long? tick) => tick is null && session.Budget.MaxStall > 0;

    private SenderStep InSession(long sessionId, Func<RecoverySession, SenderStep> step) => Refusal(sessionId) is { } refused ? Refuse(refused) : step(Session!);

    private SenderStep InPhase(long sessionId, SessionPhase phase, Func<RecoverySession, SenderStep> step) =>
        InSession(sessionId, s => s.Phase == phase ? step(s) : Refuse(Refusals.WrongPhase));

    private SenderStep InCatchUp(long sessionId, SessionPhase phase, Func<RecoverySession, SenderStep> step) =>
        InSession(sessionId, s => s.Kind == SessionKind.Rebuild ? Refuse(Refusals.NotACatchUpSession) : InPhase(sessionId, phase, step));

    private SenderStep Refuse(string reason) => new(this, reason);

    // A copy that needs a rebuild does not look better for being spoken to: only a rebuild that completes changes that.
    private SenderStep Become(RecoverySession session, ReplicaProgress state) => new(this with { Session = session, State = State == ReplicaProgress.NeedsRebuild ? State : state });

    private SenderStep Make(long sessionId, SessionKind kind, RecoveryBudget? budget) =>
        sessionId <= (Session?.Id ?? 0) ? Refuse(Refusals.SessionIdMismatch)
        : State == ReplicaProgress.NeedsRebuild && kind != SessionKind.Rebuild ? Refuse(Refusals.NeedsRebuild)
        : Become(
            new RecoverySession
            {
                Id = sessionId,
                Epoch = Epoch,
                Kind = kind,
                Budget = budget ?? RecoveryBudget.Unlimited,
                Rebuild = kind == SessionKind.Rebuild ? RebuildProgress.None : null,
            },
            ReplicaProgress.Disconnected);

    private SenderStep Complete() => new(this with { State = ReplicaProgress.InSync, Session = null });

    private ReplicaSender Disconnected(string reason) => this with
    {
        State = State == ReplicaProgress.NeedsRebuild ? State : ReplicaProgress.Disconnected,
        Session = Session?.Invalidated(reason),
    };

    private ReplicaSender Lost(string reason) => this with { State = ReplicaProgress.NeedsRebuild, Session = Session?.Invalidated(reason) };
}
