using System.Diagnostics;
using Baton.Core.Api;
using Baton.Core.Channels;
using Baton.Core.Metadata;
using Baton.Core.Wal;
using Baton.Node.Broadcasts;
using Baton.Storage.Wal;

namespace Baton.Node.Channels;

/// <content>From a decision to the log and back: the duties that <see cref="ChannelMachine"/> gives to the owner of the log.</content>
internal sealed partial class LedChannel
{
    /// <summary>Sizes of transactions kept before those that ended are looked for; above what can be open at once.</summary>
    private const int MaxSizesKept = 1_024;

    /// <summary>One vchannel's record of a broadcast.</summary>
    public async Task<ControlResponse> ControlAsync(ControlRequest request)
    {
        var repeat = false;
        var result = await ChangeAsync(now =>
        {
            var prepared = _machine.PrepareControl(request, now);
            repeat = prepared.Records.Count == 0;
            return prepared;
        });
        if (request.Message.AlterReplicateConfig is not null
            && !await _acks.FlushedBelowAsync(result.Ack.Lsn, _around.AckFlushTimeout, CancellationToken.None))
        {
            // The change is in force; its caller counts broadcasts next, and would miss what is not acked yet. Asked again, it gets the same answer.
            throw new ApiException(ApiErrorCode.Unavailable, $"{_acks.Pending} broadcast acks of channel {Name} have not reached the control plane yet") { RetryAfterSeconds = 1 };
        }

        return new ControlResponse(result.Ack, Term, repeat, result.RolledBackTxnIds, result.LastReplicated);
    }

    /// <summary>Records of the source cluster.</summary>
    public async Task<ReplicateResponse> ReplicateAsync(ReplicateRequest request)
    {
        var records = request.Records?.Count ?? 0;
        var (appended, ignored, next) = (0, 0, 0);
        ReplicateAnswer answer;
        Task durable;
        await EnterAsync();
        try
        {
            if (_acks.Pending >= BroadcastAcks.MaxPending && (request.Records?.Any(r => r?.BroadcastId is > 0) ?? false))
            {
                throw new ApiException(ApiErrorCode.Overloaded, $"{_acks.Pending} broadcast acks of channel {Name} wait for the control plane") { RetryAfterSeconds = 1 };
            }

            do
            {
                var step = _machine.PrepareReplicate(request, next, _around.Time.GetUtcNow());
                durable = await PutAsync(step);
                answer = step.Answer!;
                Debug.Assert(answer.Next > next || records == 0, "a step takes a record at least");
                (appended, ignored, next) = (appended + answer.Appended, ignored + answer.Ignored, answer.Next);
            }
            while (next < records);
        }
        finally
        {
            _exclusive.Release();
        }

        await SettledAsync(durable);
        return new ReplicateResponse(appended, ignored, answer.Checkpoint, LastDurableLsn);
    }

    /// <summary>
    /// What a client asks for, unless the cluster's standing keeps clients out; then repeats too, so that none is told that its write is safe. What is heard later counts
    /// from the next change on: one that is decided already goes on.
    /// </summary>
    private Task<TAnswer> WriteAsync<TAnswer>(Func<DateTimeOffset, Prepared<TAnswer>> prepare, Func<IReadOnlyList<WalRecord>, ApiError?>? check = null)
        where TAnswer : class => ChangeAsync(now => _machine.CheckClient(_around.Heard.Now) is { } refusal ? throw refusal.ToException() : prepare(now), check);

    /// <summary>Decides, appends and applies in turn; the answer comes when what it rests on is durable.</summary>
    private async Task<TAnswer> ChangeAsync<TAnswer>(Func<DateTimeOffset, Prepared<TAnswer>> prepare, Func<IReadOnlyList<WalRecord>, ApiError?>? check = null)
        where TAnswer : class
    {
        Prepared<TAnswer> prepared;
        Task durable;
        await EnterAsync();
        try
        {
            prepared = prepare(_around.Time.GetUtcNow());
            if (prepared.Error is null && check?.Invoke(prepared.Records) is { } refusal)
            {
                throw refusal.ToException();
            }

            durable = await PutAsync(prepared);
        }
        finally
        {
            _exclusive.Release();
        }

        await SettledAsync(durable);
        return prepared.Answer!;
    }

    private async Task EnterAsync()
    {
        try
        {
            // Outside, so that those who only ask are not kept waiting.
            await _writer.WaitForRoomAsync(CancellationToken.None);
        }
        catch (WalOverloadedException)
        {
            throw Overloaded();
        }

        await _exclusive.WaitAsync();
        if (Ended)
        {
            _exclusive.Release();
            throw _around.NotLeader(Name);
        }
    }

    /// <summary>Hands the records to the log and applies them. Returns what the answer has to wait for.</summary>
    private async Task<Task> PutAsync<TAnswer>(Prepared<TAnswer> prepared)
        where TAnswer : class
    {
        if (prepared.Error is { } error)
        {
            throw new ApiException(error) { RetryAfterSeconds = error.Code == ApiErrorCode.Overloaded ? 1 : null };
        }

        if (prepared.Records.Count == 0)
        {
            // Writes settle in order: when the last one has, so has the one that this request repeats.
            return prepared.DurableLsn <= LastDurableLsn ? Task.CompletedTask : _tail;
        }

        var append = Enqueue(prepared.Records);
        var started = _around.Time.GetTimestamp();
        if (prepared.Exclusive)
        {
            await SettledAsync(append.Durable);
        }

        Apply(append, prepared.Records);
        _tail = WhenDurableAsync(append, _machine.LastConfirmedLsn, _metadata?.Head, started);
        return _tail;
    }

