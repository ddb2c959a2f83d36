using System.CommandLine;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.DevHost.Clusters;
using Spectre.Console;

namespace Baton.Bench.Promotion;

/// <summary>Forced promotions of a real cluster, from the request to the answer; between them a normal update makes it a secondary again.</summary>
internal static class PromotionBench
{
    public static Command Command()
    {
        var rounds = WholeNumber.Option("--rounds", "Promotions", 1, 1_000, () => 20);
        var channels = WholeNumber.Option("--channels", "Channels of the cluster", 1, 256, () => 2);
        var command = new Command("promotion", "Forced promotions: median and worst.") { rounds, channels };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(rounds), parsed.GetValue(channels), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int rounds, int channels, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        try
        {
            await using var machine = await LocalMachine.StartAsync(folder, ["b"], keepData: false, cancellationToken);
            var b = await machine.StartClusterAsync("b", o => o with { Gateway = false, Channels = channels }, cancellationToken);
            var self = new ReplicateCluster("b", b.ControlPlane.GetLeftPart(UriPartial.Authority), [.. b.Channels]);
            var gone = new ReplicateCluster("a", "http://127.0.0.1:9", [.. b.Channels.Select((_, i) => $"a-ch{i}")]);
            var (request, steps) = (new Samples(), new Dictionary<string, Samples>(StringComparer.Ordinal));

            // The first round warms the processes up and does not count.
            for (var round = 0; round <= rounds; round++)
            {
                _ = (await b.Client.UpdateReplicateConfigurationAsync(new(new([gone, self], new([new("a", "b")])), WaitMs: 60_000), cancellationToken)).Value;
                UpdateReplicateConfigurationResponse? answer = null;
                var time = new Samples();
                await time.TimeAsync(async () => answer = (await b.Client.UpdateReplicateConfigurationAsync(new(new([self]), ForceUpdate: true, WaitMs: 60_000), cancellationToken)).Value);
                if (round > 0)
                {
                    request.Add(time.Median);
                    AddSteps(steps, answer!.Promotion!);
                }
            }

            var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "median", "worst");
            table.AddRow("request to answer", Samples.Ms(request.Median), Samples.Ms(request.Worst));
            foreach (var (name, samples) in steps)
            {
                table.AddRow($"step {name}", Samples.Ms(samples.Median), Samples.Ms(samples.Worst));
            }

            AnsiConsole.Write(table);
            Console.WriteLine($"{rounds} promotions of {channels} channels, {Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // A step lasts until the next begins; the last one until the report is made.
    private static void AddSteps(Dictionary<string, Samples> steps, PromotionReport report)
    {
        for (var i = 0; i + 1 < report.Steps.Count; i++)
        {
            var name = report.Steps[i].Name;
            if (!steps.TryGetValue(name, out var samples))
            {
                steps[name] = samples = new Samples();
            }

            samples.Add((report.Steps[i + 1].At - report.Steps[i].At).TotalMilliseconds);
        }
    }
}
