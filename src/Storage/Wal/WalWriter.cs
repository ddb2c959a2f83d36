using Baton.Core.Wal;
using Microsoft.Extensions.Logging;

namespace Baton.Storage.Wal;

/// <summary>An append that has its place in the log's order and waits to become durable.</summary>
/// <param name="FirstLsn">LSN of its first record.</param>
/// <param name="LastLsn">LSN of its last record.</param>
/// <param name="Durable">Completes when the storage has it. Fails with <see cref="WalFencedException"/>: it is not in the log; or <see cref="WalFaultedException"/>: unknown.</param>
public readonly record struct WalAppend(long FirstLsn, long LastLsn, Task Durable);

/// <summary>Why a writer ended.</summary>
public enum WalEndReason
{
    /// <summary>Its owner closed it.</summary>
    Closed,

    /// <summary>Another opener has the channel.</summary>
    Fenced,

    /// <summary>The storage failed for too long.</summary>
    Faulted,
}

/// <summary>The end of a writer.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Cause">What it failed with; null when it was closed.</param>
public sealed record WalEnd(WalEndReason Reason, Exception? Cause);

/// <summary>The one writer of a channel at its term. Safe for use by many threads.</summary>
/// <remarks>
/// Group commit: one call is in flight, what comes meanwhile goes with the next one. A lone append pays one round trip, a thousand at once share one.
/// </remarks>
public sealed partial class WalWriter : IAsyncDisposable
{
    private readonly TaskCompletionSource<WalEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly WalFence _fence;
    private readonly WalLogReader _reader;
    private readonly WalOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly WalHistoryKeeper _history;
    private readonly WalAppendQueue _queue;
    private volatile VersionedManifest _held;
    private WalSegmentAppender _appender;
    private long _lastDurableLsn;
    private IWalBatchObserver? _observer;

    internal WalWriter(WalFence fence, WalLogReader reader, WalOptions options, TimeProvider time, ILogger logger, VersionedManifest held, WalSegmentAppender appender, long nextLsn, WalHistoryKeeper history)
    {
        (_fence, _reader, _options, _time, _logger, _history) = (fence, reader, options, time, logger, history);
        (_held, _appender, _lastDurableLsn) = (held, appender, nextLsn - 1);
        (Channel, Term) = (held.Manifest.Channel, held.Manifest.Term);
        _queue = new WalAppendQueue(Channel, options, time, nextLsn);
    }

    /// <summary>The channel.</summary>
    public string Channel { get; }

    /// <summary>The term under which it writes.</summary>
    public long Term { get; }

    /// <summary>The last LSN that the storage has; 0 when the log is empty.</summary>
    public long LastDurableLsn => Volatile.Read(ref _lastDurableLsn);

    /// <summary>How many segments an opening has to read behind a snapshot at <paramref name="lsn"/>, the one that is written to included: each is a call, however few its records.</summary>
    public int SegmentsBehind(long lsn) => _held.Manifest.Segments.Count(s => !s.Sealed || s.LastLsn > lsn);

    /// <summary>Bytes of records that wait for the storage, those on their way among them.</summary>
    public long QueuedBytes => _queue.WaitingBytes;

    /// <summary>Completes, never fails, when the writer has ended: its owner must stop serving the channel.</summary>
    public Task<WalEnd> Ended => _ended.Task;

    /// <summary>Has <paramref name="observer"/> see every batch from the next one on; null ends it.</summary>
    public void Observe(IWalBatchObserver? observer) => Volatile.Write(ref _observer, observer);

    /// <summary>Gives records the next LSNs, in the order of the calls, and queues them. They become durable together or not at all.</summary>
    /// <remarks>Encodes at once: the records and their payloads may be changed or reused when this returns. Allocates nothing.</remarks>
    /// <exception cref="ArgumentException">No records, too many bytes for one batch, or a text that is no valid Unicode.</exception>
    /// <exception cref="WalOverloadedException">Too much is waiting; nothing was queued. <see cref="WaitForRoomAsync"/> first.</exception>
    /// <exception cref="WalFencedException">The writer has ended: another has the channel.</exception>
    /// <exception cref="WalFaultedException">The writer has ended: the storage failed.</exception>
    /// <exception cref="ObjectDisposedException">The writer was closed.</exception>
    public WalAppend Append(IReadOnlyList<WalRecord> records)
    {
        ArgumentNullException.ThrowIfNull(records);
        if (records.Count == 0)
        {
            throw new ArgumentException("An append has at least one record.", nameof(records));
        }

        var size = 0L;
        for (var i = 0; i < records.Count; i++)
        {
            size += WalBatchCodec.RecordSize(records[i]);
        }

        if (size > WalBatchCodec.MaxSizeBytes - WalBatchCodec.HeaderSizeBytes)
        {
            throw new ArgumentException($"An append of {size} bytes does not fit a batch of {WalBatchCodec.MaxSizeBytes}.", nameof(records));
        }

        var append = _queue.Append(records, (int)size, out var start);
        if (start)
        {
            StartWriting();
        }

        return append;
    }

    /// <summary>Waits while too many bytes wait for the storage, at most <see cref="WalOptions.QueueWaitMs"/>. Of many that wait, the next <see cref="Append"/> may still come too late.</summary>
    /// <exception cref="WalOverloadedException">There was no room in that time.</exception>
    public ValueTask WaitForRoomAsync(CancellationToken cancellationToken) =>
        _queue.HasRoom(out var room) ? ValueTask.CompletedTask : WaitAsync(room, cancellationToken);

