using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>Reads a channel's log across its segments.</summary>
internal sealed class WalLogReader(IWalStorage storage, WalRetry retry)
{
    private readonly ConcurrentDictionary<string, WalManifest> _manifests = new(StringComparer.Ordinal);

    /// <summary>Where batches begin, as far as reads and appends have shown.</summary>
    public WalSegmentIndex Index { get; } = new();

    /// <summary>Notes a manifest that was just read or written.</summary>
    public void Note(WalManifest manifest) => _manifests.AddOrUpdate(
        manifest.Channel,
        (_, given) => given,
        (_, known, given) => given.Term > known.Term || (given.Term == known.Term && given.Segments.Count >= known.Segments.Count) ? given : known,
        manifest);

    /// <summary>Records of <paramref name="fromLsn"/> to <paramref name="throughLsn"/>, as far as the log goes now.</summary>
    /// <remarks>A manifest in memory may be old: its segments are still the log, only later ones are missing. So it is read again where it ends, not before every read.</remarks>
    public async IAsyncEnumerable<WalEntry> ReadAsync(string channel, long fromLsn, long throughLsn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = fromLsn;
        var fresh = false;
        if (!_manifests.TryGetValue(channel, out var manifest))
        {
            (manifest, fresh) = (await RefreshAsync(channel, cancellationToken).ConfigureAwait(false), true);
        }

        while (next <= throughLsn)
        {
            var segment = manifest?.Segments.LastOrDefault(s => s.FirstLsn <= next && (s.LastLsn is not { } last || last >= next));
            if (segment is not null)
            {
                await foreach (var batch in SegmentAsync(channel, segment, next, cancellationToken).ConfigureAwait(false))
                {
                    for (; next <= Math.Min(batch.LastLsn, throughLsn); next++)
                    {
                        fresh = false;
                        yield return new WalEntry(next, segment.Term, batch.Records[(int)(next - batch.FirstLsn)]);
                    }

                    if (next > throughLsn)
                    {
                        yield break;
                    }
                }

                if (segment.Sealed)
                {
                    continue;
                }
            }

            if (fresh)
            {
                yield break;
            }

            (manifest, fresh) = (await RefreshAsync(channel, cancellationToken).ConfigureAwait(false), true);
        }
    }

    /// <summary>The batches of <paramref name="segment"/> from the one that holds <paramref name="fromLsn"/>; for a sealed segment, through its end.</summary>
    /// <exception cref="WalDamagedException">One cannot be read, or a sealed segment ends too early.</exception>
    public async IAsyncEnumerable<WalBatch> SegmentAsync(string channel, WalSegment segment, long fromLsn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var blob = segment.BlobName(channel);
        var reader = new WalSegmentReader(storage, retry, channel, segment, Index.Find(blob, segment, fromLsn));
        while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } batch)
        {
            Index.Note(blob, reader.Place);
            if (batch.LastLsn >= fromLsn)
            {
                yield return batch;
            }
        }

        if (segment.LastLsn is { } last && reader.Place.Lsn != last + 1)
        {
            throw new WalDamagedException(channel, blob, reader.Place.Offset, reader.Place.Lsn, last, $"the sealed segment ends at LSN {reader.Place.Lsn - 1}, not {last}");
        }
    }

    /// <summary>Hands every record to <paramref name="onRecord"/> and finds the end of the tail, which must be sealed by now: steps 4 of <see cref="WalFence"/>.</summary>
    /// <returns>The tail with its end, or null when there is none.</returns>
    public async Task<WalSegment?> ReplayAsync(WalManifest manifest, Func<long, WalRecord, ValueTask>? onRecord, CancellationToken cancellationToken)
    {
        var expected = 1L;
        foreach (var segment in manifest.Segments)
        {
            if (segment.FirstLsn != expected)
            {
                throw new WalDamagedException(manifest.Channel, segment.BlobName(manifest.Channel), 0, expected, segment.FirstLsn - 1, "the manifest has a gap before this segment");
            }

            expected = segment.LastLsn + 1 ?? expected;
            if (segment.Sealed && onRecord is not null)
            {
                await foreach (var batch in SegmentAsync(manifest.Channel, segment, segment.FirstLsn, cancellationToken).ConfigureAwait(false))
                {
                    await HandAsync(batch, onRecord).ConfigureAwait(false);
                }
            }
        }

        return manifest.Tail is { } tail ? await ReplayTailAsync(manifest.Channel, tail, onRecord, cancellationToken).ConfigureAwait(false) : null;
    }

    private async Task<WalSegment> ReplayTailAsync(string channel, WalSegment tail, Func<long, WalRecord, ValueTask>? onRecord, CancellationToken cancellationToken)
    {
        var blob = tail.BlobName(channel);
        var reader = new WalSegmentReader(storage, retry, channel, tail, new WalSegmentPlace(tail.FirstLsn, 0));
        while (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is { } batch)
        {
            Index.Note(blob, reader.Place);
            if (onRecord is not null)
            {
                await HandAsync(batch, onRecord).ConfigureAwait(false);
            }
        }

        return tail with { LastLsn = reader.Place.Lsn - 1, LengthBytes = reader.Place.Offset };
    }

    private static async ValueTask HandAsync(WalBatch batch, Func<long, WalRecord, ValueTask> onRecord)
    {
        var lsn = batch.FirstLsn;
        foreach (var record in batch.Records)
        {
            await onRecord(lsn++, record).ConfigureAwait(false);
        }
    }

    private async Task<WalManifest?> RefreshAsync(string channel, CancellationToken cancellationToken)
    {
        var read = await retry.RunAsync("read the manifest", token => storage.ReadManifestAsync(channel, token), cancellationToken).ConfigureAwait(false);
        if (read is not null)
        {
            Note(read.Manifest);
        }

        return read?.Manifest;
    }
}
