using Baton.Core.Recovery;

namespace Baton.Functions.Recovery;

/// <summary>A session's run between two steps, with what its orchestration must know besides.</summary>
/// <param name="Requests">How often the operation had been asked for when the session was looked up: what is asked for later is not served by it.</param>
/// <param name="Pin">For how long the log is kept without another word.</param>
/// <param name="Run">The run; null where the replica has no session that is yet to begin.</param>
/// <param name="Written">How many events of it there have been.</param>
/// <param name="Unwritten">Those that are still to be written down.</param>
/// <param name="Bytes">What the replica has said last of the bytes that it has fetched.</param>
/// <param name="PinnedAt">When the log was last asked to be kept (UTC).</param>
/// <param name="Silences">How many actions in a row nobody has answered.</param>
internal sealed record RecoveryProgress(
    long Requests, TimeSpan Pin, RecoveryRun? Run, long Written = 0, IReadOnlyList<RecoveryEntry>? Unwritten = null, long Bytes = 0, DateTime PinnedAt = default, int Silences = 0)
{
    // Two renewals may fail.
    private const int RenewalsPerPin = 3;

    // Then the session ends, also where its budget does not say so. The copy is what it was.
    private const int MaxSilences = 60;

    /// <summary>It is time to say again that the log is to be kept: from the first record on that is still to be fetched.</summary>
    public bool MustRenewPin(DateTime now) => Run is { Pin: PinState.Held, Next.FromLsn: > 0 } && now - PinnedAt > Pin / RenewalsPerPin;

    /// <summary>After an answer to its next action.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="now">When it came (UTC).</param>
    /// <param name="renewed">The action was to keep the log anew as well.</param>
    public RecoveryProgress After(RecoveryAnswer answer, DateTime now, bool renewed = false)
    {
        renewed |= Run!.Next.Kind == RecoveryActionKind.Pin;
        var after = answer.Result == RecoveryResult.Ended
            ? this with { Run = EndedBy(Run, answer.Outside) } // whoever ended it has written that down
            : With(Told(Run, answer, answer.Bytes - (answer.Bytes < Bytes ? 0 : Bytes), Tick(now)), now);
        after = after with { Silences = answer.Result == RecoveryResult.NoAnswer ? Silences + 1 : 0 };
        return after.Silences == MaxSilences ? after.With(after.Run!.Refused("nobody answered", Tick(now)), now)
            : answer.Result != RecoveryResult.Done ? after
            : after with { Bytes = answer.Bytes, PinnedAt = renewed ? now : PinnedAt };
    }

    /// <summary>After a while in which nothing was heard.</summary>
    public RecoveryProgress Waited(DateTime now) => With(Run!.Waited(Tick(now)), now);

    private static RunStep Told(RecoveryRun run, RecoveryAnswer answer, long bytes, long tick) => answer.Result switch
    {
        RecoveryResult.NoAnswer => run.Waited(tick),
        RecoveryResult.Refused => run.Refused(answer.Reason, tick),
        RecoveryResult.HoldsTooMuch => Escalated(run.ReleaseRetention(), run, answer.Reason),
        _ => run.Next.Kind switch
        {
            RecoveryActionKind.Connect => run.Connected(tick),
            RecoveryActionKind.Handshake => run.Handshaken(answer.Replica!, answer.History, answer.InLog, tick),
            RecoveryActionKind.FindCommon => run.CommonFound(answer.Lsn, tick),
            RecoveryActionKind.Pin => run.Pinned(tick),
            RecoveryActionKind.Truncate => run.Truncated(answer.Lsn, tick),

            // Nothing of the new copy is there yet.
            RecoveryActionKind.Rebuild when answer.Lsn < run.Next.FromLsn && run.Sender.Session!.RecoveredTo == 0 => run.Waited(tick),
            RecoveryActionKind.CatchUp or RecoveryActionKind.Rebuild => run.Progressed(answer.Lsn, bytes, tick),
            RecoveryActionKind.Verify => run.Verified(answer.OfReplica, answer.InLog, tick),
            _ => run.Unpinned(),
        },
    };

    // One end, one event: that it was escalated says that it ended.
    private static RunStep Escalated(RunStep released, RecoveryRun run, string detail) => released with
    {
        Events = [new RecoveryEvent(run.Sender.Replica.Channel, run.Sender.Replica.ReplicaId, run.SessionId, RecoveryEvents.Escalated, detail)],
    };

    private static RecoveryRun EndedBy(RecoveryRun run, ReplicaSender? now) => (now switch
    {
        null or { Stopped: true } => run.Stop(),
        _ when now.Endpoint.Changed(run.Sender.Endpoint) => run.ChangeEndpoint(now.Endpoint),
        _ when now.Epoch > run.Sender.Epoch => run.BumpEpoch(now.Epoch),
        _ => run.Cancel(),
    }).Run;

    private static long Tick(DateTime now) => new DateTimeOffset(now, TimeSpan.Zero).ToUnixTimeMilliseconds();

    private RecoveryProgress With(RunStep step, DateTime now)
    {
        var entries = RecoveryEntry.Of(step.Events, new DateTimeOffset(now, TimeSpan.Zero), Written);
        return this with { Run = step.Run, Written = Written + entries.Count, Unwritten = [.. Unwritten ?? [], .. entries] };
    }
}
