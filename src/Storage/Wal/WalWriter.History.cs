namespace Baton.Storage.Wal;

public sealed partial class WalWriter
{
    // One change at a time: snapshots are then listed in the order of their LSNs, which the sweeper relies on.
    private readonly SemaphoreSlim _historyTurn = new(1, 1);
    private readonly Lock _holding = new();

    /// <summary>What the channel holds now.</summary>
    public WalHistory History
    {
        get
        {
            var manifest = _held.Manifest;
            var committed = LastDurableLsn;
            return new WalHistory(manifest.FirstLsn, Math.Max(committed, _queue.LastLsn), committed, manifest.SnapshotLsn);
        }
    }

    /// <summary>Makes <paramref name="content"/> the channel's current snapshot. One that is not above the current one is not needed: nothing happens.</summary>
    /// <param name="lsn">The last LSN whose effect is in it; at most <see cref="LastDurableLsn"/>.</param>
    /// <param name="content">The state, at most <see cref="WalOptions.MaxSnapshotBytes"/>.</param>
    /// <param name="cancellationToken">Gives up; the snapshot is then listed or not, and trying again is right.</param>
    /// <exception cref="ArgumentException">The LSN is not durable, or the content is too long.</exception>
    /// <exception cref="WalFencedException">Another opener has the channel.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer: the snapshot is listed or not.</exception>
    /// <exception cref="ObjectDisposedException">The writer was closed.</exception>
    public async Task WriteSnapshotAsync(long lsn, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lsn, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lsn, LastDurableLsn);
        if (content.Length > _options.MaxSnapshotBytes)
        {
            throw new ArgumentException($"A snapshot of {content.Length} bytes is above '{WalOptions.Section}:{nameof(WalOptions.MaxSnapshotBytes)}', {_options.MaxSnapshotBytes}.", nameof(content));
        }

        await _historyTurn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _queue.ThrowIfClosed();
            var held = _held;
            if (lsn > held.Manifest.SnapshotLsn)
            {
                Hold(await _history.SnapshotAsync(held, lsn, PlaceOf(held.Manifest, lsn + 1), content, cancellationToken).ConfigureAwait(false));
            }
        }
        finally
        {
            _historyTurn.Release();
        }
    }

    /// <summary>Deletes the segments that nobody needs: below the oldest snapshot kept, below every pin, below <paramref name="neededFromLsn"/>, and too old or too many.</summary>
    /// <param name="neededFromLsn">The lowest LSN that a consumer still needs.</param>
    /// <param name="cancellationToken">Gives up; doing it again is right.</param>
    /// <exception cref="WalFencedException">Another opener has the channel.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer: the segments are gone or not.</exception>
    /// <exception cref="ObjectDisposedException">The writer was closed.</exception>
    public async Task<WalTrim> TrimAsync(long neededFromLsn, CancellationToken cancellationToken)
    {
        await _historyTurn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _queue.ThrowIfClosed();
            var (trim, now) = await _history.TrimAsync(_held, neededFromLsn, cancellationToken).ConfigureAwait(false);
            Hold(now);
            return trim;
        }
        finally
        {
            _historyTurn.Release();
        }
    }

    private WalSegmentPlace PlaceOf(WalManifest manifest, long lsn)
    {
        var segment = manifest.Segments.Last(s => s.FirstLsn <= lsn);
        return _reader.Index.Find(segment.BlobName(Channel), segment, lsn);
    }

    // A roll may have written a newer one meanwhile. Holding an older one would only cost a conflict, since every change starts anew from what is there.
    private void Hold(VersionedManifest now)
    {
        lock (_holding)
        {
            if (now.Manifest.Revision > _held.Manifest.Revision)
            {
                _held = now;
            }
        }

        _reader.Note(now.Manifest);
    }
}
