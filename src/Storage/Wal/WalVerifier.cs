using System.Runtime.CompilerServices;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>Looks at whole logs and reports everything that is wrong with them. Only reads.</summary>
public sealed class WalVerifier
{
    private readonly IWalStorage _storage;
    private readonly WalRetry _retry;
    private readonly WalSnapshots _snapshots;

    /// <summary>The logs in <paramref name="storage"/>.</summary>
    /// <exception cref="InvalidOperationException">An option makes no sense.</exception>
    public WalVerifier(BatonStorage storage, WalOptions options, TimeProvider time)
        : this(new AzureWalStorage(storage), options, time)
    {
    }

    internal WalVerifier(IWalStorage storage, WalOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _storage = storage;
        _retry = new WalRetry(options, time);
        _snapshots = new WalSnapshots(storage, _retry);
    }

    /// <summary>The channels that have a log, in order.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public Task<IReadOnlyList<string>> ListChannelsAsync(CancellationToken cancellationToken) => _retry.RunAsync("list the channels", _storage.ListChannelsAsync, cancellationToken);

    /// <summary>The channel's manifest, or null when it has no log.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken) =>
        (await _retry.RunAsync("read the manifest", token => _storage.ReadManifestAsync(channel, token), cancellationToken).ConfigureAwait(false))?.Manifest;

    /// <summary>Reads the whole log that <paramref name="manifest"/> lists, as far as it goes now.</summary>
    /// <param name="manifest">The channel's manifest.</param>
    /// <param name="progress">Is told after each batch; null to tell nobody.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalVerification> VerifyAsync(WalManifest manifest, Action<WalVerifyProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var tally = new WalTally(manifest);
        await foreach (var scanned in ScanAsync(manifest, 1, long.MaxValue, cancellationToken).ConfigureAwait(false))
        {
            tally.Add(scanned);
            progress?.Invoke(tally.Progress);
        }

        await foreach (var damage in VerifySnapshotsAsync(manifest, cancellationToken).ConfigureAwait(false))
        {
            tally.Add(damage);
        }

        return tally.Result;
    }

    /// <summary>Batches and damages that have to do with LSNs from <paramref name="fromLsn"/> to <paramref name="throughLsn"/>, in the order of the log. Batches are whole: the first and the last may reach outside.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async IAsyncEnumerable<WalScanned> ScanAsync(WalManifest manifest, long fromLsn, long throughLsn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var order = new WalOrder(manifest);
        foreach (var segment in manifest.Segments)
        {
            foreach (var wrong in order.Next(segment))
            {
                if (Concerns(wrong, fromLsn, throughLsn))
                {
                    yield return wrong;
                }
            }

            if (segment.FirstLsn > throughLsn || segment.LastLsn < fromLsn)
            {
                continue;
            }

            var scan = new WalSegmentScan(_storage, _retry, manifest.Channel, segment);
            await foreach (var scanned in scan.RunAsync(cancellationToken).ConfigureAwait(false))
            {
                if (scan.BlobMissing && await IsDroppedAsync(manifest.Channel, segment, cancellationToken).ConfigureAwait(false))
                {
                    break;
                }

                if (scanned.Lsn > throughLsn)
                {
                    break;
                }

                if (order.Next(scanned) is { } tick && Concerns(tick, fromLsn, throughLsn))
                {
                    yield return tick;
                }

                if (Concerns(scanned, fromLsn, throughLsn))
                {
                    yield return scanned;
                }
            }
        }
    }

    private static bool Concerns(WalScanned scanned, long fromLsn, long throughLsn)
    {
        var last = scanned.Batch?.LastLsn ?? (scanned.Damage is { FirstMissingLsn: not null } missing ? missing.LastMissingLsn ?? long.MaxValue : scanned.Lsn);
        return scanned.Lsn <= throughLsn && last >= fromLsn;
    }

    // Retention may delete a segment while this reads, and a takeover drops an open one without records: then the manifest no longer has it, and nothing is wrong.
    private async Task<bool> IsDroppedAsync(string channel, WalSegment segment, CancellationToken cancellationToken)
    {
        var now = await ReadManifestAsync(channel, cancellationToken).ConfigureAwait(false);
        return now is not null
            && !now.Segments.Any(s => s.FirstLsn == segment.FirstLsn && s.Term == segment.Term)
            && (now.FirstLsn > segment.FirstLsn || (!segment.Sealed && now.Segments.Any(s => s.FirstLsn == segment.FirstLsn && s.Term > segment.Term)));
    }

    private async IAsyncEnumerable<WalDamage> VerifySnapshotsAsync(WalManifest manifest, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var snapshot in manifest.Snapshots)
        {
            if (await ProblemAsync(manifest.Channel, snapshot, cancellationToken).ConfigureAwait(false) is not { } problem)
            {
                continue;
            }

            // A newer snapshot may have replaced it while this read.
            var now = await ReadManifestAsync(manifest.Channel, cancellationToken).ConfigureAwait(false);
            if (now is not null && now.Snapshots.Contains(snapshot))
            {
                yield return new WalDamage(WalDamageKind.Snapshot, manifest.Channel, snapshot.BlobName(manifest.Channel), problem.Offset, null, null, problem.Text);
            }
        }
    }

    private async Task<(long Offset, string Text)?> ProblemAsync(string channel, WalSnapshotEntry snapshot, CancellationToken cancellationToken)
    {
        try
        {
            await _snapshots.ReadAsync(channel, snapshot, cancellationToken).ConfigureAwait(false);
            return await GoesOnAsync(snapshot.BlobName(channel), snapshot.LengthBytes, cancellationToken).ConfigureAwait(false)
                ? (snapshot.LengthBytes, $"the snapshot is longer than the {snapshot.LengthBytes} bytes of the manifest")
                : null;
        }
        catch (WalFormatException failure)
        {
            return (failure.Offset, failure.Problem);
        }
        catch (WalBlobMissingException)
        {
            return (0, "the blob is missing");
        }
    }

    private async Task<bool> GoesOnAsync(string blob, long offset, CancellationToken cancellationToken) => await _retry.RunAsync(
        "look behind a snapshot",
        token => _storage.Snapshots.ReadAsync(blob, offset, new byte[1], token),
        cancellationToken).ConfigureAwait(false) > 0;
}
