using Baton.Core.Recovery;

namespace Baton.Functions.Recovery;

/// <summary>What an action of a session came to.</summary>
internal enum RecoveryResult
{
    /// <summary>It is done, or is on its way: the rest of the answer says how far.</summary>
    Done,

    /// <summary>Nobody answered, or not in time, or not yet. Whether it was done is unknown, and it may be tried again.</summary>
    NoAnswer,

    /// <summary>It was refused for good.</summary>
    Refused,

    /// <summary>The session ended from outside, and nothing was done.</summary>
    Ended,

    /// <summary>More of the log would have to be kept for the replica than may be.</summary>
    HoldsTooMuch,
}

/// <summary>What came of an action: of all but the first two values, those that the action has.</summary>
/// <param name="Result">In a word.</param>
/// <param name="Reason">Why it is not done.</param>
/// <param name="Replica">Handshake: what the replica says of its copy.</param>
/// <param name="History">Handshake: what the log has.</param>
/// <param name="InLog">Handshake and verification: the log's record there.</param>
/// <param name="OfReplica">Verification: the replica's.</param>
/// <param name="Lsn">Search, truncation and transfers: how far.</param>
/// <param name="Bytes">Transfers: what the replica says that it has fetched for this order.</param>
/// <param name="Outside">Where the session ended: the replica's sender now; null where there is none any more.</param>
internal sealed record RecoveryAnswer(
    RecoveryResult Result,
    string Reason = "",
    ReplicaPosition? Replica = null,
    RetainedHistory? History = null,
    RecordMark? InLog = null,
    RecordMark? OfReplica = null,
    long Lsn = 0,
    long Bytes = 0,
    ReplicaSender? Outside = null)
{
    /// <summary>It is done and there is nothing to say of it.</summary>
    public static RecoveryAnswer Done { get; } = new(RecoveryResult.Done);
}
