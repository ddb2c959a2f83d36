namespace Baton.Core.Time;

/// <summary>Time ticks: Unix milliseconds × 1024 + counter. Stays below 2^53, so that JSON numbers carry it exactly.</summary>
public static class TimeTicks
{
    /// <summary>Ticks in a millisecond.</summary>
    public const long PerMillisecond = 1024;

    /// <summary>The first tick of the millisecond that holds <paramref name="instant"/>.</summary>
    public static long FromInstant(DateTimeOffset instant) => instant.ToUnixTimeMilliseconds() * PerMillisecond;

    /// <summary>The instant of <paramref name="tick"/>, to the millisecond (UTC).</summary>
    public static DateTimeOffset ToInstant(long tick) => DateTimeOffset.FromUnixTimeMilliseconds(tick / PerMillisecond);

    /// <summary><paramref name="milliseconds"/> as a number of ticks.</summary>
    public static long FromMilliseconds(long milliseconds) => checked(milliseconds * PerMillisecond);
}