    /// <summary>Takes no more appends, writes what is queued within <see cref="WalOptions.CloseTimeoutMs"/>, and ends. The channel stays claimed until another opens it.</summary>
    public async ValueTask DisposeAsync()
    {
        Close(() => new ObjectDisposedException(nameof(WalWriter)));
        try
        {
            await _ended.Task.WaitAsync(TimeSpan.FromMilliseconds(_options.CloseTimeoutMs), _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await _ended.Task.ConfigureAwait(false);
        }
    }

    private async ValueTask WaitAsync(Task room, CancellationToken cancellationToken)
    {
        var limit = TimeSpan.FromMilliseconds(_options.QueueWaitMs);
        var since = _time.GetTimestamp();
        do
        {
            try
            {
                var left = limit - _time.GetElapsedTime(since);
                await room.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                throw new WalOverloadedException(Channel, _options.MaxQueuedBytes);
            }
        }
        while (!_queue.HasRoom(out room));
    }

    private void Close(Func<Exception> refusal)
    {
        _queue.Close(refusal, out var start);
        if (start)
        {
            StartWriting();
        }
    }

    // Owned by the writer: it never fails, and what it meets ends the writer.
    private void StartWriting() => ThreadPool.UnsafeQueueUserWorkItem(static writer => _ = writer.WriteQueuedAsync(), this, preferLocal: false);

    private async Task WriteQueuedAsync()
    {
        var end = new WalEnd(WalEndReason.Closed, null);
        WalBatchBuffer? batch = null;
        try
        {
            var closed = false;
            await LingerAsync().ConfigureAwait(false);
            while (_queue.TryTake(out batch, out closed))
            {
                await WriteAsync(batch).ConfigureAwait(false);

                // What the processor has to do first: the answers to these appends, and requests that have arrived. Where it is what everybody waits for, more of them share the next call.
                await Task.Yield();
                await LingerAsync().ConfigureAwait(false);
            }

            if (!closed)
            {
                return;
            }
        }
        catch (WalFencedException failure)
        {
            end = new WalEnd(WalEndReason.Fenced, failure);
        }
        catch (OperationCanceledException failure) when (_stop.IsCancellationRequested)
        {
            end = new WalEnd(WalEndReason.Faulted, new WalFaultedException($"The writer of channel '{Channel}' was closed before the storage had answered.", failure));
        }
        catch (Exception failure)
        {
            end = new WalEnd(WalEndReason.Faulted, failure as WalFaultedException ?? new WalFaultedException($"The writer of channel '{Channel}' failed: {failure.Message}", failure));
        }

        End(end, batch);
    }

    private async ValueTask LingerAsync()
    {
        if (_options.LingerMs > 0 && _queue.Linger() is { Left.Ticks: > 0 } linger)
        {
            await linger.Ripe.WaitAsync(linger.Left, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WriteAsync(WalBatchBuffer batch)
    {
        if (_appender.Blocks > 1 && (_appender.Blocks >= _options.MaxSegmentBlocks || _appender.Length + batch.LengthBytes > _options.MaxSegmentBytes))
        {
            await RollAsync(batch.FirstLsn).ConfigureAwait(false);
        }

        var offset = _appender.Length;
        var bytes = batch.Complete();
        var observer = Volatile.Read(ref _observer);
        observer?.Writing(batch.FirstLsn, batch.Count, bytes);
        var sentOnce = await _appender.AppendAsync(bytes, _stop.Token).ConfigureAwait(false);
        _reader.Index.Note(_appender.Segment.BlobName(Channel), new WalSegmentPlace(batch.FirstLsn, offset));
        Volatile.Write(ref _lastDurableLsn, batch.LastLsn);
        _queue.Settled(batch);
        batch.Durable.SetResult();
        observer?.Durable(batch.LastLsn);
        if (sentOnce)
        {
            batch.Release();
        }
    }

    // Nothing of the new segment is acknowledged before the manifest has it: StartSegmentAsync returns after that.
    private async Task RollAsync(long nextLsn)
    {
        var ended = _appender.Segment with { LastLsn = nextLsn - 1, LengthBytes = _appender.Length };
        try
        {
            await _fence.SealAsync(Channel, ended, _stop.Token).ConfigureAwait(false);
        }
        catch (WalDamagedException)
        {
            // What a later holder has deleted is missed here, and is no damage: then this one is fenced.
            await _fence.ReadHeldAsync(_held.Manifest, _stop.Token).ConfigureAwait(false);
            throw;
        }

        (var held, _appender) = await _fence.StartSegmentAsync(_held, ended, nextLsn, [], _stop.Token).ConfigureAwait(false);
        Hold(held);
        _logger.LogInformation("Channel {Channel}, term {Term}: new segment at LSN {FirstLsn} after {LengthBytes} bytes", Channel, Term, nextLsn, ended.LengthBytes);
    }

    private void End(WalEnd end, WalBatchBuffer? inFlight)
    {
        if (end.Cause is not { } cause)
        {
            _ended.TrySetResult(end);
            return;
        }

        // A fence or a fault met while closing is what the owner must know.
        _queue.Close(Refusal(end.Reason, cause), out _);
        _logger.LogWarning(cause, "The writer of channel {Channel} at term {Term} has ended: {Reason}, durable through LSN {LastDurableLsn}", Channel, Term, end.Reason, LastDurableLsn);
        _ended.TrySetResult(end);
        inFlight?.Durable.SetException(cause);
        foreach (var batch in _queue.Drain())
        {
            batch.Durable.SetException(cause);
        }
    }

    private Func<Exception> Refusal(WalEndReason reason, Exception cause) => reason == WalEndReason.Fenced
        ? () => new WalFencedException(Channel, Term, "it has ended")
        : () => new WalFaultedException($"The writer of channel '{Channel}' at term {Term} has ended.", cause);
}
