namespace Baton.Core.Recovery;

/// <summary>Why a call was refused. A refused call has changed nothing, but for <see cref="NoHistory"/>.</summary>
public static class Refusals
{
    /// <summary>The replica was given up.</summary>
    public const string SenderStopped = "sender stopped";

    /// <summary>There never was a session, or the last one completed.</summary>
    public const string NoActiveSession = "no active session";

    /// <summary>The call is of another session than the replica's.</summary>
    public const string SessionIdMismatch = "session ID mismatch";

    /// <summary>A session was asked for at another epoch than the sender's.</summary>
    public const string EpochMismatch = "epoch mismatch";

    /// <summary>There is one; only superseding it makes room.</summary>
    public const string SessionAlreadyActive = "session already active";

    /// <summary>Nothing but a rebuild leads out of needs_rebuild.</summary>
    public const string NeedsRebuild = "needs rebuild";

    /// <summary>The call belongs to another phase.</summary>
    public const string WrongPhase = "wrong phase";

    /// <summary>A range below 0, or one that ends before it begins.</summary>
    public const string InvalidRange = "invalid range";

    /// <summary>There is no log to compare with.</summary>
    public const string NoHistory = "no history";

    /// <summary>Progress must rise.</summary>
    public const string ProgressRegression = "progress regression";

    /// <summary>Beyond what the session set out to reach.</summary>
    public const string ExceedsFrozenTarget = "exceeds frozen target";

    /// <summary>A budget counts time, and the call gave none.</summary>
    public const string TickRequired = "tick required";

    /// <summary>Records cannot follow others that are still to be dropped.</summary>
    public const string TruncationRequired = "truncation required";

    /// <summary>Nothing is to be dropped.</summary>
    public const string TruncationNotRequired = "truncation not required";

    /// <summary>The copy was cut elsewhere than it must be.</summary>
    public const string LsnMismatch = "LSN mismatch";

    /// <summary>The session has not done what it is for.</summary>
    public const string CompletionRejected = "completion rejected";

    /// <summary>A step of a rebuild in another session.</summary>
    public const string NotARebuildSession = "not a rebuild session";

    /// <summary>A step of a catch-up in a rebuild.</summary>
    public const string NotACatchUpSession = "not a catch-up session";

    /// <summary>What is transferred must grow.</summary>
    public const string TransferRegression = "transfer regression";

    /// <summary>The tail begins where the snapshot ends, and that is not there yet.</summary>
    public const string BaseTransferIncomplete = "base transfer incomplete";

    /// <summary>The rebuild has not reached its target.</summary>
    public const string NotReady = "not ready";

    /// <summary>No sender of this key.</summary>
    public const string UnknownReplica = "unknown replica";

    /// <summary>An intent of an epoch that has passed.</summary>
    public const string StaleEpoch = "stale epoch";

    /// <summary>The session of that id has ended.</summary>
    public static string NotActive(long sessionId) => $"session {sessionId} not active";
}
