using Baton.Core.Wal;
using Microsoft.Extensions.Logging;

namespace Baton.Storage.Replicas;

/// <summary>A channel's records on this node's own disk. Safe for use by many threads; changes go one after the other, reads go beside them.</summary>
/// <remarks>
/// Who may change what: files and the last file's handle, who holds <c>_change</c>; which file is the last, who holds <c>_flush</c> too; what readers are told, who holds <c>_state</c>, for a moment and never
/// around a call to the disk. So a flush goes on beside appends, and both beside reads.
/// <para>
/// A crash leaves files whose last batches are missing or torn, never a hole: a file is forced to the disk before the next one is begun, whatever the policy, and the folder after every file that comes or goes.
/// The truncation, the trim and the reset say at their steps what a crash there leaves. <see cref="ReplicaRecovery"/> has the other half.
/// </para>
/// <para>
/// When the disk refuses a change, what it left is not known: the log takes no more and is opened again. A flush that failed may have lost bytes that this host still shows from memory; if it crashes afterwards, opening
/// or reading finds that.
/// </para>
/// </remarks>
public sealed partial class ReplicaLog : IAsyncDisposable
{
    private readonly SemaphoreSlim _change = new(1);
    private readonly SemaphoreSlim _flush = new(1);
    private readonly Lock _state = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly IReplicaFiles _files;
    private readonly ReplicaLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ReplicaRecovery _recovery;
    private readonly List<ReplicaSegment> _segments;
    private ReplicaSegment? _marker;
    private ReplicaSegment? _tail;
    private IReplicaFile? _tailFile;
    private LogPosition _written;
    private LogPosition _synced;
    private long _emptyFirstLsn;
    private Task? _flusher;
    private Exception? _fault;
    private bool _disposed;

    private ReplicaLog(string channel, IReplicaFiles files, ReplicaLogOptions options, TimeProvider time, ILogger logger)
    {
        (Channel, _files, _options, _time, _logger) = (channel, files, options, time, logger);
        _recovery = new ReplicaRecovery(channel, files, time, logger);
        (_segments, _marker) = _recovery.Run();
        _emptyFirstLsn = _marker?.FirstLsn ?? 1;
        if (_segments is [.., var last])
        {
            _tail = last;
            _tailFile = files.Open(last.Name) ?? throw new IOException($"File '{last.Name}' has gone.");
            (_written, _synced) = (last.Last, last.Last);
        }
    }

    /// <summary>The channel.</summary>
    public string Channel { get; }

    /// <summary>The disk has refused a change: the log takes no more of them, and is to be opened again.</summary>
    public bool Faulted => Volatile.Read(ref _fault) is not null;

    /// <summary>The first LSN that it holds, or would hold next when it is empty.</summary>
    public long FirstLsn
    {
        get
        {
            lock (_state)
            {
                return _segments.Count == 0 ? _emptyFirstLsn : _segments[0].FirstLsn;
            }
        }
    }

    /// <summary>The last record written; LSN <c>FirstLsn - 1</c> when empty.</summary>
    public long LastLsn
    {
        get
        {
            lock (_state)
            {
                return _segments.Count == 0 ? _emptyFirstLsn - 1 : _written.Lsn;
            }
        }
    }

    /// <summary>The last record written, flushed or not.</summary>
    public LogPosition Last
    {
        get
        {
            lock (_state)
            {
                return _written;
            }
        }
    }

    /// <summary>The last record that survives a crash of the host, by the fsync policy.</summary>
    public LogPosition Flushed
    {
        get
        {
            lock (_state)
            {
                return _options.Fsync == ReplicaFsync.Never ? _written : _synced;
            }
        }
    }

    /// <summary>Opens a channel's log, or begins it, and repairs what a crash left half done.</summary>
    /// <exception cref="ArgumentException">No channel can have that name.</exception>
    /// <exception cref="InvalidOperationException">An option makes no sense.</exception>
    /// <exception cref="ReplicaFaultedException">The disk refused, or another has the folder.</exception>
    public static Task<ReplicaLog> OpenAsync(string channel, ReplicaLogOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        return Task.Run(() => Open(channel, ReplicaFolder.Open(options.Folder, channel), options, time, logger), cancellationToken);
    }

