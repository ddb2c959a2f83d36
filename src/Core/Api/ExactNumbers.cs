namespace Baton.Core.Api;

/// <summary>Which numbers every JSON reader holds exactly. LSNs, terms, time ticks and broadcast ids stay below.</summary>
public static class ExactNumbers
{
    /// <summary>2^53, the first whole number that is not safe.</summary>
    public const long End = 1L << 53;
}
