namespace Baton.Storage.Wal;

/// <summary>Which segments may go. A pure function of the manifest, so that it is worked out anew when the manifest has changed under the trim.</summary>
internal static class WalRetention
{
    /// <summary><paramref name="manifest"/> without the segments that may go and the pins whose time is over; itself when there is neither.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="neededFromLsn">The lowest LSN that a consumer still needs.</param>
    /// <param name="options">Age and size to which history is kept.</param>
    /// <param name="now">The time by which age and pins are judged.</param>
    public static WalManifest Trim(WalManifest manifest, long neededFromLsn, WalOptions options, DateTimeOffset now)
    {
        var pins = manifest.Pins.Where(p => p.ExpiresAt > now).ToList();
        var removed = CountOfRemovable(manifest, pins, neededFromLsn, options, now);
        if (removed == 0 && pins.Count == manifest.Pins.Count)
        {
            return manifest;
        }

        return manifest with
        {
            Pins = pins,
            Segments = [.. manifest.Segments.Skip(removed)],
            FirstLsn = removed == 0 ? manifest.FirstLsn : manifest.Segments[removed - 1].LastLsn!.Value + 1,
        };
    }

    private static int CountOfRemovable(WalManifest manifest, List<WalPin> pins, long neededFromLsn, WalOptions options, DateTimeOffset now)
    {
        // Below the oldest snapshot, not the newest: if the newest turns out damaged, the older one and what follows it are all there is.
        if (manifest.Snapshots is not [var oldest, ..])
        {
            return 0;
        }

        var keptFrom = pins.Select(p => p.FromLsn).Append(neededFromLsn).Append(oldest.Lsn + 1).Min();
        var bytes = manifest.Segments.Sum(s => s.LengthBytes ?? 0);
        var removed = 0;
        foreach (var segment in manifest.Segments)
        {
            var isOld = segment.SealedAt is { } sealedAt && now - sealedAt >= TimeSpan.FromMilliseconds(options.RetainMs);
            if (segment.LastLsn is not { } last || last >= keptFrom || (!isOld && bytes <= options.RetainBytes))
            {
                break;
            }

            bytes -= segment.LengthBytes ?? 0;
            removed++;
        }

        return removed;
    }
}
