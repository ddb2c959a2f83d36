using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>How a channel's log changes hands, and how its manifest changes: the one place where it is decided who may write, and what counts.</summary>
/// <remarks>
/// <para><b>Open</b> at term T: (1) read the manifest, refuse if its term is T or higher; (2) conditional update to T; (3) seal the tail segment, and meanwhile read what is before it; (4) read the tail to its final end;
/// (5) create the new segment; (6) conditional update that adds it. <b>Roll</b> is 3 to 6 under the writer's own term. <b>Snapshot</b> is: write and seal its blob, list it, delete those that
/// it put out. <b>Trim</b> is: drop segments and raise the first LSN, delete them. <b>Pin</b> and <b>release</b>, by anybody, are one change.</para>
/// <para>Every change is one conditional update, worked out anew from what is there when it conflicts (<see cref="WalChange"/>). All but those of pins are the holder's alone: they end at another's
/// <see cref="WalManifest.OpenId"/>. An append counts, and may be acknowledged, when it is in a segment that is in the manifest. What can meet what:</para>
/// <code>
/// opener (term T) is …     deposed writer (term below T) does …      and so …
/// before 2                 append, roll, snapshot, trim              ordinary life: 2 fails if the manifest has changed, and is tried again from 1
/// between 2 and 3          append to the tail                        succeeds; it is before the end that 4 reads: kept, rightly acknowledged
/// between 2 and 3          roll: seal, create                        seals what 3 would seal; its new blob is not in the manifest
/// after 2                  roll: step 6                              conflict, OpenId is another's: fenced; nothing was acknowledged in the new blob, which is litter
/// after 2                  snapshot: list it; trim: drop             the same: fenced; the snapshot's blob is litter, no segment was deleted
/// after 2                  delete what it dropped before 2           not in the manifest that 2 wrote: nobody reads it
/// after 3                  append to the tail                        BlobIsSealed, its bytes are not there: fenced
/// after 3                  append sent before 3, answer lost         BlobIsSealed, its bytes are there: it counts, 4 reads it; the next one is fenced
/// after 3                  append still on its way                   arrives at a sealed blob: refused; it never counted
/// at 6                     —                                         another's OpenId means that an opener above T has passed its 2: this opener is fenced
/// has trimmed since        roll: seal                               misses the blob, looks at the manifest, and is fenced: no damage
/// has trimmed since        append, answer lost; read back            the blob is gone, what became of the append is not known: it faults, its owner opens again and looks
///
/// two openers, T1 below T2
/// both at 2                                                          one conditional update wins; the other reads again: T1 after T2 is refused, T2 after T1 goes on
/// T1 anywhere after 2, T2 passes 2                                   T1's 6 conflicts: fenced; both seal the same tail, which is the same as one doing it
/// T1 passed 6, T2 passes 2                                           T1 is now the deposed writer of the first table; T2's tail is T1's segment
/// T1 at 3 or 4, T2 has opened and trimmed                            T1 misses a blob, looks at the manifest, and is fenced: no damage
///
/// pin at LSN p meets …
/// claim                    one conflicts and starts anew from the other's: the claim keeps pins, the pin holds under any owner
/// roll, snapshot, pin      the same: each keeps what it does not change
/// trim above p, written    the pin conflicts, finds the first LSN above p: refused; nothing was promised
/// trim above p, not yet    the trim conflicts, works out anew what may go, and stops at p
///
/// stopped after …          the next opener (higher term) finds …
/// 1                        nothing has changed
/// 2                        the manifest at a term that nobody writes under; the tail as it was
/// 3, 4                     the tail sealed, not marked in the manifest: seals it again, reads it
/// 5                        also a blob that is in no manifest: litter, its name holds a term that will never be used again
/// 6                        a tail without records
/// a snapshot's blob        litter, for the same reason
/// a snapshot's listing     a snapshot more; one that was put out and not deleted is litter
/// a trim's drop            fewer segments; those not deleted are litter
/// </code>
/// <para>No lease, no clock, no time-out takes part. A lost answer of any change is settled by reading the manifest: the same version means that it has not come in, and sent again under that version only one
/// of the copies can; another version means that a copy which was not in it never will be. The sweeper has a table of its own: <see cref="WalSweep"/>.</para>
/// </remarks>
internal sealed class WalFence(IWalStorage storage, WalRetry retry, TimeProvider time)
{
    /// <summary>Steps 1 and 2: makes <paramref name="openId"/> the only one that may change the log.</summary>
    /// <exception cref="WalTermRefusedException">The manifest's term is not below <paramref name="term"/>.</exception>
    public async Task<VersionedManifest> ClaimAsync(string channel, long term, string owner, string openId, CancellationToken cancellationToken)
    {
        for (var attempts = retry.Begin("claim the manifest"); ;)
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

            var there = read?.Manifest ?? new WalManifest(channel, term, owner, openId, []);
            var claimed = there with { Term = term, Owner = owner, OpenId = openId, Revision = there.Revision + 1 };
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

            attempts = await retry.PauseAsync(attempts, lost, cancellationToken).ConfigureAwait(false);
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
    /// <param name="damagedSnapshots">Snapshots to drop: one that cannot be used must not push out one that can.</param>
    /// <param name="cancellationToken">Gives up, as a crash would.</param>
    /// <exception cref="WalFencedException">Another opener has the channel.</exception>
    public async Task<(VersionedManifest Held, WalSegmentAppender Appender)> StartSegmentAsync(VersionedManifest held, WalSegment? sealedTail, long nextLsn, IReadOnlyList<WalSnapshotEntry> damagedSnapshots, CancellationToken cancellationToken)
    {
        var (channel, term) = (held.Manifest.Channel, held.Manifest.Term);
        var segment = new WalSegment(term, nextLsn);
        var now = time.GetUtcNow();
        await retry.RunAsync("create a segment", token => storage.Segments.CreateAsync(segment.BlobName(channel), token), cancellationToken).ConfigureAwait(false);
        var appender = new WalSegmentAppender(storage, retry, channel, segment);
        await appender.AppendAsync(new WalSegmentHeader(channel, term, nextLsn, now).Encode(), cancellationToken).ConfigureAwait(false);

        WalSegment[] ended = sealedTail is { LastLsn: { } last } && last >= sealedTail.FirstLsn ? [sealedTail with { SealedAt = now }] : [];
        var change = await ChangeAsync(
            held,
            manifest => manifest.Segments.Contains(segment) ? manifest : manifest with
            {
                Segments = [.. manifest.Segments.Where(s => s.Sealed), .. ended, segment],
                Snapshots = [.. manifest.Snapshots.Except(damagedSnapshots)],
            },
            cancellationToken).ConfigureAwait(false);
        return (change.Now, appender);
    }

    /// <summary>A change that only the holder may make.</summary>
    /// <param name="held">The manifest as its holder last knew it; may be old.</param>
    /// <param name="change">Pure; returns the manifest that it was given when that needs no change, or has it already.</param>
    /// <param name="cancellationToken">Gives up, as a crash would: the change comes in or not.</param>
    /// <exception cref="WalFencedException">Another opener has the channel.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public Task<WalChange> ChangeAsync(VersionedManifest held, Func<WalManifest, WalManifest> change, CancellationToken cancellationToken) => ChangeAsync(
        held,
        there => ThrowIfFenced(held.Manifest, there),
        change,
        cancellationToken);

