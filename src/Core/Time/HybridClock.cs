namespace Baton.Core.Time;

/// <summary>
/// Gives out hybrid logical time: wall-clock milliseconds in the upper bits, so that ticks of different channels compare, and a
/// counter in the lower ten, so that they rise strictly even when the wall clock stands still or goes back.
/// </summary>
public static class HybridClock
{
    /// <summary>The next tick after <paramref name="lastTick"/>: the wall clock's, or one more than the last where that is not later.</summary>
    public static long Next(long lastTick, DateTimeOffset now) => Math.Max(lastTick + 1, TimeTicks.FromInstant(now));
}
