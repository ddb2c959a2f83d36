namespace Baton.Storage.Wal;

/// <summary>A holder's changes to its channel's retained history: snapshots that come in, and what goes when it is not needed any more.</summary>
internal sealed class WalHistoryKeeper(WalFence fence, WalSnapshots snapshots, WalSweep sweep, WalOptions options, TimeProvider time)
{
    /// <summary>Writes a snapshot, lists it, and deletes those that it puts out.</summary>
    /// <param name="held">The manifest as its holder last knew it.</param>
    /// <param name="lsn">The last LSN that it covers.</param>
    /// <param name="next">A batch at or before the next LSN, from which recovery reads on.</param>
    /// <param name="content">The state.</param>
    /// <param name="cancellationToken">Gives up, as a crash would: what was written is litter unless it is listed already.</param>
    /// <exception cref="WalFencedException">Another opener has the channel.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<VersionedManifest> SnapshotAsync(VersionedManifest held, long lsn, WalSegmentPlace next, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var (channel, term) = (held.Manifest.Channel, held.Manifest.Term);
        var lengthBytes = await snapshots.WriteAsync(channel, term, lsn, content, cancellationToken).ConfigureAwait(false);
        var entry = new WalSnapshotEntry(lsn, term, lengthBytes, next.Lsn, next.Offset);
        var change = await fence.ChangeAsync(held, manifest => List(manifest, entry), cancellationToken).ConfigureAwait(false);
        await sweep.DeleteDroppedAsync(change, cancellationToken).ConfigureAwait(false);
        return change.Now;
    }

    /// <summary>Drops the segments that may go from the manifest, and then deletes them.</summary>
    /// <exception cref="WalFencedException">Another opener has the channel.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer; what the manifest has dropped and is not deleted is litter.</exception>
    public async Task<(WalTrim Trim, VersionedManifest Now)> TrimAsync(VersionedManifest held, long neededFromLsn, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();

        // Others release pins, which the holder's own copy does not show: by that alone it would see no reason to write.
        var there = await fence.ReadHeldAsync(held.Manifest, cancellationToken).ConfigureAwait(false);
        var change = await fence.ChangeAsync(there, manifest => WalRetention.Trim(manifest, neededFromLsn, options, now), cancellationToken).ConfigureAwait(false);
        await sweep.DeleteDroppedAsync(change, cancellationToken).ConfigureAwait(false);
        var firstLsn = change.Now.Manifest.FirstLsn;
        var gone = change.From.Segments.Where(s => s.FirstLsn < firstLsn).ToList();
        return (new WalTrim(gone.Count, gone.Sum(s => s.LengthBytes ?? 0), firstLsn), change.Now);
    }

    private WalManifest List(WalManifest manifest, WalSnapshotEntry entry) =>
        manifest.SnapshotLsn >= entry.Lsn ? manifest : manifest with { Snapshots = [.. manifest.Snapshots.Append(entry).TakeLast(options.SnapshotsKept)] };
}
