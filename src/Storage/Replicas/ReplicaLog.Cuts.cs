using Baton.Core.Wal;
using Microsoft.Extensions.Logging;

namespace Baton.Storage.Replicas;

/// <content>Truncation, trim and reset.</content>
public sealed partial class ReplicaLog
{
    private const int CopyBytes = 1024 * 1024;

    // Odd while records are being dropped from the end. A reader that sees it odd, or moved, does not trust what it has read.
    private long _cuts;

    /// <summary>Drops every record above <paramref name="lastLsn"/>, for good when this returns. Below the first record it is a reset to the LSN after it.</summary>
    /// <remarks>
    /// Steps, and what a crash after each leaves: 1. the files behind are deleted: any of them may still be there, and opening drops those behind a hole, so the log is as it was, or ends at one of their
    /// beginnings or at the end of the file to cut. 2. That file is cut where a batch ends; or, where a batch must be cut, a copy with a part of it is forced to the disk and put in its place: the log
    /// ends where it ended, or at <paramref name="lastLsn"/>. So it is never longer than before, never shorter than asked, and truncating again finishes it.
    /// </remarks>
    /// <exception cref="ReplicaDamagedException">What is to be kept of the last batch cannot be read; nothing was changed. A lower LSN, or a reset, can do it.</exception>
    /// <exception cref="ReplicaFaultedException">The disk refused, now or before: open the log again.</exception>
    public Task TruncateAsync(long lastLsn, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(lastLsn);
        return ChangeAsync("truncate", () => Truncate(lastLsn), cancellationToken);
    }

    /// <summary>Deletes files whose records are all below <paramref name="fromLsn"/>; never the last one.</summary>
    /// <remarks>From the oldest on, each for good before the next: a crash leaves a log that begins at one of the files.</remarks>
    /// <exception cref="ReplicaFaultedException">The disk refused, now or before: open the log again.</exception>
    public Task TrimAsync(long fromLsn, CancellationToken cancellationToken) => ChangeAsync(
        "trim",
        () =>
        {
            while (_segments.Count > 1 && _segments[0].Last.Lsn < fromLsn)
            {
                TrimFirst();
            }
        },
        cancellationToken);

