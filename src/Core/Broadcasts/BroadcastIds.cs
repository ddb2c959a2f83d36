using Baton.Core.Time;

namespace Baton.Core.Broadcasts;

/// <summary>Broadcast ids: unique and ascending in a cluster, and above those of a lost counter, since they follow the wall clock.</summary>
public static class BroadcastIds
{
    /// <summary>The id after <paramref name="last"/>: Unix milliseconds × 1024, or one more than the last where that is not higher.</summary>
    public static long Next(long last, DateTimeOffset now) => HybridClock.Next(last, now);
}
