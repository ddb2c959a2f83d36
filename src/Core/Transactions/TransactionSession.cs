using Baton.Core.Time;

namespace Baton.Core.Transactions;

/// <summary>How a transaction's session stands.</summary>
public enum TransactionState
{
    /// <summary>Open: takes messages.</summary>
    InFlight,

    /// <summary>Its messages are visible from its commit on.</summary>
    Committed,

    /// <summary>Dropped, by its writer or by a change of configuration.</summary>
    RolledBack,

    /// <summary>Dropped, since nothing was heard of its writer for its keepalive.</summary>
    Expired,
}

/// <summary>An open transaction.</summary>
/// <param name="TxnId">Its id: the time tick of its begin, or the source's id where it was replicated.</param>
/// <param name="BeginLsn">LSN of its begin in this channel.</param>
/// <param name="KeepaliveMs">How long it lives without a message; 0 = for ever.</param>
/// <param name="LastTimeTick">Time tick of its last record.</param>
/// <param name="Replicated">It came from the source cluster, which alone decides how it ends.</param>
public sealed record TransactionSession(long TxnId, long BeginLsn, long KeepaliveMs, long LastTimeTick, bool Replicated)
{
    /// <summary>The tick at which it is expired, or null if it never is.</summary>
    public long? ExpiresAtTick => Replicated || KeepaliveMs == 0 ? null : LastTimeTick + TimeTicks.FromMilliseconds(KeepaliveMs);

    /// <summary>Whether it is expired at <paramref name="tick"/>: at its expiry, not only past it.</summary>
    public bool IsExpiredAt(long tick) => ExpiresAtTick is { } expiry && tick >= expiry;
}

/// <summary>A transaction that is over.</summary>
/// <param name="TxnId">Its id.</param>
/// <param name="State">How it ended.</param>
/// <param name="Lsn">LSN of the record that ended it; for an expiry, of the first record after it.</param>
/// <param name="TimeTick">Time tick of that record.</param>
/// <param name="ByConfiguration">A change of configuration ended it, not its writer.</param>
public sealed record EndedTransaction(long TxnId, TransactionState State, long Lsn, long TimeTick, bool ByConfiguration = false);
