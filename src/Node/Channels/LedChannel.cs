using Baton.Core.Api;
using Baton.Core.Channels;
using Baton.Core.Replication;
using Baton.Node.Broadcasts;
using Baton.Node.Cdc;
using Baton.Node.Messages;
using Baton.Node.Metadata;
using Baton.Node.Replicas.Feed;
using Baton.Storage.Wal;

namespace Baton.Node.Channels;

/// <summary>How leading a channel ended.</summary>
internal enum LeadershipEnd
{
    /// <summary>By order.</summary>
    Closed,

    /// <summary>Another node has opened the channel at a higher term.</summary>
    Fenced,

    /// <summary>The log failed: nobody knows how far it got until it is opened again.</summary>
    Faulted,
}

/// <summary>
/// A channel that this node leads: the rules (<see cref="ChannelMachine"/>) with a log under them. One request at a time is decided, handed to the
/// log and applied; its answer waits outside for the log to be durable, so that many requests share one write. A change of configuration keeps
/// everybody out until it is durable.
/// </summary>
internal sealed partial class LedChannel : IAsyncDisposable
{
    /// <summary>The role that assignments, heartbeats and statuses call leading.</summary>
    public const string LeaderRole = "leader";

    /// <summary>
    /// Segments behind the newest snapshot from which on an opening asks for a new one, however few the records: each change of leader begins a segment, each segment is a call of the next opening, and a channel that few write
    /// to would take longer to change hands each time.
    /// </summary>
    private const int MaxSegmentsRead = 4;

    private readonly ChannelMachine _machine;
    private readonly WalWriter _writer;
    private readonly WalStore _store;
    private readonly BroadcastAcks _acks;
    private readonly TransactionSizes _sizes;
    private readonly ChannelSurroundings _around;
    private readonly SemaphoreSlim _exclusive = new(1, 1);
    private readonly DurableProgress _progress = new();
    private readonly LongPoll _readers;
    private readonly RecentBatches _recent;
    private readonly TaskCompletionSource<LeadershipEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _tail = Task.CompletedTask;
    private long _confirmedLsn;
    private int _openTransactions;

    public LedChannel(ChannelMachine machine, WalWriter writer, WalStore store, BroadcastAcks acks, TransactionSizes sizes, ChannelSurroundings around, LedMetadata? metadata = null)
    {
        (_machine, _writer, _store, _acks, _sizes, _around, _metadata) = (machine, writer, store, acks, sizes, around, metadata);
        (Name, Term, _confirmedLsn, _openTransactions) = (machine.Channel, writer.Term, machine.LastConfirmedLsn, machine.OpenTransactionCount);
        _readers = new LongPoll(around.Time);
        _recent = new RecentBatches(around.RecentBytes);
        _feed = new LeaderFeed(writer.LastDurableLsn, _recent);
        _snapshots = new SnapshotWorker(machine.Channel, around.SnapshotEveryRecords, around.SnapshotTurns, TakeSnapshotAsync, around.Time, around.Metrics, around.Log);
        _expiry = new ExpiryWatch(EndExpiredAsync, around.Time);
        Cdc = new ChannelCdc(
            new CdcSource(machine.ClusterId, Name, Term, RecordsAsync, _progress, () => LastDurableLsn, () => machine.Configuration),
            machine.LastLsn);
    }

    /// <summary>The channel.</summary>
    public string Name { get; }

    /// <summary>The term at which this node leads it.</summary>
    public long Term { get; }

    /// <summary>What sends its records to other clusters.</summary>
    public ChannelCdc Cdc { get; }

    /// <summary>It serves no more.</summary>
    public bool Ended => _end.Task.IsCompleted;

    /// <summary>LSN up to which the log is durable.</summary>
    public long LastDurableLsn => _writer.LastDurableLsn;

    /// <summary>LSN up to which committed readers can read.</summary>
    public long ConfirmedLsn => Volatile.Read(ref _confirmedLsn);

    /// <summary>Acks on their way to the control plane.</summary>
    public int PendingAcks => _acks.Pending;

    /// <summary>Transactions that the log leaves open; one that has expired stays among them until the next record.</summary>
    public int OpenTransactions => Volatile.Read(ref _openTransactions);

    /// <summary>Bytes that wait for the storage.</summary>
    public long QueuedBytes => _writer.QueuedBytes;

    /// <summary>Reads that wait for the channel to grow.</summary>
    public int WaitingReaders => _readers.Waiting;

    /// <summary>The status of a channel that this node does not lead.</summary>
    public static ChannelStatus NotLed(string channel) => new(channel, "none", 0, 0, 0, ClusterRole.Standalone, null, [], 0);

    /// <summary>What a heartbeat says of it. Waits for nothing, not even for a change of configuration that is being written.</summary>
    public HeartbeatChannel Heartbeat() =>
        new(Name, Term, LeaderRole, LastDurableLsn, Volatile.Read(ref _confirmedLsn)) { Cdc = Cdc.Progress() is { Count: > 0 } progress ? progress : null };

