using System.Runtime.CompilerServices;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>Reads a channel's log across its segments.</summary>
internal sealed class WalLogReader(IWalStorage storage, WalRetry retry, int rangeBytes = WalOptions.DefaultReadRangeBytes)
{
    private const int MaxManifests = 4_096;
    private readonly RecentlyUsed<WalManifest> _manifests = new(MaxManifests);

    /// <summary>Where batches begin, as far as reads and appends have shown.</summary>
    public WalSegmentIndex Index { get; } = new();

    /// <summary>Notes a manifest that was just read or written.</summary>
    public void Note(WalManifest manifest) => _manifests.Put(manifest.Channel, known => known is null || IsNewer(manifest, known) ? manifest : known);

    /// <summary>Records of <paramref name="fromLsn"/> to <paramref name="throughLsn"/>, as far as the log goes now.</summary>
    /// <exception cref="WalTrimmedException">The next record is below the retained history.</exception>
    /// <exception cref="WalDamagedException">The next record cannot be read.</exception>
    public async IAsyncEnumerable<WalEntry> ReadAsync(string channel, long fromLsn, long throughLsn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = fromLsn;
        await foreach (var (segment, batch) in BatchesAsync(WalBatchForm.Decoded, channel, fromLsn, throughLsn, cancellationToken).ConfigureAwait(false))
        {
            for (; next <= Math.Min(batch.LastLsn, throughLsn); next++)
            {
                yield return new WalEntry(next, segment.Term, batch.Records[(int)(next - batch.FirstLsn)]);
            }
        }
    }

    /// <summary>Batches from the one that holds <paramref name="fromLsn"/> to the one that holds <paramref name="throughLsn"/>, as far as the log goes now, and the segments that they are in.</summary>
    /// <remarks>
    /// A manifest in memory may be old. What it lists is the log all the same, or was: later segments are missing, and the blobs of the oldest may have been deleted since. So
    /// it is read again at its end, and where a blob is missing, not before every read.
    /// </remarks>
    /// <exception cref="WalTrimmedException">The next record is below the retained history.</exception>
    /// <exception cref="WalDamagedException">The next record cannot be read.</exception>
    public async IAsyncEnumerable<(WalSegment Segment, T Batch)> BatchesAsync<T>(WalBatchForm<T> form, string channel, long fromLsn, long throughLsn, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        var next = fromLsn;
        var fresh = false;
        if (!_manifests.TryGet(channel, out var manifest))
        {
            (manifest, fresh) = (await RefreshAsync(channel, cancellationToken).ConfigureAwait(false), true);
        }

        while (next <= throughLsn)
        {
            var segment = SegmentOf(manifest, channel, next);
            if (segment is null && fresh)
            {
                yield break;
            }

            WalDamagedException? missing = null;
            if (segment is not null)
            {
                var batches = SegmentAsync(form, channel, segment, next, cancellationToken).GetAsyncEnumerator(cancellationToken);
                await using var closing = batches.ConfigureAwait(false);
                (var batch, missing) = await NextAsync(batches).ConfigureAwait(false);
                for (; batch is not null; (batch, missing) = await NextAsync(batches).ConfigureAwait(false))
                {
                    fresh = false;
                    next = form.LastLsn(batch) + 1;
                    yield return (segment, batch);
                    if (next > throughLsn)
                    {
                        yield break;
                    }
                }

                if (segment.Sealed && missing is null)
                {
                    continue;
                }
            }

            (manifest, fresh) = (await RefreshAsync(channel, cancellationToken).ConfigureAwait(false), true);
            if (missing is not null)
            {
                ThrowIfListed(manifest, segment!, missing);
            }
            else if (segment is not null && segment == manifest?.Tail)
            {
                // It is the tail still, so it was when its end was read: that was the log's end.
                yield break;
            }
        }
    }

    /// <summary>The batches of <paramref name="segment"/> from the one that holds <paramref name="fromLsn"/>; for a sealed segment, through its end.</summary>
    /// <exception cref="WalDamagedException">One cannot be read, or a sealed segment ends too early.</exception>
    public IAsyncEnumerable<WalBatch> SegmentAsync(string channel, WalSegment segment, long fromLsn, CancellationToken cancellationToken) =>
        SegmentAsync(WalBatchForm.Decoded, channel, segment, fromLsn, cancellationToken);

    private async IAsyncEnumerable<T> SegmentAsync<T>(WalBatchForm<T> form, string channel, WalSegment segment, long fromLsn, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        var blob = segment.BlobName(channel);
        var reader = new WalSegmentReader(storage, retry, channel, segment, Index.Find(blob, segment, fromLsn), rangeBytes);
        await using var closing = reader.ConfigureAwait(false);
        while (await reader.NextAsync(form, cancellationToken).ConfigureAwait(false) is { } batch)
        {
            Index.Note(blob, reader.Place);
            cancellationToken.ThrowIfCancellationRequested();
            if (form.LastLsn(batch) >= fromLsn)
            {
                yield return batch;
            }
        }

        if (segment.LastLsn is { } last && reader.Place.Lsn != last + 1)
        {
            throw new WalDamagedException(channel, blob, reader.Place.Offset, reader.Place.Lsn, last, $"the sealed segment ends at LSN {reader.Place.Lsn - 1}, not {last}");
        }
    }

    // A missing blob is a result here: whether it is damage, the manifest must say.
    private static async ValueTask<(T? Batch, WalDamagedException? Missing)> NextAsync<T>(IAsyncEnumerator<T> batches)
        where T : class
    {
        try
        {
            return (await batches.MoveNextAsync().ConfigureAwait(false) ? batches.Current : null, null);
        }
        catch (WalDamagedException damage) when (damage.InnerException is WalBlobMissingException)
        {
            return (null, damage);
        }
    }

    private static bool IsNewer(WalManifest given, WalManifest known) => given.Revision > known.Revision || (given.Revision == known.Revision && given.Term >= known.Term);

    private static WalSegment? SegmentOf(WalManifest? manifest, string channel, long lsn)
    {
        if (manifest is null)
        {
            return null;
        }

        if (lsn < manifest.FirstLsn)
        {
            throw new WalTrimmedException(channel, lsn, manifest.FirstLsn);
        }

        // The last that begins at or before it; only of the log's end is there none.
        var at = manifest.Segments.Count - 1;
        while (at >= 0 && manifest.Segments[at].FirstLsn > lsn)
        {
            at--;
        }

        var found = at >= 0 && (manifest.Segments[at].LastLsn is not { } last || last >= lsn) ? manifest.Segments[at] : null;
        return found is null && at + 1 < manifest.Segments.Count
            ? throw new WalDamagedException(channel, manifest.Segments[at + 1].BlobName(channel), 0, lsn, manifest.Segments[at + 1].FirstLsn - 1, "the manifest has a gap before this segment")
            : found;
    }

    // Whoever trims the log takes the segment out of the manifest before the blob is deleted.
    private static void ThrowIfListed(WalManifest? manifest, WalSegment segment, WalDamagedException missing)
    {
        if (manifest is null || manifest.Segments.Any(s => (s.Term, s.FirstLsn) == (segment.Term, segment.FirstLsn)))
        {
            throw missing;
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
