using System.Diagnostics.Metrics;
using Baton.Core.Wal;
using Microsoft.Extensions.Logging;

namespace Baton.Storage.Wal;

/// <summary>Step 4 of <see cref="WalFence"/>: rebuilds the state that a log stands for, from its newest usable snapshot and the records behind that, and finds the log's end.</summary>
internal sealed class WalRecovery(IWalStorage storage, WalRetry retry, WalSegmentIndex index, WalSnapshots snapshots, int rangeBytes, ILogger logger)
{
    private static readonly Meter Meter = new("Baton.Storage");
    private static readonly Counter<long> Refused = Meter.CreateCounter<long>("baton_wal_snapshots_refused_total", description: "Snapshots that an opening could not use, by why");

    // Besides the one that is being read. A leadership of no long life leaves a short segment: an opening would wait for many of them, one after the other.
    private const int SegmentsAhead = 8;

    /// <summary>Hands on what <paramref name="replay"/> wants and finds the end of the tail.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="replay">Is given the state; null to find the end only.</param>
    /// <param name="sealing">For an opener: the tail is being sealed, which is waited for before it is read. All that comes before the tail can change no more, and is read meanwhile. Null where it may grow: then the end is where the look at it was.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="WalDamagedException">The state cannot be rebuilt, or the end not found.</exception>
    public async Task<WalRecovered> ReplayAsync(WalManifest manifest, WalReplay? replay, Task? sealing, CancellationToken cancellationToken)
    {
        ThrowIfGap(manifest);
        var damaged = new List<WalSnapshotEntry>();
        WalSnapshotEntry? restored = null;
        var next = manifest.FirstLsn;
        if (replay is not null)
        {
            // Most likely the newest snapshot is the one: what is behind it is asked for beside it.
            var likely = replay.OnSnapshot is not null && manifest.Snapshots is [.., var newest] ? newest.Lsn + 1 : next;
            var ahead = new WalSegmentsAhead(SegmentsAhead, manifest.Segments.Where(s => s.LastLsn >= likely).Select(s => ReaderOf(manifest, s, likely)));
            await using var closing = ahead.ConfigureAwait(false);
            restored = await RestoreAsync(manifest, replay, damaged, cancellationToken).ConfigureAwait(false);
            next = restored?.Lsn + 1 ?? next;
            foreach (var segment in manifest.Segments.Where(s => s.LastLsn >= next))
            {
                var reader = next == likely ? ahead.Next() : ReaderOf(manifest, segment, next);
                await ReadAsync(manifest, segment, reader, next, replay.OnRecord, cancellationToken).ConfigureAwait(false);
            }
        }

        await (sealing ?? Task.CompletedTask).ConfigureAwait(false);
        var from = replay is null ? long.MaxValue : next;
        var ended = manifest.Tail is { } tail ? await ReadAsync(manifest, tail, ReaderOf(manifest, tail, from), from, replay?.OnRecord, cancellationToken).ConfigureAwait(false) : null;
        var end = ended?.LastLsn + 1 ?? manifest.FirstLsnAfterSealed;
        return end >= next ? new WalRecovered(ended, damaged) : throw Damaged(manifest, ended, end, next - 1, $"snapshot '{restored!.BlobName(manifest.Channel)}' is ahead of the log");
    }

    private async Task<WalSnapshotEntry?> RestoreAsync(WalManifest manifest, WalReplay replay, List<WalSnapshotEntry> damaged, CancellationToken cancellationToken)
    {
        foreach (var entry in manifest.Snapshots.Reverse().Where(_ => replay.OnSnapshot is not null))
        {
            if (await TryReadAsync(manifest.Channel, entry, cancellationToken).ConfigureAwait(false) is not { } snapshot)
            {
                damaged.Add(entry);
                continue;
            }

            if (await replay.OnSnapshot!(snapshot).ConfigureAwait(false))
            {
                return entry;
            }

            Refuse(entry.BlobName(manifest.Channel), "declined", "it was declined by the state's owner");
        }

        // The records below are gone: without a snapshot there is no state to begin with, and an invented one would be worse than none.
        return manifest.FirstLsn == 1
            ? null
            : throw Damaged(manifest, null, 1, manifest.FirstLsn - 1, $"none of {manifest.Snapshots.Count} snapshots could be used, and the log below LSN {manifest.FirstLsn} is deleted");
    }

