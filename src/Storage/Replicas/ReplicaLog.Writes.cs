using Microsoft.Extensions.Logging;

namespace Baton.Storage.Replicas;

/// <content>Appends, and when they reach the disk.</content>
public sealed partial class ReplicaLog
{
    // With _change held. A failure leaves a torn batch that no reader is told of, and the next opening cuts.
    private void Write(ReadOnlySpan<byte> batch, long firstLsn, LogPosition last)
    {
        var tail = _tail!;
        _tailFile!.Write(tail.LengthBytes, batch);
        lock (_state)
        {
            tail.NoteBatch(last, firstLsn, batch.Length);
            if (_segments.Count == 0 || _segments[^1] != tail)
            {
                _segments.Add(tail);
            }

            _written = last;
            if (_options.Fsync == ReplicaFsync.Interval && !_disposed)
            {
                _flusher ??= FlushLaterAsync();
            }
        }
    }

    // With _change held. A crash leaves, in this order: the old file, whole; beside it a file that is empty or has a header, which opening drops; beside the marker of an empty log one that the marker drops.
    private async Task BeginFileAsync(long term, long firstLsn)
    {
        await _flush.WaitAsync().ConfigureAwait(false);
        try
        {
            await SyncAsync().ConfigureAwait(false);
            if (_tail is { } ended)
            {
                _recovery.WriteIndex(ended);
                _tailFile!.Dispose();
            }

            _tail = new ReplicaSegment(term, firstLsn);
            _tailFile = _files.Create(_tail.Name);
            var header = _recovery.Header(_tail);
            _tailFile.Write(0, header);
            _tail.LengthBytes = header.Length;
            _files.FlushFolder();
            if (_marker is { } marker)
            {
                _files.Delete(marker.Name);
                _files.FlushFolder();
                _marker = null;
            }
        }
        finally
        {
            _flush.Release();
        }

        TrimToSize();
    }

    // With _flush held: the last file stays the last.
    private async Task SyncAsync()
    {
        LogPosition written;
        lock (_state)
        {
            written = _written;
            if (_synced.Lsn == written.Lsn)
            {
                return;
            }
        }

        await Task.Run(_tailFile!.Flush).ConfigureAwait(false);
        lock (_state)
        {
            _synced = written;
        }
    }

    // One at a time, and only while something is not flushed. It never fails: what the disk refuses, the next call says.
    private async Task FlushLaterAsync()
    {
        try
        {
            bool more;
            do
            {
                await Task.Delay(TimeSpan.FromMilliseconds(_options.FsyncIntervalMs), _time, _stop.Token).ConfigureAwait(false);
                await FlushAsync(_stop.Token).ConfigureAwait(false);
                lock (_state)
                {
                    more = _synced.Lsn != _written.Lsn;
                    _flusher = more ? _flusher : null;
                }
            }
            while (more);
        }
        catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException)
        {
            // Disposing flushes what is left.
        }
        catch (ReplicaFaultedException failure)
        {
            _logger.LogDebug(failure, "Replica of {Channel}: no more flushes", Channel);
        }
    }
}
