using System.Runtime.CompilerServices;

namespace Baton.Storage.Wal;

/// <summary>Reads one segment through to its end, over damage where that is safe, and reports everything that is wrong with it.</summary>
/// <remarks>Where the log goes on behind damage is <see cref="WalResume"/>'s to say; the rest is missing when it cannot.</remarks>
internal sealed class WalSegmentScan(IWalStorage storage, WalRetry retry, string channel, WalSegment segment)
{
    private readonly string _blob = segment.BlobName(channel);
    private readonly WalResume _resume = new(storage, retry, channel, segment);

    /// <summary>The blob was not there: deleted, or lost.</summary>
    public bool BlobMissing { get; private set; }

    /// <summary>Its batches and damages, in order. One batch is in memory at a time.</summary>
    /// <exception cref="WalFaultedException">The storage does not answer.</exception>
    public async IAsyncEnumerable<WalScanned> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = ReaderAt(new WalSegmentPlace(segment.FirstLsn, 0));
        try
        {
            while (segment.LastLsn is not { } last || reader.Place.Lsn <= last)
            {
                var offset = reader.Place.Offset == 0 ? _resume.HeaderSizeBytes : reader.Place.Offset;
                var (batch, failure) = await NextAsync(reader, cancellationToken).ConfigureAwait(false);
                if (batch is null && failure is null)
                {
                    break;
                }

                if (batch is not null && (!segment.Sealed || batch.LastLsn <= segment.LastLsn))
                {
                    yield return new WalScanned(segment, batch.FirstLsn, offset, (int)(reader.Place.Offset - offset), batch, null);
                    continue;
                }

                // Records behind the manifest's end are not the log's: the next segment has those LSNs.
                BlobMissing = failure?.InnerException is WalBlobMissingException;
                var next = batch is not null || BlobMissing ? null : await _resume.BehindAsync(reader.Place, cancellationToken).ConfigureAwait(false);
                failure ??= new WalDamagedException(channel, _blob, offset, batch!.FirstLsn, segment.LastLsn, $"the batch goes on to LSN {batch.LastLsn}, the segment only to {segment.LastLsn}");
                yield return Damaged(failure, next);
                if (next is null or { Basis: WalJumpBasis.SegmentEnd })
                {
                    await foreach (var rest in RestIsMissingAsync(cancellationToken).ConfigureAwait(false))
                    {
                        yield return rest;
                    }

                    yield break;
                }

                await reader.DisposeAsync().ConfigureAwait(false);
                reader = ReaderAt(next.To);
            }

            if (await CheckEndAsync(reader.Place, cancellationToken).ConfigureAwait(false) is { } damage)
            {
                yield return new WalScanned(segment, reader.Place.Lsn, reader.Place.Offset, 0, null, damage);
            }
        }
        finally
        {
            await reader.DisposeAsync().ConfigureAwait(false);
        }
    }

    // Without the manifest's end: what stands behind it is to be seen as well.
    private WalSegmentReader ReaderAt(WalSegmentPlace place) => new(storage, retry, channel, segment with { LengthBytes = null }, place);

    private static async Task<(Core.Wal.WalBatch? Batch, WalDamagedException? Failure)> NextAsync(WalSegmentReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return (await reader.NextAsync(cancellationToken).ConfigureAwait(false), null);
        }
        catch (WalDamagedException failure)
        {
            return (null, failure);
        }
    }

    private WalScanned Damaged(WalDamagedException failure, WalJump? next)
    {
        var nothingMissing = next?.LastMissingLsn < failure.FirstMissingLsn;
        var damage = new WalDamage(
            nothingMissing && failure.Offset > 0 ? WalDamageKind.Order : WalDamageKind.Unreadable,
            channel,
            _blob,
            failure.Offset,
            nothingMissing ? null : failure.FirstMissingLsn,
            nothingMissing ? null : next?.LastMissingLsn ?? segment.LastLsn,
            failure.Problem);
        return new WalScanned(segment, failure.FirstMissingLsn, failure.Offset, 0, null, damage);
    }

    // The end was not reached, so only the blob's own length can be compared with the manifest's.
    private async IAsyncEnumerable<WalScanned> RestIsMissingAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!BlobMissing && segment.LengthBytes is { } length && await _resume.ReachesAsync(length + 1, cancellationToken).ConfigureAwait(false))
        {
            yield return new WalScanned(segment, segment.LastLsn!.Value, length, 0, null, LengthDamage(length, $"the blob goes on behind byte {length}, where the manifest says that it ends"));
        }
    }

    private async Task<WalDamage?> CheckEndAsync(WalSegmentPlace end, CancellationToken cancellationToken)
    {
        if (segment.LastLsn is not { } last)
        {
            return null;
        }

        if (end.Lsn <= last)
        {
            return new WalDamage(WalDamageKind.Unreadable, channel, _blob, end.Offset, end.Lsn, last, $"the sealed segment ends at LSN {end.Lsn - 1}, not {last}");
        }

        if (segment.LengthBytes is { } length && length != end.Offset)
        {
            return LengthDamage(end.Offset, $"the last batch ends at byte {end.Offset}, the manifest says {length}");
        }

        return await _resume.ReachesAsync(end.Offset + 1, cancellationToken).ConfigureAwait(false)
            ? LengthDamage(end.Offset, $"the blob goes on behind byte {end.Offset}, where its last batch ends")
            : null;
    }

    private WalDamage LengthDamage(long offset, string problem) => new(WalDamageKind.Length, channel, _blob, offset, null, null, problem);
}
