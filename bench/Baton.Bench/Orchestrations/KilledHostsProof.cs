using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Baton.DevHost.Azurite;
using Baton.KilledHosts;
using Baton.OrchestrationApp;
using Spectre.Console;

namespace Baton.Bench.Orchestrations;

/// <summary>Random orchestrations whose hosts are killed at random moments, for as long as asked. It measures nothing but whether any end is wrong.</summary>
internal static class KilledHostsProof
{
    private const int ProgramsPerBatch = 16;
    private const int KillsPerBatch = 10;
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(10);

    public static Command Command()
    {
        var seed = WholeNumber.Option("--seed", "Makes programs and moments of the kills; drawn when absent", 0, 1_000_000, () => Random.Shared.Next(1_000_000));
        var seconds = WholeNumber.Option("--seconds", "How long batches are begun", 1, 86_400, () => 60);
        var command = new Command("orchestrations-killed", "Random orchestrations under SIGKILL: every output and effect as if nothing had died.") { seed, seconds };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(seed), TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int seed, TimeSpan duration, CancellationToken cancellationToken)
    {
        Console.WriteLine($"Seed {seed}: the same programs, and kills drawn alike, with --seed {seed}.");
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        try
        {
            AppFolder.Write(folder);
            var account = AzuriteAccount.Create("killed");
            await using var azurite = await AzuriteServer.StartAsync(new AzuriteOptions { Accounts = [account] }, cancellationToken);
            var (tally, clock) = (new BatchTally(), Stopwatch.StartNew());
            await RunBatchesAsync(folder, azurite.ConnectionString(account.Name), seed, duration, tally, clock, cancellationToken);
            Print(tally, clock.Elapsed);
            if (tally.Mismatches.Count == 0)
            {
                return 0;
            }

            Console.WriteLine($"The first mismatch, of seed {seed}: {tally.Mismatches[0]}");
            return 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task RunBatchesAsync(
        string folder, string connectionString, int seed, TimeSpan duration, BatchTally tally, Stopwatch clock, CancellationToken cancellationToken)
    {
        var nextReport = ReportEvery;
        for (var batch = 0; clock.Elapsed < duration && tally.Mismatches.Count == 0; batch++)
        {
            // A hub of its own: what earlier batches have left would make each start a little slower.
            var options = new MortalHostOptions(folder, connectionString, string.Create(CultureInfo.InvariantCulture, $"Batch{batch}"));
            try
            {
                await new Batch(options, seed + batch, ProgramsPerBatch, KillsPerBatch, tally).RunAsync(cancellationToken);
            }
            catch (Exception e) when (e is TimeoutException or InvalidOperationException)
            {
                tally.Mismatches.Add(e.ToString());
            }

            if (clock.Elapsed >= nextReport)
            {
                nextReport = clock.Elapsed + ReportEvery;
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{clock.Elapsed.TotalSeconds,6:0} s  {tally.Programs} programs, {tally.Kills} kills, {tally.Activities} activities, {tally.Mismatches.Count} mismatches"));
            }
        }
    }

    private static void Print(BatchTally tally, TimeSpan elapsed)
    {
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "count");
        table.AddRow("programs run to their end", Number(tally.Programs));
        table.AddRow("kills of host and handler", Number(tally.KillsWithHandler));
        table.AddRow("kills of the host only", Number(tally.KillsOfHostOnly));
        table.AddRow("of all kills, while the host started", Number(tally.KillsDuringStart));
        table.AddRow("activities executed", Number(tally.Activities));
        table.AddRow("of them executed again after a kill", Number(tally.ActivitiesRepeated));
        table.AddRow("effects applied", Number(tally.Effects));
        table.AddRow("mismatches", Number(tally.Mismatches.Count));
        AnsiConsole.Write(table);
        Console.WriteLine($"{elapsed.TotalSeconds:0} s, {Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
    }

    private static string Number(int count) => count.ToString(CultureInfo.InvariantCulture);
}
