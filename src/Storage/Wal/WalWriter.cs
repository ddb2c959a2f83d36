using System.Buffers;
using System.Threading.Channels;
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
public sealed class WalWriter : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Channel<PendingAppend> _queue = System.Threading.Channels.Channel.CreateUnbounded<PendingAppend>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource<WalEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<PendingAppend> _batch = [];
    private readonly WalFence _fence;
    private readonly WalLogReader _reader;
    private readonly WalOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private VersionedManifest _held;
    private WalSegmentAppender _appender;
    private long _nextLsn;
    private long _queuedBytes;
    private long _lastDurableLsn;
    private WalEnd? _end;

    internal WalWriter(WalFence fence, WalLogReader reader, WalOptions options, TimeProvider time, ILogger logger, VersionedManifest held, WalSegmentAppender appender, long nextLsn)
    {
        (_fence, _reader, _options, _time, _logger) = (fence, reader, options, time, logger);
        (_held, _appender, _nextLsn, _lastDurableLsn) = (held, appender, nextLsn, nextLsn - 1);
        (Channel, Term) = (held.Manifest.Channel, held.Manifest.Term);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>The channel.</summary>
    public string Channel { get; }

    /// <summary>The term under which it writes.</summary>
    public long Term { get; }

    /// <summary>The last LSN that the storage has; 0 when the log is empty.</summary>
    public long LastDurableLsn => Volatile.Read(ref _lastDurableLsn);

    /// <summary>Completes, never fails, when the writer has ended: its owner must stop serving the channel.</summary>
    public Task<WalEnd> Ended => _ended.Task;

    /// <summary>Gives records the next LSNs, in the order of the calls, and queues them. They become durable together or not at all.</summary>
    /// <exception cref="ArgumentException">No records, too many bytes for one batch, or a text that is no valid Unicode.</exception>
    /// <exception cref="WalOverloadedException">Too much is waiting; nothing was queued.</exception>
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

        var bytes = new ArrayBufferWriter<byte>();
        foreach (var record in records)
        {
            WalBatchCodec.AppendRecord(bytes, record);
        }

        if (bytes.WrittenCount > WalBatchCodec.MaxSizeBytes - WalBatchCodec.HeaderSizeBytes)
        {
            throw new ArgumentException($"An append of {bytes.WrittenCount} bytes does not fit a batch of {WalBatchCodec.MaxSizeBytes}.", nameof(records));
        }

        lock (_gate)
        {
            ThrowIfEnded();
            if (_queuedBytes > 0 && _queuedBytes + bytes.WrittenCount > _options.MaxQueuedBytes)
            {
                throw new WalOverloadedException(Channel, _queuedBytes);
            }

            var pending = new PendingAppend(_nextLsn, records.Count, bytes.WrittenMemory, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            _nextLsn += records.Count;
            _queuedBytes += bytes.WrittenCount;
            _queue.Writer.TryWrite(pending);
            return new WalAppend(pending.FirstLsn, pending.FirstLsn + pending.Count - 1, pending.Durable.Task);
        }
    }

    /// <summary>Takes no more appends, writes what is queued within <see cref="WalOptions.CloseTimeoutMs"/>, and ends. The channel stays claimed until another opens it.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _end ??= new WalEnd(WalEndReason.Closed, null);
            _queue.Writer.TryComplete();
        }

        try
        {
            await _loop.WaitAsync(TimeSpan.FromMilliseconds(_options.CloseTimeoutMs), _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await _loop.ConfigureAwait(false);
        }
    }

    private async Task RunAsync()
    {
        var end = new WalEnd(WalEndReason.Closed, null);
        try
        {
            while (await _queue.Reader.WaitToReadAsync().ConfigureAwait(false))
            {
                await WriteAsync(TakeBatch()).ConfigureAwait(false);
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

        End(end);
    }

    private PendingBatch TakeBatch()
    {
        _batch.Clear();
        var size = WalBatchCodec.HeaderSizeBytes;
        while (_queue.Reader.TryPeek(out var next) && (_batch.Count == 0 || size + next.Bytes.Length <= _options.MaxBatchBytes))
        {
            _queue.Reader.TryRead(out _);
            _batch.Add(next);
            size += next.Bytes.Length;
        }

        var bytes = new byte[size];
        var at = WalBatchCodec.HeaderSizeBytes;
        foreach (var append in _batch)
        {
            append.Bytes.CopyTo(bytes.AsMemory(at));
            at += append.Bytes.Length;
        }

        var count = _batch.Sum(append => append.Count);
        WalBatchCodec.WriteHeader(bytes, _batch[0].FirstLsn, count);
        return new PendingBatch(_batch[0].FirstLsn, count, bytes);
    }

    private async Task WriteAsync(PendingBatch batch)
    {
        if (_appender.Blocks > 1 && (_appender.Blocks >= _options.MaxSegmentBlocks || _appender.Length + batch.Bytes.Length > _options.MaxSegmentBytes))
        {
            await RollAsync(batch.FirstLsn).ConfigureAwait(false);
        }

        var offset = _appender.Length;
        await _appender.AppendAsync(batch.Bytes, _stop.Token).ConfigureAwait(false);
        _reader.Index.Note(_appender.Segment.BlobName(Channel), new WalSegmentPlace(batch.FirstLsn, offset));
        Volatile.Write(ref _lastDurableLsn, batch.FirstLsn + batch.Count - 1);
        lock (_gate)
        {
            _queuedBytes -= batch.Bytes.Length - WalBatchCodec.HeaderSizeBytes;
        }

        foreach (var append in _batch)
        {
            append.Durable.SetResult();
        }

        _batch.Clear();
    }

    // Nothing of the new segment is acknowledged before the manifest has it: StartSegmentAsync returns after that.
    private async Task RollAsync(long nextLsn)
    {
        var ended = _appender.Segment with { LastLsn = nextLsn - 1, LengthBytes = _appender.Length };
        await _fence.SealAsync(Channel, ended, _stop.Token).ConfigureAwait(false);
        (_held, _appender) = await _fence.StartSegmentAsync(_held, ended, nextLsn, _stop.Token).ConfigureAwait(false);
        _reader.Note(_held.Manifest);
        _logger.LogInformation("Channel {Channel}, term {Term}: new segment at LSN {FirstLsn} after {LengthBytes} bytes", Channel, Term, nextLsn, ended.LengthBytes);
    }

    private void End(WalEnd end)
    {
        lock (_gate)
        {
            // A fence or a fault met while closing is what the owner must know.
            _end = end;
            _queue.Writer.TryComplete();
        }

        if (end.Cause is not null)
        {
            _logger.LogWarning(end.Cause, "The writer of channel {Channel} at term {Term} has ended: {Reason}, durable through LSN {LastDurableLsn}", Channel, Term, end.Reason, LastDurableLsn);
        }

        _ended.SetResult(end);
        foreach (var append in _batch)
        {
            append.Durable.SetException(end.Cause!);
        }

        while (_queue.Reader.TryRead(out var append))
        {
            append.Durable.SetException(end.Cause!);
        }
    }

    private void ThrowIfEnded()
    {
        ObjectDisposedException.ThrowIf(_end is { Reason: WalEndReason.Closed }, this);
        if (_end is { Reason: WalEndReason.Fenced })
        {
            throw new WalFencedException(Channel, Term, "it has ended");
        }

        if (_end is { Cause: { } cause })
        {
            throw new WalFaultedException($"The writer of channel '{Channel}' at term {Term} has ended.", cause);
        }
    }

    private sealed record PendingAppend(long FirstLsn, int Count, ReadOnlyMemory<byte> Bytes, TaskCompletionSource Durable);

    private readonly record struct PendingBatch(long FirstLsn, int Count, byte[] Bytes);
}
