using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Storage.Replicas;

/// <content>Reads, beside changes.</content>
public sealed partial class ReplicaLog
{
    /// <summary>Records in order, checked, of <paramref name="fromLsn"/> to <paramref name="throughLsn"/>, or to the last one written, flushed or not, when the read comes there.</summary>
    /// <remarks>Holds one batch, and a buffer of 256 KiB or of the largest batch, and reads on the caller's thread. A record may be kept: its payload is a slice of its batch's own array.</remarks>
    /// <exception cref="ReplicaTrimmedException">The next record is below the first one held, also when it was trimmed while the read was under way.</exception>
    /// <exception cref="ReplicaCutException">The log was truncated or reset meanwhile.</exception>
    /// <exception cref="ReplicaDamagedException">A record cannot be read; those before it have been given.</exception>
    /// <exception cref="ReplicaFaultedException">The disk refused.</exception>
    public async IAsyncEnumerable<WalEntry> ReadAsync(long fromLsn, long throughLsn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(fromLsn, 1);

        // Reads of files do not wait for anything but the disk; the shape is that of a read of the blobs.
        await Task.CompletedTask.ConfigureAwait(false);
        var cuts = Volatile.Read(ref _cuts);
        var next = fromLsn;
        while (next <= throughLsn && Look(next, cuts) is { } part)
        {
            using var file = OpenOrMiss(part);
            using var scan = file is null ? null : new ReplicaScan(file, part.Start, part.EndOffset);
            while (scan is not null && next <= throughLsn && NextDecoded(scan, part, next, cuts) is { } batch)
            {
                cancellationToken.ThrowIfCancellationRequested();
                for (; next <= Math.Min(batch.LastLsn, throughLsn); next++)
                {
                    yield return new WalEntry(next, part.Segment.Term, batch.Records[(int)(next - batch.FirstLsn)]);
                }
            }
        }
    }

    /// <summary>A record's place, term and checksum; null when it is not held.</summary>
    /// <exception cref="ReplicaCutException">The log was truncated or reset meanwhile.</exception>
    /// <exception cref="ReplicaDamagedException">It cannot be read.</exception>
    /// <exception cref="ReplicaFaultedException">The disk refused.</exception>
    public Task<LogPosition?> PositionAsync(long lsn, CancellationToken cancellationToken) => Task.Run<LogPosition?>(
        () =>
        {
            try
            {
                return Position(lsn, cancellationToken);
            }
            catch (ReplicaTrimmedException)
            {
                // Not held, or not any more: that is the answer.
                return null;
            }
        },
        cancellationToken);

    private LogPosition? Position(long lsn, CancellationToken cancellationToken)
    {
        var cuts = Volatile.Read(ref _cuts);
        while (Look(lsn, cuts) is { } part)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var file = OpenOrMiss(part);
            using var scan = file is null ? null : new ReplicaScan(file, part.Start, part.EndOffset);
            if (scan is not null && NextHolding(scan, part, lsn, cuts))
            {
                return new LogPosition(lsn, part.Segment.Term, WalBatchExtent.RecordCrc(scan.Batch, lsn));
            }
        }

        return null;
    }

    // The file that holds the record, as far as it goes now; null when the log ends before.
    private Part? Look(long lsn, long cuts)
    {
        ThrowIfUnusable();
        lock (_state)
        {
            ThrowIfCut(cuts);
            if (_segments.Count == 0 ? lsn < _emptyFirstLsn : lsn < _segments[0].FirstLsn)
            {
                throw new ReplicaTrimmedException(Channel, lsn, _segments.Count == 0 ? _emptyFirstLsn : _segments[0].FirstLsn);
            }

            if (_segments.Count == 0 || lsn > _written.Lsn)
            {
                return null;
            }

            var segment = _segments[_segments.FindLastIndex(s => s.FirstLsn <= lsn)];
            return new Part(segment, ReplicaIndex.Find(segment.Places, lsn), segment.LengthBytes);
        }
    }

    // A file that is missing although the log lists it is damage; one that was trimmed since is looked for again, which says so.
    private IReplicaFile? OpenOrMiss(Part part)
    {
        IReplicaFile? file;
        try
        {
            file = _files.Open(part.Segment.Name);
        }
        catch (Exception failure) when (IsRefusal(failure))
        {
            throw new ReplicaFaultedException(Channel, $"file '{part.Segment.Name}' cannot be read", failure);
        }

        lock (_state)
        {
            return file is null && _segments.Contains(part.Segment) && _cuts % 2 == 0
                ? throw new ReplicaDamagedException(Channel, part.Segment.Name, 0, part.Start.Lsn, "the file is missing")
                : file;
        }
    }

    private WalBatch? NextDecoded(ReplicaScan scan, Part part, long lsn, long cuts)
    {
        if (!NextHolding(scan, part, lsn, cuts))
        {
            return null;
        }

        try
        {
            return WalBatchCodec.Decode(scan.Batch.ToArray());
        }
        catch (WalFormatException damage)
        {
            throw Damaged(part, scan.BatchPlace, damage);
        }
    }

    // On the next batch that holds the record or one behind it; false at the end of the part.
    private bool NextHolding(ReplicaScan scan, Part part, long lsn, long cuts)
    {
        try
        {
            bool found;
            do
            {
                found = scan.Next();
            }
            while (found && scan.Extent.LastLsn < lsn);
            ThrowIfCut(cuts);
            return found;
        }
        catch (WalFormatException damage)
        {
            ThrowIfCut(cuts);
            throw Damaged(part, scan.Place, damage);
        }
        catch (Exception failure) when (IsRefusal(failure))
        {
            throw new ReplicaFaultedException(Channel, $"file '{part.Segment.Name}' cannot be read", failure);
        }
    }

    private void ThrowIfCut(long cuts)
    {
        ThrowIfUnusable();
        if (Volatile.Read(ref _cuts) != cuts || cuts % 2 != 0)
        {
            throw new ReplicaCutException(Channel);
        }
    }

    private ReplicaDamagedException Damaged(Part part, WalSegmentPlace at, WalFormatException damage) =>
        new(Channel, part.Segment.Name, at.Offset, at.Lsn, $"the batch is damaged: {damage.Message}", damage);

    /// <summary>What a reader may read of a file.</summary>
    /// <param name="Segment">The file.</param>
    /// <param name="Start">Where to begin.</param>
    /// <param name="EndOffset">How far it is written.</param>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Part(ReplicaSegment Segment, WalSegmentPlace Start, long EndOffset);
}