    /// <summary>Opens the log in <paramref name="files"/>, which are let go of with it, or when it cannot be opened.</summary>
    internal static ReplicaLog Open(string channel, IReplicaFiles files, ReplicaLogOptions options, TimeProvider time, ILogger logger)
    {
        try
        {
            return new ReplicaLog(channel, files, options, time, logger);
        }
        catch (Exception failure)
        {
            files.Dispose();
            if (IsRefusal(failure))
            {
                throw new ReplicaFaultedException(channel, "it cannot be opened, the disk refused", failure);
            }

            throw;
        }
    }

    /// <summary>Appends a batch of the channel's log, as it stands in a segment. Records that are here already are left out.</summary>
    /// <remarks>Of the batch's records only length and CRC are checked. A batch that is here wholly is no error, whatever its term. A first append to a log that was never reset begins at LSN 1.</remarks>
    /// <exception cref="WalFormatException">It is not one whole, undamaged batch.</exception>
    /// <exception cref="ReplicaGapException">It begins behind the next LSN.</exception>
    /// <exception cref="ReplicaTermRefusedException">Its term is below the last record's.</exception>
    /// <exception cref="ReplicaFaultedException">The disk refused, now or before: open the log again.</exception>
    public async Task AppendAsync(long term, ReadOnlyMemory<byte> batch, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(term, 1);
        var extent = WalBatchExtent.Of(batch.Span);
        await _change.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfUnusable();
            var next = LastLsn + 1;
            if (extent.LastLsn < next)
            {
                return;
            }

            if (extent.FirstLsn > next)
            {
                throw new ReplicaGapException(Channel, next, extent.FirstLsn);
            }

            if (term < _written.Term)
            {
                throw new ReplicaTermRefusedException(Channel, term, _written.Term);
            }

            if (_tail is null || _tail.Term != term || _tail.LengthBytes >= _options.SegmentBytes)
            {
                await BeginFileAsync(term, next).ConfigureAwait(false);
            }

            Write(extent.FirstLsn == next ? batch.Span : WalBatchExtent.Cut(batch.Span, next, extent.LastLsn), next, new LogPosition(extent.LastLsn, term, extent.LastRecordCrc));
            if (_options.Fsync == ReplicaFsync.Always)
            {
                await FlushAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (IsRefusal(failure))
        {
            throw Fault("append", failure);
        }
        finally
        {
            _change.Release();
        }
    }

    /// <summary>Forces what is written to the disk now.</summary>
    /// <exception cref="ReplicaFaultedException">The disk refused, now or before: open the log again.</exception>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await _flush.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfUnusable();
            await SyncAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (IsRefusal(failure))
        {
            throw Fault("flush", failure);
        }
        finally
        {
            _flush.Release();
        }
    }

    /// <summary>Flushes and lets go of the files. What the disk refuses now is logged: nobody was told that it is flushed.</summary>
    public async ValueTask DisposeAsync()
    {
        Task? flusher;
        lock (_state)
        {
            if (_disposed)
            {
                return;
            }

            (_disposed, flusher) = (true, _flusher);
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await (flusher ?? Task.CompletedTask).ConfigureAwait(false);
        await _change.WaitAsync().ConfigureAwait(false);
        await _flush.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_fault is null)
            {
                await SyncAsync().ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (IsRefusal(failure))
        {
            Fault("flush", failure);
        }
        finally
        {
            _tailFile?.Dispose();
            _files.Dispose();
            _flush.Release();
            _change.Release();
            _stop.Dispose();
        }
    }

    private static bool IsRefusal(Exception failure) => failure is IOException or UnauthorizedAccessException;

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed), this);
        if (Volatile.Read(ref _fault) is { } fault)
        {
            throw new ReplicaFaultedException(Channel, "the disk refused before; it must be opened again", fault);
        }
    }

    private ReplicaFaultedException Fault(string what, Exception failure)
    {
        if (Interlocked.CompareExchange(ref _fault, failure, null) is null)
        {
            _logger.LogError(failure, "Replica of {Channel}: the disk refused to {What}; it must be opened again", Channel, what);
        }

        return new ReplicaFaultedException(Channel, $"the disk refused to {what}; it must be opened again", failure);
    }
}
