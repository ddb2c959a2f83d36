namespace Baton.Testing;

/// <summary>How much a test tries whose whole set takes longer than the gate has. <c>BATON_TESTS=all</c> tries everything.</summary>
internal static class Sampled
{
    private static readonly bool All = Environment.GetEnvironmentVariable("BATON_TESTS") == "all";

    /// <summary>How many rounds, seeds or things.</summary>
    public static int Count(int sample, int all) => All ? all : sample;

    /// <summary>Of places in their order, each <paramref name="step"/>th, beginning with the first; all of them when everything is tried.</summary>
    public static IEnumerable<T> Every<T>(int step, IEnumerable<T> places) => places.Where((_, i) => All || i % step == 0);
}