    /// <summary>Drops everything; the next append begins at <paramref name="nextLsn"/>, also after the log was opened again.</summary>
    /// <remarks>1. A file without records, of term 0 so that no term is refused after it, is forced to the disk: from here on opening finishes the reset. 2. All others are deleted. A crash before 1 leaves the log as it was.</remarks>
    /// <exception cref="ReplicaFaultedException">The disk refused, now or before: open the log again.</exception>
    public Task ResetAsync(long nextLsn, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nextLsn, 1);
        return ChangeAsync("reset", () => Reset(nextLsn), cancellationToken);
    }

    private async Task ChangeAsync(string what, Action change, CancellationToken cancellationToken)
    {
        await _change.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _flush.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                ThrowIfUnusable();
                await Task.Run(change, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception failure) when (IsRefusal(failure))
            {
                throw Fault(what, failure);
            }
            finally
            {
                _flush.Release();
            }
        }
        finally
        {
            _change.Release();
        }
    }

    private void Truncate(long lastLsn)
    {
        if (lastLsn >= LastLsn)
        {
            return;
        }

        if (lastLsn < FirstLsn)
        {
            Reset(lastLsn + 1);
            return;
        }

        var at = _segments.FindLastIndex(s => s.FirstLsn <= lastLsn);
        var old = _segments[at];
        var file = at == _segments.Count - 1 ? _tailFile! : _files.Open(old.Name) ?? throw new IOException($"File '{old.Name}' has gone.");
        using var scan = ScanTo(old, file, lastLsn);
        BeginCut();
        DeleteBehind(at);
        var cut = new ReplicaSegment(old.Term, old.FirstLsn);
        cut.Places.AddRange(old.Places.TakeWhile(p => p.Lsn <= lastLsn));
        if (scan.Extent.LastLsn == lastLsn)
        {
            file.SetLength(scan.Place.Offset);
            file.Flush();
            (cut.LengthBytes, cut.Last) = (scan.Place.Offset, new LogPosition(lastLsn, cut.Term, scan.Extent.LastRecordCrc));
        }
        else
        {
            file = ReplaceByPart(cut, file, scan, lastLsn);
        }

        (_tail, _tailFile) = (cut, file);
        EndCut(at, cut);
    }

    // On the batch that holds lastLsn.
    private ReplicaScan ScanTo(ReplicaSegment segment, IReplicaFile file, long lastLsn)
    {
        var scan = new ReplicaScan(file, ReplicaIndex.Find(segment.Places, lastLsn), segment.LengthBytes);
        try
        {
            do
            {
                if (!scan.Next())
                {
                    throw new WalFormatException(scan.Place.Offset, $"the file ends before LSN {lastLsn}");
                }
            }
            while (scan.Extent.LastLsn < lastLsn);
            return scan;
        }
        catch (WalFormatException damage)
        {
            scan.Dispose();
            if (file != _tailFile)
            {
                file.Dispose();
            }

            throw new ReplicaDamagedException(Channel, segment.Name, scan.Place.Offset, scan.Place.Lsn, $"the batch is damaged: {damage.Message}", damage);
        }
    }

    private IReplicaFile ReplaceByPart(ReplicaSegment cut, IReplicaFile old, ReplicaScan scan, long lastLsn)
    {
        var part = WalBatchExtent.Cut(scan.Batch, scan.Extent.FirstLsn, lastLsn);
        var file = _files.Create(cut.NewName);
        Copy(old, file, scan.BatchPlace.Offset);
        file.Write(scan.BatchPlace.Offset, part);
        file.Flush();
        old.Dispose();
        _files.Replace(cut.Name, cut.NewName);
        _files.FlushFolder();
        (cut.LengthBytes, cut.Last) = (scan.BatchPlace.Offset + part.Length, new LogPosition(lastLsn, cut.Term, WalBatchExtent.Of(part).LastRecordCrc));
        return file;
    }

    private static void Copy(IReplicaFile from, IReplicaFile to, long length)
    {
        var buffer = new byte[(int)Math.Min(CopyBytes, length)];
        for (long offset = 0; offset < length;)
        {
            var read = from.Read(offset, buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - offset)));
            if (read == 0)
            {
                throw new IOException("A file is shorter than it was.");
            }

            to.Write(offset, buffer.AsSpan(0, read));
            offset += read;
        }
    }

    // The file that is to be cut is the last one then; its index would tell of what it was.
    private void DeleteBehind(int at)
    {
        if (at == _segments.Count - 1)
        {
            return;
        }

        _tailFile!.Dispose();
        for (var i = _segments.Count - 1; i > at; i--)
        {
            _files.Delete(_segments[i].Name);
            _files.Delete(_segments[i].IndexName);
        }

        _files.Delete(_segments[at].IndexName);
        _files.FlushFolder();
    }

    private void Reset(long nextLsn)
    {
        if (_segments.Count == 0 && _emptyFirstLsn == nextLsn)
        {
            return;
        }

        BeginCut();
        _tailFile?.Dispose();
        var before = _marker;
        _marker = _recovery.WriteMarker(nextLsn);
        for (var i = _segments.Count - 1; i >= 0; i--)
        {
            _files.Delete(_segments[i].Name);
            _files.Delete(_segments[i].IndexName);
        }

        if (before is not null)
        {
            _files.Delete(before.Name);
        }

        _files.FlushFolder();
        (_tail, _tailFile) = (null, null);
        EndCut(0, null, nextLsn);
    }

    private void BeginCut()
    {
        lock (_state)
        {
            _cuts++;
        }
    }

    private void EndCut(int at, ReplicaSegment? last, long emptyFirstLsn = 1)
    {
        lock (_state)
        {
            _segments.RemoveRange(at, _segments.Count - at);
            if (last is not null)
            {
                _segments.Add(last);
            }

            _emptyFirstLsn = emptyFirstLsn;
            _written = _synced = last?.Last ?? default;
            _cuts++;
        }
    }

    // With _change held, when a file begins: the finished one before it stays whatever its size.
    private void TrimToSize()
    {
        while (_segments.Count > 1 && _segments.Sum(s => s.LengthBytes) > _options.RetainBytes)
        {
            _logger.LogInformation("Replica of {Channel}: LSN {FirstLsn} to {LastLsn} go, its files have more than {RetainBytes} bytes", Channel, _segments[0].FirstLsn, _segments[0].Last.Lsn, _options.RetainBytes);
            TrimFirst();
        }
    }

    // Readers are told first: then a file that they miss is one that was trimmed.
    private void TrimFirst()
    {
        var first = _segments[0];
        lock (_state)
        {
            _segments.RemoveAt(0);
        }

        _files.Delete(first.Name);
        _files.Delete(first.IndexName);
        _files.FlushFolder();
    }
}
