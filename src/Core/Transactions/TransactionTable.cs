using System.Diagnostics.CodeAnalysis;
using Baton.Core.Api;

namespace Baton.Core.Transactions;

/// <summary>Bounds of a channel's transactions.</summary>
/// <param name="DefaultKeepaliveMs">Keepalive of a begin that gives none. Longer forgives slower writers; shorter frees sooner what a dead one left open.</param>
/// <param name="MaxKeepaliveMs">The longest that can be asked for: an abandoned transaction holds back <c>LastConfirmedLsn</c> for that long.</param>
/// <param name="MaxOpen">Local transactions open at once in a channel.</param>
/// <param name="EndedKept">Ended transactions remembered, so that a late call on one is told how it ended.</param>
public sealed record TransactionLimits(long DefaultKeepaliveMs = 10_000, long MaxKeepaliveMs = 3_600_000, int MaxOpen = 256, int EndedKept = 1_000);

/// <summary>
/// The writer side of a channel's transactions. One record of the log moves a session from InFlight straight to Committed or
/// RolledBack: bodies, commit and rollback are put in the log's order one at a time, so a commit is behind every body it
/// commits, and no session is ever seen half way.
/// Everything but <see cref="Observe"/> is told by the log and comes out the same when the log is replayed. Not thread-safe.
/// </summary>
public sealed class TransactionTable(TransactionLimits limits)
{
    private readonly Dictionary<long, TransactionSession> _open = [];
    private readonly Dictionary<long, EndedTransaction> _ended = [];
    private readonly Queue<long> _endedInOrder = new();
    private long _earliestExpiry = long.MaxValue;
    private long _observed;

    /// <summary>The table of a snapshot.</summary>
    /// <param name="limits">Bounds; a table above them shrinks as it next grows.</param>
    /// <param name="open">As <see cref="Open"/>. Where an id is twice, one of them stays.</param>
    /// <param name="ended">As <see cref="Ended"/>. Likewise.</param>
    internal static TransactionTable Restore(TransactionLimits limits, IEnumerable<TransactionSession> open, IEnumerable<EndedTransaction> ended)
    {
        var table = new TransactionTable(limits);
        foreach (var session in open)
        {
            table.Begin(session);
        }

        foreach (var end in ended.Where(e => table._ended.TryAdd(e.TxnId, e)))
        {
            table._endedInOrder.Enqueue(end.TxnId);
        }

        return table;
    }

    /// <summary>The sessions that the log leaves open, by begin.</summary>
    public IReadOnlyList<TransactionSession> Open => [.. _open.Values.OrderBy(s => s.BeginLsn)];

    /// <summary>How many the log leaves open.</summary>
    public int OpenCount => _open.Count;

    /// <summary>The ended sessions still remembered, oldest first.</summary>
    public IReadOnlyList<EndedTransaction> Ended => [.. _endedInOrder.Select(id => _ended[id])];

    /// <summary>LSN of the earliest begin that is still open, or null.</summary>
    public long? EarliestBeginLsn => _open.Count == 0 ? null : _open.Values.Min(s => s.BeginLsn);

    /// <summary>The tick from which the first open session is expired, or null where none ever is.</summary>
    public long? EarliestExpiryTick => _open.Values.Min(s => s.ExpiresAtTick);

    /// <summary>
    /// Takes note of the present tick. A session that was refused as expired stays so even if the clock goes back; the session itself
    /// is ended by the next record, whose tick is at or above what was observed.
    /// </summary>
    public void Observe(long tick) => _observed = Math.Max(_observed, tick);

    /// <summary>The highest tick observed.</summary>
    public long Observed => _observed;

    /// <summary>The keepalive that a begin gets, or the error: 0 asks for the default; negative, and above the maximum, is refused.</summary>
    public ApiError? CheckBegin(long keepaliveMs, out long grantedMs)
    {
        grantedMs = keepaliveMs == 0 ? limits.DefaultKeepaliveMs : keepaliveMs;
        if (keepaliveMs < 0 || keepaliveMs > limits.MaxKeepaliveMs)
        {
            return ApiError.InvalidArgument($"keepaliveMs must be 1 to {limits.MaxKeepaliveMs}, or 0 for the default of {limits.DefaultKeepaliveMs}");
        }

        return _open.Values.Count(s => !s.Replicated && !s.IsExpiredAt(_observed)) < limits.MaxOpen
            ? null
            : new ApiError(ApiErrorCode.Overloaded, $"{limits.MaxOpen} transactions are open on this channel; end one first");
    }

