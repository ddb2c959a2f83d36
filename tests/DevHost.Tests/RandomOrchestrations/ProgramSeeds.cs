using System.Globalization;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>Which programs are tried: fixed ones, and others in every run. A failure names its seed: set <c>BATON_SEED</c> to begin there, or pin it here.</summary>
internal static class ProgramSeeds
{
    // Seeds that found something, for good.
    private static readonly int[] Pinned = [];

    private static readonly int First = int.TryParse(Environment.GetEnvironmentVariable("BATON_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed
        : Random.Shared.Next(1_000_000);

    /// <summary>The pinned seeds, 1, 2, … for one half, and new ones for the other.</summary>
    public static IReadOnlyList<int> Draw(int count) => [.. Pinned, .. Enumerable.Range(1, count / 2), .. Enumerable.Range(First, count - (count / 2))];
}