    /// <summary>A change that anybody may make, whoever holds the channel. Null when the channel was never opened.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalChange?> ChangeOfAnybodyAsync(string channel, Func<WalManifest, WalManifest> change, CancellationToken cancellationToken) =>
        await ReadAsync(channel, cancellationToken).ConfigureAwait(false) is { } read
            ? await ChangeAsync(read, there => there ?? throw new WalFaultedException($"The manifest of channel '{channel}' is gone."), change, cancellationToken).ConfigureAwait(false)
            : null;

    /// <summary>The manifest as it is now, if nobody has taken the channel since <paramref name="held"/>.</summary>
    /// <exception cref="WalFencedException">Another opener has the channel.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<VersionedManifest> ReadHeldAsync(WalManifest held, CancellationToken cancellationToken) =>
        ThrowIfFenced(held, await ReadAsync(held.Channel, cancellationToken).ConfigureAwait(false));

    private async Task<WalChange> ChangeAsync(VersionedManifest from, Func<VersionedManifest?, VersionedManifest> check, Func<WalManifest, WalManifest> change, CancellationToken cancellationToken)
    {
        for (var attempts = retry.Begin("write the manifest"); ;)
        {
            var next = change(from.Manifest);
            if (ReferenceEquals(next, from.Manifest))
            {
                return new WalChange(from.Manifest, from);
            }

            next = next with { Revision = from.Manifest.Revision + 1 };
            Exception lost = new WalStorageUncertainException("write the manifest");
            try
            {
                if (await storage.WriteManifestAsync(next, from.ETag, cancellationToken).ConfigureAwait(false) is { } etag)
                {
                    return new WalChange(from.Manifest, new VersionedManifest(next, etag));
                }
            }
            catch (WalStorageUncertainException failure)
            {
                lost = failure;
            }

            var there = check(await ReadAsync(next.Channel, cancellationToken).ConfigureAwait(false));
            if (there.ETag != from.ETag)
            {
                // Somebody's change is in. If it is this one, what it was worked out from still tells what it dropped; if not, no copy of it can come in any more.
                if (ReferenceEquals(change(there.Manifest), there.Manifest))
                {
                    return new WalChange(from.Manifest, there);
                }

                from = there;
            }

            attempts = await retry.PauseAsync(attempts, lost, cancellationToken).ConfigureAwait(false);
        }
    }

    private static VersionedManifest ThrowIfFenced(WalManifest held, VersionedManifest? there) => there is not null && there.Manifest.OpenId == held.OpenId
        ? there
        : throw new WalFencedException(held.Channel, held.Term, there is null ? "its manifest is gone" : $"'{there.Manifest.Owner}' has opened it at term {there.Manifest.Term}");

    private Task<VersionedManifest?> ReadAsync(string channel, CancellationToken cancellationToken) =>
        retry.RunAsync("read the manifest", token => storage.ReadManifestAsync(channel, token), cancellationToken);
}

/// <summary>A change of the manifest that is in.</summary>
/// <param name="From">What it was worked out from.</param>
/// <param name="Now">The manifest with it, and with whatever others changed meanwhile.</param>
internal sealed record WalChange(WalManifest From, VersionedManifest Now);
