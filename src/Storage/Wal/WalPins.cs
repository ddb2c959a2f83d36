namespace Baton.Storage.Wal;

/// <summary>How pins change the manifest: pure functions, so that they are worked out anew when the manifest has changed under them.</summary>
/// <remarks>
/// A pin's time is the clock's of whoever sets it, and judged by the clock of whoever trims. Clocks that differ make a pin hold for a shorter or longer while; they never decide who may write,
/// and a pin that has come too late says so, since its own change of the manifest shows it the first LSN.
/// </remarks>
internal static class WalPins
{
    /// <summary>How many a channel has at most: they are in the manifest, which every change writes whole.</summary>
    public const int MaxCount = 256;

    /// <summary><paramref name="manifest"/> with <paramref name="pin"/> in the place of one of the same id; itself when it has just that.</summary>
    /// <exception cref="WalTrimmedException">What is to be pinned is gone already.</exception>
    /// <exception cref="InvalidOperationException">There are too many.</exception>
    public static WalManifest Add(WalManifest manifest, WalPin pin, DateTimeOffset now)
    {
        if (manifest.Pins.Contains(pin))
        {
            return manifest;
        }

        if (pin.FromLsn < manifest.FirstLsn)
        {
            throw new WalTrimmedException(manifest.Channel, pin.FromLsn, manifest.FirstLsn);
        }

        var others = manifest.Pins.Where(p => p.Id != pin.Id).ToList();
        if (others.Count >= MaxCount)
        {
            others.RemoveAll(p => p.ExpiresAt <= now);
        }

        return others.Count < MaxCount
            ? manifest with { Pins = [.. others, pin] }
            : throw new InvalidOperationException($"Channel '{manifest.Channel}' has {others.Count} pins, the most that it may have: release one.");
    }

    /// <summary><paramref name="manifest"/> without the pin of that id; itself when there is none.</summary>
    public static WalManifest Remove(WalManifest manifest, string pinId) =>
        manifest.Pins.Any(p => p.Id == pinId) ? manifest with { Pins = [.. manifest.Pins.Where(p => p.Id != pinId)] } : manifest;
}