    /// <summary>Null where <paramref name="txnId"/> is open for its writer, else why not.</summary>
    public ApiError? CheckInFlight(long txnId)
    {
        if (_open.TryGetValue(txnId, out var session))
        {
            return session switch
            {
                { Replicated: true } => ApiError.ReplicateViolation($"transaction {txnId} was replicated from another cluster, which alone can write to it or end it"),
                _ when session.IsExpiredAt(_observed) => Expired(txnId),
                _ => null,
            };
        }

        return _ended.GetValueOrDefault(txnId) switch
        {
            null => new ApiError(ApiErrorCode.NotFound, $"no transaction {txnId} on this channel"),
            { State: TransactionState.Expired } => Expired(txnId),
            { State: TransactionState.Committed } ended => ApiError.Conflict($"transaction {txnId} is committed, at LSN {ended.Lsn}"),
            { ByConfiguration: true } ended => ApiError.Conflict($"transaction {txnId} was rolled back by a change of the replicate configuration, at LSN {ended.Lsn}"),
            { } ended => ApiError.Conflict($"transaction {txnId} was rolled back, at LSN {ended.Lsn}"),
        };
    }

    /// <summary>The open session <paramref name="txnId"/>.</summary>
    public bool TryGetOpen(long txnId, [NotNullWhen(true)] out TransactionSession? session) => _open.TryGetValue(txnId, out session);

    /// <summary>How <paramref name="txnId"/> ended, or null where it did not or is forgotten.</summary>
    public EndedTransaction? FindEnded(long txnId) => _ended.GetValueOrDefault(txnId);

    /// <summary>Whether <paramref name="txnId"/> is known, open or ended.</summary>
    public bool Knows(long txnId) => _open.ContainsKey(txnId) || _ended.ContainsKey(txnId);

    /// <summary>The sessions open at <paramref name="tick"/>, by begin: what a roll back of all at that tick ends.</summary>
    public IEnumerable<TransactionSession> OpenAt(long tick) => Open.Where(s => !s.IsExpiredAt(tick));

    /// <summary>A record with <paramref name="tick"/> is next in the log: every session that is expired by then ends first.</summary>
    public void Advance(long lsn, long tick)
    {
        if (tick < _earliestExpiry)
        {
            return;
        }

        foreach (var session in Open.Where(s => s.IsExpiredAt(tick)))
        {
            End(new EndedTransaction(session.TxnId, TransactionState.Expired, lsn, tick));
        }

        _earliestExpiry = _open.Values.Min(s => s.ExpiresAtTick) ?? long.MaxValue;
    }

    /// <summary>A begin is in the log.</summary>
    public void Begin(TransactionSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        _open[session.TxnId] = session;
        _earliestExpiry = Math.Min(_earliestExpiry, session.ExpiresAtTick ?? long.MaxValue);
    }

    /// <summary>A message of the transaction is in the log: it lives on for its keepalive.</summary>
    public void Body(long txnId, long tick)
    {
        if (_open.TryGetValue(txnId, out var session))
        {
            _open[txnId] = session with { LastTimeTick = tick };
        }
    }

    /// <summary>The record that ends a transaction is in the log. A second end changes nothing.</summary>
    public void End(EndedTransaction ended)
    {
        ArgumentNullException.ThrowIfNull(ended);
        if (!_open.Remove(ended.TxnId))
        {
            return;
        }

        if (_ended.TryAdd(ended.TxnId, ended))
        {
            _endedInOrder.Enqueue(ended.TxnId);
        }
        else
        {
            // A replicated transaction that was rolled back and sent again ends a second time under the same id.
            _ended[ended.TxnId] = ended;
        }

        while (_endedInOrder.Count > limits.EndedKept)
        {
            _ended.Remove(_endedInOrder.Dequeue());
        }
    }

    private static ApiError Expired(long txnId) => ApiError.Conflict($"transaction {txnId} is expired: no message came within its keepalive");
}
