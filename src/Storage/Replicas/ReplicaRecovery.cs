using Baton.Core.Wal;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging;

namespace Baton.Storage.Replicas;

/// <summary>What is on the disk when a log is opened.</summary>
/// <param name="Segments">Files with records, in order, without a hole.</param>
/// <param name="Marker">The file that says where the empty log begins, when there is one.</param>
internal sealed record ReplicaRecovered(List<ReplicaSegment> Segments, ReplicaSegment? Marker);

/// <summary>Finds out what a crash has left, and makes it a log again: batches one after the other from the first file on, up to the first that is missing or damaged.</summary>
/// <remarks>
/// What may be there, and what becomes of it. Each step may be cut short by another crash: the next opening does it again.
/// <list type="bullet">
/// <item>a <c>.new</c> file: a truncation that had not replaced its file yet. Deleted; the file is as it was.</item>
/// <item>a file of term 0 with a whole header: a reset that was decided. Everything else is deleted, the log is empty and begins where it says. With a torn header: one that was not. Deleted.</item>
/// <item>the last file: read through. From the first batch that is torn or damaged on it is cut.</item>
/// <item>an earlier file: it was forced to the disk before the next one was begun, so its index and its last batches must agree with the next one's name. If they do not it is read through and cut like the last.</item>
/// <item>a file that does not begin where the one before it ends, or has no whole batch, and all behind it: deleted. A truncation deletes files in no certain order, so this is also how it is finished.</item>
/// <item>no record left, but a file was there: the log is empty and begins where that file did.</item>
/// </list>
/// What is dropped, the replica fetches again.
/// </remarks>
internal sealed class ReplicaRecovery(string channel, IReplicaFiles files, TimeProvider time, ILogger logger)
{
    // Places of a file of 100 GiB, with room to spare: a longer index is garbage, not a reason to ask for memory.
    private const int MaxIndexBytes = 64 * 1024 * 1024;

    /// <summary>Everything that is found is on the disk for good when this returns.</summary>
    public ReplicaRecovered Run()
    {
        var found = Find();
        if (found.FindLast(s => s.Term == 0 && HasHeader(s)) is { } marker)
        {
            // It may be here only because this host has not crashed since.
            FlushFile(marker);
            files.FlushFolder();
            Drop(found.FindAll(s => s != marker), "the log was reset");
            files.FlushFolder();
            return new ReplicaRecovered([], marker);
        }

        Drop(found.FindAll(s => s.Term == 0), "a reset was cut short");
        found.RemoveAll(s => s.Term == 0);
        var kept = Keep(found);
        if (kept.Count == 0)
        {
            var next = found.Count == 0 ? null : WriteMarker(found[0].FirstLsn);
            Drop(found, "it has no whole batch, or follows one that has none");
            files.FlushFolder();
            return new ReplicaRecovered(kept, next);
        }

        Drop(found[kept.Count..], $"it does not follow LSN {kept[^1].Last.Lsn}, the last that can be read before it, or has no whole batch");
        FlushFile(kept[^1]);
        files.FlushFolder();
        return new ReplicaRecovered(kept, null);
    }

    /// <summary>A file that says where an empty log begins, for good when this returns.</summary>
    public ReplicaSegment WriteMarker(long nextLsn)
    {
        var marker = new ReplicaSegment(0, nextLsn);
        using var file = files.Create(marker.Name);
        file.Write(0, Header(marker));
        file.Flush();
        files.FlushFolder();
        return marker;
    }

    /// <summary>The header of a file that begins now.</summary>
    public byte[] Header(ReplicaSegment segment) => new WalSegmentHeader(channel, segment.Term, segment.FirstLsn, time.GetUtcNow()).Encode();

    /// <summary>Writes down where a finished file's batches are.</summary>
    public void WriteIndex(ReplicaSegment segment)
    {
        using var file = files.Create(segment.IndexName);
        file.Write(0, new ReplicaIndex(segment.Places, segment.Last.Lsn, segment.LengthBytes).Encode(segment.Term, segment.FirstLsn));
    }

    private List<ReplicaSegment> Find()
    {
        var names = files.List();
        var found = names.Select(ReplicaSegment.Parse).OfType<ReplicaSegment>().OrderBy(s => s.FirstLsn).ThenBy(s => s.Term).ToList();
        var indexes = found.Select(s => s.IndexName).ToHashSet(StringComparer.Ordinal);
        foreach (var name in names.Where(n => n.EndsWith(".new", StringComparison.Ordinal) || (n.EndsWith(".idx", StringComparison.Ordinal) && !indexes.Contains(n))))
        {
            files.Delete(name);
        }

        return found;
    }