    /// <summary>Where it stands. Waits for the channel's turn and for nothing else: a log that is full or slow is when somebody looks.</summary>
    public async Task<ChannelStatus> StatusAsync()
    {
        await _exclusive.WaitAsync();
        try
        {
            ThrowIfEnded();
            var durableLsn = LastDurableLsn;

            // The rules are ahead of the log: what they confirm may still be on its way.
            var confirmedLsn = durableLsn == _machine.LastLsn ? _machine.LastConfirmedLsn : Volatile.Read(ref _confirmedLsn);
            return new ChannelStatus(
                Name, LeaderRole, Term, durableLsn, _machine.LastTimeTick, _machine.Role, _machine.Checkpoint, [.. _machine.OpenTransactions.Select(t => t.TxnId)], confirmedLsn, _feed.Replicas());
        }
        finally
        {
            _exclusive.Release();
        }
    }

    /// <summary>Messages outside any transaction.</summary>
    public async Task<AppendResponse> AppendAsync(AppendRequest request) => Written(await WriteAsync(now => _machine.PrepareAppend(request, now)));

    /// <summary>Begins a transaction.</summary>
    public Task<BeginTransactionResponse> BeginAsync(BeginTransactionRequest request) => WriteAsync(now => _machine.PrepareBegin(request, now));

    /// <summary>Messages of a transaction.</summary>
    public async Task<AppendResponse> AppendToTransactionAsync(long txnId, AppendRequest request) =>
        Written(await WriteAsync(now => _machine.PrepareTransactionAppend(txnId, request, now), _sizes.Check));

    /// <summary>Makes a transaction's messages visible.</summary>
    public async Task<AppendResponse> CommitAsync(long txnId) => Written(await WriteAsync(now => _machine.PrepareCommit(txnId, now)));

    /// <summary>Drops a transaction.</summary>
    public async Task<AppendResponse> RollbackAsync(long txnId) => Written(await WriteAsync(now => _machine.PrepareRollback(txnId, now)));

    /// <summary>Messages from an LSN on; waits for the first one up to <paramref name="wait"/>.</summary>
    public Task<ReadResponse> ReadAsync(long from, int max, TimeSpan wait, Isolation isolation, bool showTokens, CancellationToken ct) => _readers.ReadAsync(
        _progress,
        from,
        wait,
        async next =>
        {
            ThrowIfEnded();
            return await LookAsync(new LogRead(next, LastDurableLsn, max, isolation, showTokens), ct);
        },
        ct);

    /// <summary>Completes when leading ends, by order or because the log says so.</summary>
    public Task<LeadershipEnd> WaitEndAsync() => _end.Task;

    /// <summary>Stops serving, lets what is under way get its answer, and lets go of the log.</summary>
    public async ValueTask DisposeAsync()
    {
        End(LeadershipEnd.Closed);
        await Cdc.DisposeAsync();
        await _snapshots.DisposeAsync();
        await _expiry.DisposeAsync();
        await _exclusive.WaitAsync();
        try
        {
            await _writer.DisposeAsync();
        }
        finally
        {
            _exclusive.Release();
        }

        await _acks.DisposeAsync();
    }

    /// <summary>Starts the watch over the log and over open transactions, the acks still owed, and a snapshot where the opening had to read so much that the next one should not.</summary>
    public void Start(ChannelRecovery recovery)
    {
        foreach (var ack in recovery.Owed)
        {
            _acks.Add(ack);
        }

        _metadata?.Durable(_metadata.Head);
        _writer.Observe(_feed);
        _ = WatchLogAsync();
        _snapshots.Grown(_writer.SegmentsBehind(recovery.SnapshotLsn) > MaxSegmentsRead ? _around.SnapshotEveryRecords : recovery.Records, recovery.PayloadBytes);
        if (_machine.NextExpiry is not null)
        {
            _expiry.Begun();
        }
    }

    private AppendResponse Written(WriteAnswer answer) => new(answer.FirstLsn, answer.LastLsn, answer.TimeTick, Term);

    private async Task<Look> LookAsync(LogRead read, CancellationToken ct)
    {
        try
        {
            var (messages, next) = await LogReader.ReadAsync(RecordsAsync, read, ct);
            return new Look(messages, next, read.Through);
        }
        catch (WalFaultedException e)
        {
            LogReadFailed(_around.Log, e, Name, read.From);
            throw new ApiException(ApiErrorCode.Unavailable, "the log cannot be read at the moment") { RetryAfterSeconds = 1 };
        }
    }

    // What was written just now is in memory; all else is in the storage.
    private IAsyncEnumerable<WalEntry> RecordsAsync(long fromLsn, long throughLsn, CancellationToken ct) =>
        _recent.Find(fromLsn, throughLsn, Term) is { } recent ? recent.ToAsyncEnumerable() : _store.ReadAsync(Name, fromLsn, throughLsn, ct);

    private void End(LeadershipEnd end)
    {
        if (_end.TrySetResult(end))
        {
            _around.Metrics.LeadershipEnded(end);
            Cdc.Stop();
            _progress.Pulse();
            _feed.End();
        }
    }

    private void ThrowIfEnded()
    {
        if (Ended)
        {
            throw _around.NotLeader(Name);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel} could not be read from LSN {FromLsn}")]
    private static partial void LogReadFailed(ILogger log, Exception exception, string channel, long fromLsn);
}
