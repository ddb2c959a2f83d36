using System.Text.Json.Serialization;

namespace Baton.Core.Recovery;

/// <summary>Whether the log is kept for a run.</summary>
public enum PinState
{
    /// <summary>It was not asked for, or was refused.</summary>
    None,

    /// <summary>It is being asked for: it may be kept already, with the answer still to come.</summary>
    Wanted,

    /// <summary>It is kept.</summary>
    Held,

    /// <summary>It is kept no longer.</summary>
    Released,
}

/// <summary>
/// One session from connecting to its end. It does nothing itself: it says what is to be done next (<see cref="Next"/>), is told what came of it, and says what to write down.
/// A value that is whole as JSON between any two steps. Answers may come twice, late, or not at all: one that does not fit what the run waits for changes nothing, and every wait has its budget.
/// </summary>
public sealed partial record RecoveryRun
{
    /// <summary>The replica as the run knows it.</summary>
    public required ReplicaSender Sender { get; init; }

    /// <summary>The session that is run.</summary>
    public required long SessionId { get; init; }

    /// <summary>When it began.</summary>
    public required long StartedTick { get; init; }

    /// <summary>What the replica said of its copy, while what it has in common with the log is being searched.</summary>
    public ReplicaPosition? Position { get; init; }

    /// <summary>The log as it was then.</summary>
    public RetainedHistory? History { get; init; }

    /// <summary>Whether the log is kept for it.</summary>
    public PinState Pin { get; init; }

    /// <summary>A run of the sender's active session.</summary>
    /// <param name="sender">The replica.</param>
    /// <param name="tick">Now.</param>
    public static RecoveryRun Start(ReplicaSender sender, long tick)
    {
        ArgumentNullException.ThrowIfNull(sender);
        return sender is { HasActiveSession: true, Session: { Phase: SessionPhase.Init } session }
            ? new RecoveryRun { Sender = sender, SessionId = session.Id, StartedTick = tick }
            : throw new ArgumentException($"the sender of {sender.Replica} has no session that is yet to begin", nameof(sender));
    }

    /// <summary>What is to be done now.</summary>
    [JsonIgnore]
    public RecoveryAction Next => Active switch
    {
        null => new(Pin is PinState.Wanted or PinState.Held ? RecoveryActionKind.Unpin : RecoveryActionKind.None),
        { Phase: SessionPhase.Init } => new(RecoveryActionKind.Connect),
        { Phase: SessionPhase.Connecting } => new(Position is null ? RecoveryActionKind.Handshake : RecoveryActionKind.FindCommon),
        { } s when Pin == PinState.Wanted => new(RecoveryActionKind.Pin, PinFrom(s), s.TargetLsn),
        { MustTruncate: true } s => new(RecoveryActionKind.Truncate, 0, s.TruncateToLsn ?? 0),
        { HasConverged: true } s => new(RecoveryActionKind.Verify, 0, s.TargetLsn),
        { Rebuild: { } rebuild } s => new(RecoveryActionKind.Rebuild, PinFrom(s), s.TargetLsn, rebuild.Source),
        { } s => new(RecoveryActionKind.CatchUp, s.RecoveredTo + 1, s.TargetLsn),
    };

    /// <summary>Nothing is left to do. What the replica is then, its sender says.</summary>
    [JsonIgnore]
    public bool IsOver => Next.Kind == RecoveryActionKind.None;

    /// <summary>The tick at which <see cref="Waited"/> ends the session unless something comes before; null where time ends nothing. A timer is set to it.</summary>
    [JsonIgnore]
    public long? Deadline => Active is not { } session ? null
        : IsTransferring(session) ? session.Deadline
        : RecoveryBudget.After(session.Use?.LastProgressTick ?? StartedTick, session.Budget.MaxDuration) is var tick && tick < long.MaxValue ? tick : null;

    /// <summary>Somebody wants the session to end.</summary>
    public RunStep Cancel() => Active is null ? Unchanged : FromOutside(Sender.Invalidate(SessionId, RecoveryEvents.Cancelled).Sender);

    /// <summary>The epoch is over.</summary>
    public RunStep BumpEpoch(long epoch) => FromOutside(Sender.UpdateEpoch(epoch, RecoveryEvents.EpochBumpTo(epoch)));

    /// <summary>The replica moved.</summary>
    public RunStep ChangeEndpoint(ReplicaEndpoint endpoint) => FromOutside(Sender.UpdateEndpoint(endpoint));

    /// <summary>The replica is given up.</summary>
    public RunStep Stop() => FromOutside(Sender.Stop());

    /// <summary>The log is not kept for the replica any longer (<see cref="RetentionBound"/>).</summary>
    public RunStep ReleaseRetention() => FromOutside(Sender.ReleaseRetention());

    private RecoverySession? Active => Sender.Refusal(SessionId) is null ? Sender.Session : null;

    private bool IsRebuild => Active?.Kind == SessionKind.Rebuild;

    // Before and after it nothing but an answer is waited for, and that none comes says nothing about the copy.
    private static bool IsTransferring(RecoverySession session) => session is { Use: not null, HasConverged: false };

    private RunStep Unchanged => new(this, []);

    private static long PinFrom(RecoverySession session) => (session.Rebuild?.FromLsn ?? session.StartLsn) + 1;

    private RunStep FromOutside(ReplicaSender after)
    {
        var run = this with { Sender = after };
        return Active is not null && run.Active is null ? run.Wrote(RecoveryEvents.SessionInvalidated, after.Session?.EndedBecause ?? "") : new(run, []);
    }

    private RunStep Wrote(string name, string detail = "") => new(this, [Event(name, detail)]);

    private RecoveryEvent Event(string name, string detail = "") => RecoveryEvent.Of(Sender.Replica, SessionId, name, detail);
}

/// <summary>What a run has come to.</summary>
/// <param name="Run">The run; the same object where nothing changed.</param>
/// <param name="Events">What to write down, in this order.</param>
public sealed record RunStep(RecoveryRun Run, IReadOnlyList<RecoveryEvent> Events)
{
    internal RunStep Then(Func<RecoveryRun, RunStep> next)
    {
        var step = next(Run);
        return step with { Events = [.. Events, .. step.Events] };
    }
}