    private WalAppend Enqueue(IReadOnlyList<WalRecord> records)
    {
        try
        {
            return _writer.Append(records);
        }
        catch (WalOverloadedException)
        {
            throw Overloaded();
        }
        catch (Exception e) when (e is WalFencedException or WalFaultedException)
        {
            throw Translate(e);
        }
    }

    private ApiException Overloaded() => new(ApiErrorCode.Overloaded, $"channel {Name} has too much waiting for its log") { RetryAfterSeconds = 1 };

    private void Apply(WalAppend append, IReadOnlyList<WalRecord> records)
    {
        try
        {
            for (var i = 0; i < records.Count; i++)
            {
                var applied = _machine.Apply(append.FirstLsn + i, records[i]);
                _sizes.Apply(records[i]);
                _metadata?.Apply(append.FirstLsn + i, records[i]);
                Cdc.Applied(append.FirstLsn + i, records[i]);
                WatchExpiry(records[i]);
                if (_sizes.Count > MaxSizesKept)
                {
                    _sizes.Keep([.. _machine.OpenTransactions.Select(t => t.TxnId)]);
                }

                if (applied.Ack is { Source: not null } ack)
                {
                    _acks.Add(new PendingAck(append.FirstLsn + i, records[i].BroadcastId, ack, append.Durable));
                }

                Report(records[i], applied);
            }

            Volatile.Write(ref _openTransactions, _machine.OpenTransactionCount);
            _snapshots.Grown(records.Count, records.Sum(r => (long)r.Payload.Length));
        }
        catch (InvalidDataException)
        {
            // The log has a record that the rules cannot follow: what is in memory is worth nothing any more.
            End(LeadershipEnd.Faulted);
            throw;
        }
    }

    private void Report(WalRecord record, Applied applied)
    {
        if (record.Type != WalRecordType.AlterReplicateConfig || applied.Ack?.Message.AlterReplicateConfig is not { } change)
        {
            return;
        }

        LogConfiguration(_around.Log, Name, Term, record.BroadcastId, change.Forced, change.Ignored, _machine.Role, applied.RolledBackTxnIds.Count);
        foreach (var txnId in applied.RolledBackTxnIds)
        {
            LogRolledBack(_around.Log, Name, txnId, record.BroadcastId, change.Forced);
        }

        if (change.Forced && applied.RolledBackTxnIds.Count > 0)
        {
            _around.Metrics.TransactionsRolledBack(Name, applied.RolledBackTxnIds.Count);
        }
    }

    private async Task WhenDurableAsync(WalAppend append, long confirmedLsn, MetadataState? metadata, long started)
    {
        await append.Durable;
        if (metadata is not null)
        {
            // Before the answer: who has it, reads it here.
            _metadata!.Durable(metadata);
        }

        _around.Metrics.Appended(Name, (int)(append.LastLsn - append.FirstLsn + 1), _around.Time.GetElapsedTime(started));
        Raise(ref _confirmedLsn, confirmedLsn);
        _progress.Pulse();
    }

    private async Task SettledAsync(Task durable)
    {
        try
        {
            await durable;
        }
        catch (Exception e) when (e is WalFencedException or WalFaultedException)
        {
            throw Translate(e);
        }
    }

    /// <summary>Fenced: not in the log and never will be, so another leader may be asked. Faulted: nobody knows, so the caller must not think that nothing happened.</summary>
    private ApiException Translate(Exception e) => e is WalFencedException
        ? _around.NotLeader(Name)
        : new ApiException(ApiErrorCode.Unavailable, $"the log of channel {Name} failed; the write may or may not have happened") { RetryAfterSeconds = 1 };

    private async Task WatchLogAsync()
    {
        var end = await _writer.Ended;
        End(end.Reason switch
        {
            WalEndReason.Closed => LeadershipEnd.Closed,
            WalEndReason.Fenced => LeadershipEnd.Fenced,
            _ => LeadershipEnd.Faulted,
        });
    }

    private static void Raise(ref long value, long to)
    {
        for (var seen = Volatile.Read(ref value); seen < to;)
        {
            seen = Interlocked.CompareExchange(ref value, to, seen) is var now && now == seen ? to : now;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel} (term {Term}) took a replicate configuration by broadcast {BroadcastId}: forceUpdate={forceUpdate} ignored={Ignored}; role {Role}, {RolledBack} transactions rolled back")]
    private static partial void LogConfiguration(ILogger log, string channel, long term, long broadcastId, bool forceUpdate, bool ignored, Core.Replication.ClusterRole role, int rolledBack);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel} rolled back transaction {TxnId} by broadcast {BroadcastId}: forceUpdate={forceUpdate}")]
    private static partial void LogRolledBack(ILogger log, string channel, long txnId, long broadcastId, bool forceUpdate);
}