    private List<ReplicaSegment> Keep(List<ReplicaSegment> found)
    {
        var kept = new List<ReplicaSegment>();
        for (var i = 0; i < found.Count; i++)
        {
            var segment = found[i];
            var follows = kept.Count == 0 || (segment.FirstLsn == kept[^1].Last.Lsn + 1 && segment.Term >= kept[^1].Term);
            if (!follows || !Read(segment, i + 1 < found.Count ? found[i + 1].FirstLsn : null))
            {
                break;
            }

            kept.Add(segment);
        }

        return kept;
    }

    // False when nothing in it can be kept.
    private bool Read(ReplicaSegment segment, long? nextFileLsn)
    {
        using var file = files.Open(segment.Name) ?? throw new IOException($"File '{segment.Name}' has gone.");
        if (nextFileLsn is { } next && ReadByIndex(segment, file, next - 1))
        {
            return true;
        }

        var problem = ReadThrough(segment, file);
        if (segment.Last.Lsn == 0)
        {
            return false;
        }

        if (problem is not null)
        {
            logger.LogWarning(
                "Replica of {Channel}: file {File} is cut after LSN {LastLsn}, {LengthBytes} of {FileBytes} bytes: {Problem}. What is missing is fetched again",
                channel,
                segment.Name,
                segment.Last.Lsn,
                segment.LengthBytes,
                file.Length,
                problem);
            file.SetLength(segment.LengthBytes);
            file.Flush();
        }
        else if (nextFileLsn is not null)
        {
            WriteIndex(segment);
        }

        return true;
    }

    private string? ReadThrough(ReplicaSegment segment, IReplicaFile file)
    {
        using var scan = new ReplicaScan(file, new WalSegmentPlace(segment.FirstLsn, 0), file.Length);
        try
        {
            scan.ReadHeader(channel, segment);
            segment.LengthBytes = scan.Place.Offset;
            while (scan.Next())
            {
                segment.NoteBatch(new LogPosition(scan.Extent.LastLsn, segment.Term, scan.Extent.LastRecordCrc), scan.BatchPlace.Lsn, scan.Batch.Length);
            }

            return null;
        }
        catch (WalFormatException damage)
        {
            return damage.Message;
        }
    }

    // Looks at its header and at what is behind the last place in the index.
    private bool ReadByIndex(ReplicaSegment segment, IReplicaFile file, long lastLsn)
    {
        var index = ReadIndex(segment);
        if (index is null || index.LastLsn != lastLsn || index.LengthBytes != file.Length)
        {
            return false;
        }

        try
        {
            using var start = new ReplicaScan(file, new WalSegmentPlace(segment.FirstLsn, 0), file.Length);
            start.ReadHeader(channel, segment);
            using var scan = new ReplicaScan(file, index.Places[^1], file.Length);
            while (scan.Next())
            {
            }

            if (scan.Place.Lsn != lastLsn + 1 || index.Places[0] != start.Place)
            {
                return false;
            }

            segment.Places.AddRange(index.Places);
            segment.LengthBytes = file.Length;
            segment.Last = new LogPosition(lastLsn, segment.Term, scan.Extent.LastRecordCrc);
            return true;
        }
        catch (WalFormatException)
        {
            // An index of another file, or damage: reading through tells, and says what it found.
            return false;
        }
    }

    private ReplicaIndex? ReadIndex(ReplicaSegment segment)
    {
        using var file = files.Open(segment.IndexName);
        if (file is null || file.Length > MaxIndexBytes)
        {
            return null;
        }

        var bytes = new byte[file.Length];
        return file.Read(0, bytes) == bytes.Length && ReplicaIndex.TryDecode(bytes, segment.Term, segment.FirstLsn, out var index) ? index : null;
    }

    private void FlushFile(ReplicaSegment segment)
    {
        using var file = files.Open(segment.Name) ?? throw new IOException($"File '{segment.Name}' has gone.");
        file.Flush();
    }

    private bool HasHeader(ReplicaSegment segment)
    {
        using var file = files.Open(segment.Name) ?? throw new IOException($"File '{segment.Name}' has gone.");
        return ReadThrough(segment, file) is null;
    }

    private void Drop(List<ReplicaSegment> segments, string why)
    {
        for (var i = segments.Count - 1; i >= 0; i--)
        {
            logger.LogWarning("Replica of {Channel}: file {File} is dropped: {Why}. What is missing is fetched again", channel, segments[i].Name, why);
            files.Delete(segments[i].Name);
            files.Delete(segments[i].IndexName);
        }
    }
}
