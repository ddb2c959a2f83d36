using Azure;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>How a channel's log changes hands, and how its segments change: the one place where it is decided who may write.</summary>
/// <remarks>
/// <para><b>Open</b> at term T: (1) read the manifest, refuse if its term is T or higher; (2) conditional update to T; (3) seal the tail segment; (4) read the tail to its final end;
/// (5) create the new segment; (6) conditional update that adds it. <b>Roll</b> is 3 to 6 under the writer's own term.</para>
/// <para>An append counts, and may be acknowledged, when it is in a segment that is in the manifest. What can meet what:</para>
/// <code>
/// opener (term T) is …     deposed writer (term below T) does …      and so …
/// before 2                 append, roll                              ordinary life: 2 fails if the roll changed the manifest, and is tried again from 1
/// between 2 and 3          append to the tail                        succeeds; it is before the end that 4 reads: kept, rightly acknowledged
/// between 2 and 3          roll: seal, create                        seals what 3 would seal; its new blob is not in the manifest
/// after 2                  roll: step 6                              conflict, OpenId is another's: fenced; nothing was acknowledged in the new blob, which is litter
/// after 3                  append to the tail                        BlobIsSealed, its bytes are not there: fenced
/// after 3                  append sent before 3, answer lost         BlobIsSealed, its bytes are there: it counts, 4 reads it; the next one is fenced
/// after 3                  append still on its way                   arrives at a sealed blob: refused; it never counted
/// at 6                     —                                         conflict means an opener above T has passed its 2: this opener is fenced
///
/// two openers, T1 below T2
/// both at 2                                                          one conditional update wins; the other reads again: T1 after T2 is refused, T2 after T1 goes on
/// T1 anywhere after 2, T2 passes 2                                   T1's 6 conflicts: fenced; both seal the same tail, which is the same as one doing it
/// T1 passed 6, T2 passes 2                                           T1 is now the deposed writer of the first table; T2's tail is T1's segment
///
/// stopped after …          the next opener (higher term) finds …
/// 1                        nothing has changed
/// 2                        the manifest at a term that nobody writes under; the tail as it was
/// 3, 4                     the tail sealed, not marked in the manifest: seals it again, reads it
/// 5                        also a blob that is in no manifest: litter, its name holds a term that will never be used again
/// 6                        a tail without records
/// </code>
/// <para>No lease, no clock, no time-out takes part. A lost answer of 2 or 6 is settled by reading the manifest: <see cref="WalManifest.OpenId"/> tells whose it is.</para>
/// </remarks>
internal sealed class WalFence(IWalStorage storage, WalRetry retry, TimeProvider time)
{
    /// <summary>Steps 1 and 2: makes <paramref name="openId"/> the only one that may change the log.</summary>
    /// <exception cref="WalTermRefusedException">The manifest's term is not below <paramref name="term"/>.</exception>
    public async Task<VersionedManifest> ClaimAsync(string channel, long term, string owner, string openId, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var read = await ReadAsync(channel, cancellationToken).ConfigureAwait(false);
            if (read?.Manifest.OpenId == openId)
            {
                return read;
            }

            if (read?.Manifest.Term >= term)
            {
                throw new WalTermRefusedException(channel, term, read.Manifest.Term);
            }

            var claimed = new WalManifest(channel, term, owner, openId, read?.Manifest.Segments ?? []);
            Exception lost = new WalStorageUncertainException("claim the manifest");
            try
            {
                if (await storage.WriteManifestAsync(claimed, read?.ETag, cancellationToken).ConfigureAwait(false) is { } etag)
                {
                    return new VersionedManifest(claimed, etag);
                }
            }
            catch (WalStorageUncertainException failure)
            {
                lost = failure;
            }

            await retry.PauseAsync("claim the manifest", attempt, lost, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Step 3: settles the end of <paramref name="tail"/> for ever.</summary>
    /// <exception cref="WalDamagedException">Its blob is gone.</exception>
    public async Task SealAsync(string channel, WalSegment tail, CancellationToken cancellationToken)
    {
        var blob = tail.BlobName(channel);
        try
        {
            await retry.RunAsync("seal a segment", token => storage.Segments.SealAsync(blob, token), cancellationToken).ConfigureAwait(false);
        }
        catch (WalBlobMissingException failure)
        {
            throw new WalDamagedException(channel, blob, 0, tail.FirstLsn, tail.LastLsn, "the blob is missing", failure);
        }
    }

    /// <summary>Steps 5 and 6: a new segment after <paramref name="sealedTail"/>, which the manifest then shows with its end.</summary>
    /// <param name="held">The manifest as its holder last wrote it.</param>
    /// <param name="sealedTail">The tail with its end, null when the log had none. One without records is dropped: nothing can ever be read from it.</param>
    /// <param name="nextLsn">Where the new segment begins.</param>
    /// <param name="cancellationToken">Gives up, as a crash would.</param>
    /// <exception cref="WalFencedException">Another opener has the channel.</exception>
    public async Task<(VersionedManifest Held, WalSegmentAppender Appender)> StartSegmentAsync(VersionedManifest held, WalSegment? sealedTail, long nextLsn, CancellationToken cancellationToken)
    {
        var (channel, term) = (held.Manifest.Channel, held.Manifest.Term);
        var segment = new WalSegment(term, nextLsn);
        await retry.RunAsync("create a segment", token => storage.Segments.CreateAsync(segment.BlobName(channel), token), cancellationToken).ConfigureAwait(false);
        var appender = new WalSegmentAppender(storage, retry, channel, segment);
        await appender.AppendAsync(new WalSegmentHeader(channel, term, nextLsn, time.GetUtcNow()).Encode(), cancellationToken).ConfigureAwait(false);

        var kept = held.Manifest.Segments.Where(s => s.Sealed);
        var ended = sealedTail is { LastLsn: { } last } && last >= sealedTail.FirstLsn ? [sealedTail] : Array.Empty<WalSegment>();
        var next = held.Manifest with { Segments = [.. kept, .. ended, segment] };
        return (await WriteAsync(next, held.ETag, cancellationToken).ConfigureAwait(false), appender);
    }

    private async Task<VersionedManifest> WriteAsync(WalManifest next, ETag expected, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            Exception lost = new WalStorageUncertainException("write the manifest");
            try
            {
                if (await storage.WriteManifestAsync(next, expected, cancellationToken).ConfigureAwait(false) is { } etag)
                {
                    return new VersionedManifest(next, etag);
                }
            }
            catch (WalStorageUncertainException failure)
            {
                lost = failure;
            }

            var there = await ReadAsync(next.Channel, cancellationToken).ConfigureAwait(false);
            if (there is null || there.Manifest.OpenId != next.OpenId)
            {
                throw new WalFencedException(next.Channel, next.Term, there is null ? "its manifest is gone" : $"'{there.Manifest.Owner}' has opened it at term {there.Manifest.Term}");
            }

            if (there.Manifest.Segments.SequenceEqual(next.Segments))
            {
                return there;
            }

            // Not applied, or not yet: the same version is expected again, so that at most one of the two can come in.
            await retry.PauseAsync("write the manifest", attempt, lost, cancellationToken).ConfigureAwait(false);
        }
    }

    private Task<VersionedManifest?> ReadAsync(string channel, CancellationToken cancellationToken) =>
        retry.RunAsync("read the manifest", token => storage.ReadManifestAsync(channel, token), cancellationToken);
}
