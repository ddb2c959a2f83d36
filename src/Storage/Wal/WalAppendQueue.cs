using System.Diagnostics.CodeAnalysis;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>
/// What waits for the storage, already encoded into the batches in which it will be written: while one call is in flight, the next batch fills. Gives each
/// append its LSNs, and bounds what waits. No append allocates; a batch does.
/// </summary>
/// <remarks>
/// At most one taker runs. It is told to start by the append that finds none running, and has stopped when <see cref="TryTake"/> has given it nothing: an idle channel has no
/// task, no timer and no buffer.
/// </remarks>
internal sealed class WalAppendQueue(string channel, WalOptions options, TimeProvider time, long nextLsn)
{
    private readonly Lock _gate = new();
    private readonly Queue<WalBatchBuffer> _full = new();
    private WalBatchBuffer? _filling;
    private long _fillingSince;
    private TaskCompletionSource? _ripe;
    private TaskCompletionSource? _room;
    private long _nextLsn = nextLsn;
    private long _waitingBytes;
    private bool _taking;
    private Func<Exception>? _closed;

    /// <summary>The last LSN that was given; 0 when none ever was.</summary>
    public long LastLsn => Volatile.Read(ref _nextLsn) - 1;

    /// <summary>Bytes that wait, those on their way to the storage among them.</summary>
    public long WaitingBytes => Volatile.Read(ref _waitingBytes);

    /// <summary>Queues records as one unit. <paramref name="start"/>: nobody takes, and the caller must see to it that somebody does.</summary>
    /// <exception cref="WalOverloadedException">Too much is waiting.</exception>
    public WalAppend Append(IReadOnlyList<WalRecord> records, int sizeBytes, out bool start)
    {
        lock (_gate)
        {
            ThrowIfClosedInside();
            if (_waitingBytes >= options.MaxQueuedBytes)
            {
                throw new WalOverloadedException(channel, _waitingBytes);
            }

            var batch = BatchFor(records.Count, sizeBytes);
            var firstLsn = _nextLsn;
            batch.Add(records);
            Volatile.Write(ref _nextLsn, firstLsn + records.Count);
            _waitingBytes += sizeBytes;
            if (_waitingBytes >= options.MaxQueuedBytes)
            {
                // No more company can come.
                _ripe?.TrySetResult();
            }

            start = !_taking;
            _taking = true;
            return new WalAppend(firstLsn, firstLsn + records.Count - 1, batch.Durable.Task);
        }
    }

    /// <summary>The next batch to write, the oldest first. False when nothing waits: the taker has then stopped, and is the last one if the queue is <paramref name="closed"/>.</summary>
    public bool TryTake([NotNullWhen(true)] out WalBatchBuffer? batch, out bool closed)
    {
        lock (_gate)
        {
            closed = _closed is not null;
            if (!_full.TryDequeue(out batch))
            {
                (batch, _filling) = (_filling is { Count: > 0 } ? _filling : null, null);
            }

            _taking = batch is not null;
            return _taking;
        }
    }

    /// <summary>How long the oldest batch may still fill before it must be taken, and what completes when it need not wait that long.</summary>
    public (TimeSpan Left, Task Ripe) Linger()
    {
        lock (_gate)
        {
            if (options.LingerMs == 0 || _closed is not null || _full.Count > 0 || _filling is null || _waitingBytes >= options.MaxQueuedBytes)
            {
                return (TimeSpan.Zero, Task.CompletedTask);
            }

            _ripe = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return (TimeSpan.FromMilliseconds(options.LingerMs) - time.GetElapsedTime(_fillingSince), _ripe.Task);
        }
    }

    /// <summary>Bytes of <paramref name="batch"/> wait no longer.</summary>
    public void Settled(WalBatchBuffer batch)
    {
        lock (_gate)
        {
            _waitingBytes -= batch.LengthBytes - WalBatchCodec.HeaderSizeBytes;
            if (_waitingBytes < options.MaxQueuedBytes)
            {
                _room?.TrySetResult();
                _room = null;
            }
        }
    }

    /// <summary>Whether an append would be taken now, or refused for good; else what completes when it is worth trying again.</summary>
    public bool HasRoom(out Task room)
    {
        lock (_gate)
        {
            if (_closed is not null || _waitingBytes < options.MaxQueuedBytes)
            {
                room = Task.CompletedTask;
                return true;
            }

            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            room = _room.Task;
            return false;
        }
    }

    /// <summary>Throws what an append would throw because the queue is closed.</summary>
    public void ThrowIfClosed()
    {
        lock (_gate)
        {
            ThrowIfClosedInside();
        }
    }

    /// <summary>From now on every append fails with <paramref name="refusal"/>; what was queued before stays. <paramref name="start"/>: as with <see cref="Append"/>.</summary>
    public void Close(Func<Exception> refusal, out bool start)
    {
        lock (_gate)
        {
            _closed = refusal;
            _ripe?.TrySetResult();
            _room?.TrySetResult();
            _room = null;
            start = !_taking;
            _taking = true;
        }
    }

    /// <summary>Everything that waits, to be failed: a taker that fails takes no more.</summary>
    public IReadOnlyList<WalBatchBuffer> Drain()
    {
        lock (_gate)
        {
            var left = _filling is { Count: > 0 } filling ? _full.Append(filling) : _full;
            WalBatchBuffer[] drained = [.. left];
            _full.Clear();
            _filling = null;
            return drained;
        }
    }

    private void ThrowIfClosedInside()
    {
        if (_closed is not null)
        {
            throw _closed();
        }
    }

    // An append is never split, and one that is larger than a batch goes alone.
    private WalBatchBuffer BatchFor(int count, int sizeBytes)
    {
        if (_filling is { Count: > 0 } filling && (filling.Count + (long)count > options.MaxBatchRecords || filling.LengthBytes + (long)sizeBytes > options.MaxBatchBytes))
        {
            _full.Enqueue(filling);
            _filling = null;
            _ripe?.TrySetResult();
        }

        if (_filling is null)
        {
            _filling = new WalBatchBuffer(_nextLsn);
            _fillingSince = options.LingerMs == 0 ? 0 : time.GetTimestamp();
        }

        return _filling;
    }
}
