using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Time;
using Baton.Core.Transactions;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <content>What clients ask for: messages and transactions.</content>
public sealed partial class ChannelMachine
{
    /// <summary>Null where clients may change the channel as far as <paramref name="standing"/> goes; the <c>Prepare</c> methods refuse for every other reason, a secondary's included.</summary>
    public ApiError? CheckClient(ReplicateStanding? standing) => _gate.CheckClient(standing);

    /// <summary>Prepares messages outside any transaction.</summary>
    public Prepared<WriteAnswer> PrepareAppend(AppendRequest request, DateTimeOffset now) => PrepareMessages(request, txnId: null, now);

    /// <summary>Prepares the begin of a transaction. The answer's expiry holds until its first message.</summary>
    public Prepared<BeginTransactionResponse> PrepareBegin(BeginTransactionRequest request, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(request);
        var tick = NextTick(now);
        var error = _transactions.CheckBegin(request.KeepaliveMs, out var keepaliveMs);
        if ((_gate.CheckLocal() ?? error) is { } refusal)
        {
            return Refuse<BeginTransactionResponse>(refusal);
        }

        // The id is the tick, unless that is the id of a transaction replicated when the cluster was secondary.
        while (_transactions.Knows(tick))
        {
            tick++;
        }

        var begin = new WalRecord { Type = WalRecordType.TxnBegin, TimeTick = tick, TxnId = tick, KeepaliveMs = keepaliveMs };
        var expiresAt = TimeTicks.ToInstant(tick + TimeTicks.FromMilliseconds(keepaliveMs));
        return Append(new BeginTransactionResponse(tick, expiresAt), [begin]);
    }

    /// <summary>Prepares messages of transaction <paramref name="txnId"/>.</summary>
    public Prepared<WriteAnswer> PrepareTransactionAppend(long txnId, AppendRequest request, DateTimeOffset now) => PrepareMessages(request, txnId, now);

    /// <summary>Prepares the commit of transaction <paramref name="txnId"/>. A commit that is in the log already is answered again.</summary>
    public Prepared<WriteAnswer> PrepareCommit(long txnId, DateTimeOffset now) => PrepareEnd(txnId, TransactionState.Committed, now);

    /// <summary>Prepares the rollback of transaction <paramref name="txnId"/>. A rollback by its writer that is in the log already is answered again.</summary>
    public Prepared<WriteAnswer> PrepareRollback(long txnId, DateTimeOffset now) => PrepareEnd(txnId, TransactionState.RolledBack, now);

    /// <summary>
    /// Prepares the record that ends what has expired, where no other record comes to do so; null while nothing has. The clock that counts is the one of time ticks, so
    /// that what <paramref name="now"/> shows is only a reason to look: after a step back of the wall clock nothing expires before that clock is there again.
    /// Transactions that were replicated never expire, so a secondary has no use for it.
    /// </summary>
    public Prepared<WriteAnswer>? PrepareTimeTick(DateTimeOffset now)
    {
        if (_transactions.EarliestExpiryTick is not { } expiry || expiry > TickAt(now))
        {
            return null;
        }

        var tick = NextTick(now);
        return Append(new WriteAnswer(LastLsn + 1, LastLsn + 1, tick), [new WalRecord { Type = WalRecordType.TimeTick, TimeTick = tick }]);
    }

    private Prepared<WriteAnswer> PrepareMessages(AppendRequest request, long? txnId, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(request);
        var tick = NextTick(now);

        // A repeat first: it was accepted once, whatever the channel has become since.
        if (request.Producer is { Id: not null } stamp && _producers.FindRepeat(stamp) is { } first)
        {
            return Repeat(first, first.LastLsn);
        }

        var error = CheckMessages(request) ?? _gate.CheckLocal() ?? (txnId is { } id ? _transactions.CheckInFlight(id) : null);
        if (error is not null)
        {
            return Refuse<WriteAnswer>(error);
        }

        var records = new WalRecord[request.Messages.Count];
        for (var i = 0; i < records.Length; i++)
        {
            var message = request.Messages[i];
            records[i] = new WalRecord
            {
                Type = txnId is null ? WalRecordType.Message : WalRecordType.TxnBody,
                TimeTick = tick + i,
                TxnId = txnId ?? 0,
                VChannel = message.VChannel,
                Key = message.Key,
                Payload = message.Payload.GetValueOrDefault(),
                ProducerId = request.Producer?.Id,
                ProducerSequence = request.Producer?.Sequence ?? 0,
            };
        }

        return Append(new WriteAnswer(LastLsn + 1, LastLsn + records.Length, records[^1].TimeTick), records);
    }

    private Prepared<WriteAnswer> PrepareEnd(long txnId, TransactionState end, DateTimeOffset now)
    {
        var tick = NextTick(now);
        if (_transactions.FindEnded(txnId) is { ByConfiguration: false } ended && ended.State == end)
        {
            return Repeat(new WriteAnswer(ended.Lsn, ended.Lsn, ended.TimeTick), ended.Lsn);
        }

        if ((_gate.CheckLocal() ?? _transactions.CheckInFlight(txnId)) is { } error)
        {
            return Refuse<WriteAnswer>(error);
        }

        var record = new WalRecord
        {
            Type = end == TransactionState.Committed ? WalRecordType.TxnCommit : WalRecordType.TxnRollback,
            TimeTick = tick,
            TxnId = txnId,
            TxnBeginLsn = _transactions.TryGetOpen(txnId, out var session) ? session.BeginLsn : 0,
        };
        return Append(new WriteAnswer(LastLsn + 1, LastLsn + 1, tick), [record]);
    }

    private ApiError? CheckMessages(AppendRequest request)
    {
        if (request.Messages is not { Count: > 0 } messages)
        {
            return ApiError.InvalidArgument("messages cannot be empty");
        }

        if (messages.Count > _limits.MaxMessages)
        {
            return ApiError.InvalidArgument($"messages: at most {_limits.MaxMessages} in one request, got {messages.Count}");
        }

        for (var i = 0; i < messages.Count; i++)
        {
            if (CheckMessage(messages[i], i) is { } error)
            {
                return error;
            }
        }

        return request.Producer is { } stamp ? _producers.CheckNext(stamp) : null;
    }

    private ApiError? CheckMessage(MessageBody? message, int index)
    {
        if (message?.Payload is not { } payload)
        {
            return ApiError.InvalidArgument($"messages[{index}]: payload is missing");
        }

        if (payload.Length > _limits.MaxPayloadBytes)
        {
            return new ApiError(ApiErrorCode.PayloadTooLarge, $"messages[{index}]: payload is {payload.Length} bytes, at most {_limits.MaxPayloadBytes} are taken");
        }

        if (message.Key?.Length > _limits.MaxKeyLength)
        {
            return ApiError.InvalidArgument($"messages[{index}]: key has {message.Key.Length} characters, at most {_limits.MaxKeyLength} are taken");
        }

        if (message.VChannel is null)
        {
            return null;
        }

        if (CheckVChannel(message.VChannel) is { } error)
        {
            return error;
        }

        return VChannels.IsControl(message.VChannel)
            ? ApiError.InvalidArgument($"messages[{index}]: the control vchannel takes only broadcasts")
            : null;
    }

    private ApiError? CheckVChannel(string? vchannel) =>
        VChannels.IsValid(vchannel) && string.Equals(VChannels.ChannelOf(vchannel!), Channel, StringComparison.Ordinal)
            ? null
            : ApiError.InvalidArgument($"vchannel {vchannel} is not one of channel {Channel}: it must be the channel's name, or {Channel}_v and a suffix");
}
