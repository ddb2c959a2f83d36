using System.Text.Json;

namespace Baton.Core.Recovery;

/// <summary>One thing that happened to a replica.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Replica">The replica's id.</param>
/// <param name="SessionId">The session that it is about; 0 where it is about none.</param>
/// <param name="Event">What happened: a name of <see cref="RecoveryEvents"/>.</param>
/// <param name="Detail">Why, or with which numbers; may be empty.</param>
public sealed record RecoveryEvent(string Channel, string Replica, long SessionId, string Event, string Detail)
{
    internal static RecoveryEvent Of(ReplicaKey replica, long sessionId, string name, string detail = "") => new(replica.Channel, replica.ReplicaId, sessionId, name, detail);
}

/// <summary>The names of events, and the reasons for which sessions end. Alerts and tests go by them.</summary>
public static class RecoveryEvents
{
    /// <summary>A replica was listed that was not before.</summary>
    public const string SenderAdded = "sender_added";

    /// <summary>A replica is listed no more.</summary>
    public const string SenderRemoved = "sender_removed";

    /// <summary>A session was made.</summary>
    public const string SessionCreated = "session_created";

    /// <summary>A session was made in the place of one that was active.</summary>
    public const string SessionSuperseded = "session_superseded";

    /// <summary>A session was asked for and not made.</summary>
    public const string SessionFailed = "session_failed";

    /// <summary>A session ended from outside; the detail says why.</summary>
    public const string SessionInvalidated = "session_invalidated";

    /// <summary>The replica answered.</summary>
    public const string Connected = "connected";

    /// <summary>The replica refused, or did not answer in time.</summary>
    public const string ConnectFailed = "connect_failed";

    /// <summary>The replica was judged.</summary>
    public const string Handshake = "handshake";

    /// <summary>The replica could not be judged.</summary>
    public const string HandshakeFailed = "handshake_failed";

    /// <summary>The replica needs a rebuild; the detail says why.</summary>
    public const string Escalated = "escalated";

    /// <summary>Records begin to be fetched or dropped.</summary>
    public const string CatchupStarted = "catchup_started";

    /// <summary>They could not begin to be.</summary>
    public const string CatchupBeginFailed = "catchup_begin_failed";

    /// <summary>The replica reported what cannot be, or that it gets no further.</summary>
    public const string CatchupProgressFailed = "catchup_progress_failed";

    /// <summary>The session broke its budget: the replica needs a rebuild.</summary>
    public const string BudgetEscalated = "budget_escalated";

    /// <summary>The copy was cut where it must be.</summary>
    public const string TruncationRecorded = "truncation_recorded";

    /// <summary>It was cut elsewhere, or could not be.</summary>
    public const string TruncationFailed = "truncation_failed";

    /// <summary>The replica was to be called in sync and is not.</summary>
    public const string CompletionRejected = "completion_rejected";

    /// <summary>The replica is in sync.</summary>
    public const string Completed = "completed";

    /// <summary>The replica answered, for a rebuild.</summary>
    public const string RebuildConnected = "rebuild_connected";

    /// <summary>It did not, or refused.</summary>
    public const string RebuildConnectFailed = "rebuild_connect_failed";

    /// <summary>It is decided what the new copy is made from.</summary>
    public const string RebuildSourceSelected = "rebuild_source_selected";

    /// <summary>It could not be decided.</summary>
    public const string RebuildSourceFailed = "rebuild_source_failed";

    /// <summary>The rebuild ended without a whole copy.</summary>
    public const string RebuildFailed = "rebuild_failed";

    /// <summary>The replica is in sync, with a new copy.</summary>
    public const string RebuildCompleted = "rebuild_completed";

    /// <summary>What the session needs of the log is kept for it.</summary>
    public const string HistoryPinned = "history_pinned";

    /// <summary>It could not be kept: the session ended.</summary>
    public const string PinFailed = "pin_failed";

    /// <summary>The log is free of the session.</summary>
    public const string PinsReleased = "pins_released";

    /// <summary>Reason: the replica moved.</summary>
    public const string EndpointChanged = "endpoint_changed";

    /// <summary>Reason: the replica was given up.</summary>
    public const string SenderStopped = "sender_stopped";

    /// <summary>Reason: what the replica lacks is no longer retained.</summary>
    public const string GapExceedsRetention = "gap_exceeds_retention";

    /// <summary>Reason: the log is not kept for the replica any longer.</summary>
    public const string RetentionReleased = "retention_released";

    /// <summary>Reason: somebody stopped the session.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>Reason: the channel got a higher epoch by an assignment.</summary>
    public static string EpochAdvancedTo(long epoch) => $"epoch_advanced_to_{epoch}";

    /// <summary>Reason: an epoch was declared over.</summary>
    public static string EpochBumpTo(long epoch) => $"epoch_bump_to_{epoch}";

    /// <summary>Reason: a bound was broken.</summary>
    public static string BudgetBroken(BudgetViolation violation) => $"budget_{Text(violation)}";

    /// <summary>A value as events write it.</summary>
    public static string Text<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
