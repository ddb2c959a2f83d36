using System.Globalization;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>Which programs are tried: some of every day anew. A failure names its seed; set <c>BATON_SEED</c> to begin there, or pin it in its test.</summary>
internal static class ProgramSeeds
{
    private static readonly int First = int.TryParse(Environment.GetEnvironmentVariable("BATON_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed
        : Random.Shared.Next(1_000_000);

    /// <summary>The fixed seeds 1, 2, … and as many of this run.</summary>
    public static IReadOnlyList<int> Draw(int count) => [.. Enumerable.Range(1, count / 2), .. Enumerable.Range(First, count - (count / 2))];
}
