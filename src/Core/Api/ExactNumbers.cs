namespace Baton.Core.Api;

/// <summary>Which numbers every JSON reader holds exactly. LSNs, terms, time ticks and broadcast ids stay below.</summary>
public static class ExactNumbers
{
    /// <summary>2^53, the first whole number that is not safe.</summary>
    public const long End = 1L << 53;

    /// <summary>Whether <paramref name="value"/> can be an LSN, a time tick or an id: 1 or above, and below <see cref="End"/>.</summary>
    public static bool IsPosition(long value) => value is >= 1 and < End;
}
