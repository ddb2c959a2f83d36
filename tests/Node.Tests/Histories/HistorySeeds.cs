using System.Globalization;

namespace Baton.Node.Tests.Histories;

/// <summary>Which histories are tried: fixed ones, and as many others in every run. A failure names its seed and is made as short as it gets: set <c>BATON_SEED</c> to begin there.</summary>
internal static class HistorySeeds
{
    private static readonly int First = int.TryParse(Environment.GetEnvironmentVariable("BATON_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed
        : Random.Shared.Next(1_000_000_000);

    /// <summary>Runs histories until one fails, which is then shortened within a number of runs.</summary>
    /// <param name="count">How many histories.</param>
    /// <param name="longest">Their steps at most.</param>
    /// <param name="shortenings">How often a failing history is run again at most, to find a shorter one.</param>
    /// <param name="run">Runs one.</param>
    public static async Task TryAsync(int count, int longest, int shortenings, Func<IReadOnlyList<HistoryStep>, Task> run)
    {
        foreach (var seed in Enumerable.Range(1, count / 2).Concat(Enumerable.Range(First, count - (count / 2))))
        {
            var history = HistoryStep.History(seed, longest);
            if (await FailureAsync(run, history) is { } failure)
            {
                var (shortest, reason) = await ShortenAsync(run, history, failure, shortenings);
                Assert.Fail($"BATON_SEED={seed}: {history.Count} steps, shortened to {shortest.Count}:{Environment.NewLine}{reason}");
            }
        }
    }

    private static async Task<(IReadOnlyList<HistoryStep> Shortest, string Reason)> ShortenAsync(
        Func<IReadOnlyList<HistoryStep>, Task> run, IReadOnlyList<HistoryStep> history, string reason, int left)
    {
        var found = true;
        while (found)
        {
            found = false;
            foreach (var simpler in HistoryStep.Simpler(history))
            {
                if (left-- <= 0)
                {
                    return (history, reason);
                }

                if (await FailureAsync(run, simpler) is { } failure)
                {
                    (history, reason, found) = (simpler, failure, true);
                    break;
                }
            }
        }

        return (history, reason);
    }

    private static async Task<string?> FailureAsync(Func<IReadOnlyList<HistoryStep>, Task> run, IReadOnlyList<HistoryStep> history)
    {
        try
        {
            await run(history);
            return null;
        }
        catch (HistoryFailedException e)
        {
            return e.Message;
        }
    }
}