    /// <summary>LSN of the newest snapshot that verifies, or null.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<long?> FindSnapshotAsync(WalManifest manifest, CancellationToken cancellationToken)
    {
        foreach (var entry in manifest.Snapshots.Reverse())
        {
            if (await TryReadAsync(manifest.Channel, entry, cancellationToken).ConfigureAwait(false) is not null)
            {
                return entry.Lsn;
            }
        }

        return null;
    }

    private async Task<WalSnapshot?> TryReadAsync(string channel, WalSnapshotEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            return await snapshots.ReadAsync(channel, entry, cancellationToken).ConfigureAwait(false);
        }
        catch (WalFormatException failure)
        {
            Refuse(entry.BlobName(channel), "damaged", failure.Message);
        }
        catch (WalBlobMissingException)
        {
            Refuse(entry.BlobName(channel), "missing", "it is missing");
        }

        return null;
    }

    private void Refuse(string snapshot, string reason, string problem)
    {
        Refused.Add(1, new KeyValuePair<string, object?>("reason", reason));
        logger.LogWarning("Snapshot {Snapshot} cannot be used, an older one or the log must do: {Problem}", snapshot, problem);
    }

    // From the best place known at or before the LSN.
    private WalSegmentReader ReaderOf(WalManifest manifest, WalSegment segment, long fromLsn) =>
        new(storage, retry, manifest.Channel, segment, StartOf(manifest, segment, fromLsn), rangeBytes);

    /// <summary>Reads <paramref name="segment"/> to its end, and hands on what is not below <paramref name="fromLsn"/>.</summary>
    private async Task<WalSegment> ReadAsync(
        WalManifest manifest, WalSegment segment, WalSegmentReader reader, long fromLsn, Func<long, WalRecord, ValueTask>? onRecord, CancellationToken cancellationToken)
    {
        var (channel, blob) = (manifest.Channel, segment.BlobName(manifest.Channel));
        await using var closing = reader.ConfigureAwait(false);
        while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } batch)
        {
            index.Note(blob, reader.Place);
            for (var lsn = Math.Max(batch.FirstLsn, fromLsn); onRecord is not null && lsn <= batch.LastLsn; lsn++)
            {
                await onRecord(lsn, batch.Records[(int)(lsn - batch.FirstLsn)]).ConfigureAwait(false);
            }
        }

        return segment.LastLsn is not { } last || reader.Place.Lsn == last + 1
            ? segment with { LastLsn = reader.Place.Lsn - 1, LengthBytes = reader.Place.Offset }
            : throw new WalDamagedException(channel, blob, reader.Place.Offset, reader.Place.Lsn, last, $"the sealed segment ends at LSN {reader.Place.Lsn - 1}, not {last}");
    }

    // What reads and appends of this process have shown, or what the writer of a snapshot noted beside it: the later of the two.
    // A noted place with the segment's very first LSN may be the end of the segment before it, which is elsewhere in bytes; with a later LSN it can only be of this one.
    private WalSegmentPlace StartOf(WalManifest manifest, WalSegment segment, long fromLsn) => manifest.Snapshots
        .Where(s => s.NextBatchOffset > 0 && s.NextBatchLsn > segment.FirstLsn && s.NextBatchLsn <= fromLsn && (segment.LastLsn is not { } last || s.NextBatchLsn <= last))
        .Select(s => new WalSegmentPlace(s.NextBatchLsn, s.NextBatchOffset))
        .Append(index.Find(segment.BlobName(manifest.Channel), segment, fromLsn))
        .MaxBy(place => place.Offset);

    private static void ThrowIfGap(WalManifest manifest)
    {
        var expected = manifest.FirstLsn;
        foreach (var segment in manifest.Segments)
        {
            if (segment.FirstLsn != expected)
            {
                throw new WalDamagedException(manifest.Channel, segment.BlobName(manifest.Channel), 0, expected, segment.FirstLsn - 1, "the manifest has a gap before this segment");
            }

            expected = segment.LastLsn + 1 ?? expected;
        }
    }

    private static WalDamagedException Damaged(WalManifest manifest, WalSegment? segment, long firstMissingLsn, long lastMissingLsn, string problem) =>
        new(manifest.Channel, (segment ?? (manifest.Segments is [var first, ..] ? first : null))?.BlobName(manifest.Channel) ?? "none", segment?.LengthBytes ?? 0, firstMissingLsn, lastMissingLsn, problem);
}

/// <summary>What an opening found.</summary>
/// <param name="Tail">The tail with its end, or null when there is none.</param>
/// <param name="DamagedSnapshots">Snapshots that did not verify: they must not count among those that are kept.</param>
internal sealed record WalRecovered(WalSegment? Tail, IReadOnlyList<WalSnapshotEntry> DamagedSnapshots);
