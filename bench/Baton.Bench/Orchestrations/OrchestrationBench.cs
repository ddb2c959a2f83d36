using System.CommandLine;
using System.Globalization;
using Baton.OrchestrationApp;
using Baton.OrchestrationApp.Throughput;
using Spectre.Console;

namespace Baton.Bench.Orchestrations;

/// <summary>Orchestrations through DevHost: real host, real handler process, storage in Azurite. Beside them the bare calls that each of them cannot do without.</summary>
internal static class OrchestrationBench
{
    private const int Steps = 5;
    private const int Concurrency = 64;
    private const int LoneRounds = 200;

    private static readonly int[] FanOuts = [100, 1_000, 10_000];

    public static Command Command()
    {
        var seconds = WholeNumber.Option("--seconds", "How long each throughput row runs", 1, 600, () => 10);
        var command = new Command("orchestrations", "Orchestrations and activities a second, replay, and what a turn costs.") { seconds };
        command.SetAction((parsed, cancellationToken) => RunAsync(TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        ReplayBench.Print();
        await using var host = await BenchHost.StartAsync(cancellationToken);
        await using var raw = await RawCalls.StartAsync(host.Storage, cancellationToken);
        await PrintRatesAsync(host, raw, duration, cancellationToken);
        await PrintFanOutsAsync(host, raw, cancellationToken);
        Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
        return 0;
    }

    private static async Task PrintRatesAsync(BenchHost host, RawCalls raw, TimeSpan duration, CancellationToken cancellationToken)
    {
        var (lone, rawLone) = (new Samples(), new Samples());
        for (var round = -20; round < LoneRounds; round++)
        {
            var (batonTime, rawTime) = round < 0 ? (new Samples(), new Samples()) : (lone, rawLone);
            await batonTime.TimeAsync(() => host.RunAsync(Fanning.Sequence, 1, cancellationToken));
            await rawTime.TimeAsync(() => raw.OrchestrationAsync(1, cancellationToken));
        }

        var rate = await RateAsync(duration, () => host.RunAsync(Fanning.Sequence, Steps, cancellationToken));
        var rawRate = await RateAsync(duration, () => raw.OrchestrationAsync(Steps, cancellationToken));
        var table = new Table().Border(TableBorder.Markdown).AddColumns("through DevHost", "Baton", "raw", "ratio");
        table.AddRow("one orchestration of one activity, alone, p50", Samples.Ms(lone.Median), Samples.Ms(rawLone.Median), Ratio(lone.Median / rawLone.Median));
        table.AddRow("the same, p99", Samples.Ms(lone.Percentile(0.99)), Samples.Ms(rawLone.Percentile(0.99)), Ratio(lone.Percentile(0.99) / rawLone.Percentile(0.99)));
        table.AddRow($"{Concurrency} at a time, {Steps} activities each, one after the other", $"{rate:N0} orchestrations/s", $"{rawRate:N0} orchestrations/s", Ratio(rate / rawRate));
        table.AddRow("their activities, round trips", $"{rate * Steps:N0} activities/s", $"{rawRate * Steps:N0} activities/s", Ratio(rate / rawRate));
        AnsiConsole.Write(table);
    }

    private static async Task PrintFanOutsAsync(BenchHost host, RawCalls raw, CancellationToken cancellationToken)
    {
        var table = new Table().Border(TableBorder.Markdown).AddColumns("activities at once", "until all are in", "each", "turns", "raw: the calls alone", "ratio");
        await host.RunAsync(Fanning.FanOut, FanOuts[0], cancellationToken);
        foreach (var width in FanOuts)
        {
            var (time, rawTime) = (new Samples(), new Samples());
            var turns = 0;
            await time.TimeAsync(async () => turns = await host.RunAsync(Fanning.FanOut, width, cancellationToken));
            await rawTime.TimeAsync(() => raw.ActivitiesAsync(width, AppFolder.MaxConcurrentActivities, cancellationToken));
            table.AddRow($"{width:N0}", Samples.Ms(time.Median), Samples.Ms(time.Median / width), $"{turns:N0}", Samples.Ms(rawTime.Median), Ratio(time.Median / rawTime.Median));
        }

        AnsiConsole.Write(table);
    }

    // The first tenth warms up and does not count.
    private static async Task<double> RateAsync(TimeSpan duration, Func<Task> once)
    {
        var start = DateTime.UtcNow + (duration / 10);
        var end = start + duration;
        var counts = await Task.WhenAll(Enumerable.Range(0, Concurrency).Select(_ => Task.Run(async () =>
        {
            var count = 0;
            while (DateTime.UtcNow < end)
            {
                var counts = DateTime.UtcNow >= start;
                await once();
                count += counts ? 1 : 0;
            }

            return count;
        })));
        return counts.Sum() / (DateTime.UtcNow - start).TotalSeconds;
    }

    private static string Ratio(double ratio) => ratio.ToString("0.00", CultureInfo.InvariantCulture);
}
