using System.Globalization;

namespace Baton.Storage.Wal;

/// <summary>Deletes blobs that are in no manifest and never can come into one.</summary>
/// <remarks>
/// <para>What a dead opener, a deposed writer, or a trim that was cut short leaves behind. Blobs are listed first and the manifest is read after that: what is listed and not in
/// the manifest has either been dropped from it, or is not in it yet. Not yet is possible only for a blob of the manifest's own term, which its holder may be about to add, and only at the log's end:</para>
/// <code>
/// segment, term below the manifest's             its writer is fenced: no change of the manifest is open to it any more
/// segment, own term, first LSN below the tail's  the holder has begun a later one since, and begins them in order
/// segment, own term, at or above the tail's      may be added by the next change: stays
/// snapshot, term below the manifest's            as above
/// snapshot, own term, LSN below the newest's     the holder lists none that is not above the newest
/// snapshot, own term, at or above the newest's   may be listed by the next change: stays
/// any of a higher term                           its opener came between the list and the manifest: stays
/// </code>
/// <para>No name is ever used again, so a deletion that comes late deletes nothing else.</para>
/// </remarks>
internal sealed class WalSweep(IWalStorage storage, WalRetry retry)
{
    private const string SegmentSuffix = ".seg";
    private const string SnapshotSuffix = ".snap";

    /// <summary>Sweeps one channel. Returns how many blobs were deleted.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<int> SweepAsync(string channel, CancellationToken cancellationToken)
    {
        var segments = await ListAsync(storage.Segments, channel, cancellationToken).ConfigureAwait(false);
        var snapshots = await ListAsync(storage.Snapshots, channel, cancellationToken).ConfigureAwait(false);
        var read = await retry.RunAsync("read the manifest", token => storage.ReadManifestAsync(channel, token), cancellationToken).ConfigureAwait(false);
        if (read is null)
        {
            return 0;
        }

        var (oldSegments, oldSnapshots) = Litter(read.Manifest, segments, snapshots);
        await DeleteAsync(storage.Segments, oldSegments, cancellationToken).ConfigureAwait(false);
        await DeleteAsync(storage.Snapshots, oldSnapshots, cancellationToken).ConfigureAwait(false);
        return oldSegments.Count + oldSnapshots.Count;
    }

    /// <summary>Deletes what one change of the manifest dropped from it.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer; what is left is litter.</exception>
    public async Task DeleteDroppedAsync(WalChange change, CancellationToken cancellationToken)
    {
        var channel = change.From.Channel;
        var segments = change.From.Segments.Select(s => s.BlobName(channel)).Except(change.Now.Manifest.Segments.Select(s => s.BlobName(channel)), StringComparer.Ordinal);
        var snapshots = change.From.Snapshots.Select(s => s.BlobName(channel)).Except(change.Now.Manifest.Snapshots.Select(s => s.BlobName(channel)), StringComparer.Ordinal);
        await DeleteAsync(storage.Segments, segments, cancellationToken).ConfigureAwait(false);
        await DeleteAsync(storage.Snapshots, snapshots, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Which of the blobs that were listed before <paramref name="manifest"/> was read may go.</summary>
    internal static (IReadOnlyList<string> Segments, IReadOnlyList<string> Snapshots) Litter(WalManifest manifest, IEnumerable<string> segments, IEnumerable<string> snapshots)
    {
        var channel = manifest.Channel;
        var listed = manifest.Segments.Select(s => s.BlobName(channel)).Concat(manifest.Snapshots.Select(s => s.BlobName(channel))).ToHashSet(StringComparer.Ordinal);
        var tailLsn = manifest.Tail?.FirstLsn ?? manifest.FirstLsnAfterSealed;
        var newestLsn = manifest.SnapshotLsn;
        return (
            [.. segments.Where(name => !listed.Contains(name) && Numbers(channel, name, SegmentSuffix) is var (term, lsn) && IsPast(term, lsn, tailLsn))],
            [.. snapshots.Where(name => !listed.Contains(name) && Numbers(channel, name, SnapshotSuffix) is var (lsn, term) && IsPast(term, lsn, newestLsn))]);

        bool IsPast(long term, long lsn, long endLsn) => term < manifest.Term || (term == manifest.Term && lsn < endLsn);
    }

    // A name that is not of this form is nobody's here: it stays.
    private static (long First, long Second)? Numbers(string channel, string name, string suffix)
    {
        if (!name.StartsWith(channel + "/", StringComparison.Ordinal) || !name.EndsWith(suffix, StringComparison.Ordinal))
        {
            return null;
        }

        var parts = name[(channel.Length + 1)..^suffix.Length].Split('-');
        return parts.Length == 2
            && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var second)
            ? (first, second)
            : null;
    }

    private Task<IReadOnlyList<string>> ListAsync(IAppendBlobs blobs, string channel, CancellationToken cancellationToken) =>
        retry.RunAsync("list blobs", token => blobs.ListAsync(channel + "/", token), cancellationToken);

    private async Task DeleteAsync(IAppendBlobs blobs, IEnumerable<string> names, CancellationToken cancellationToken)
    {
        foreach (var name in names)
        {
            await retry.RunAsync("delete a blob", token => blobs.DeleteAsync(name, token), cancellationToken).ConfigureAwait(false);
        }
    }
}
