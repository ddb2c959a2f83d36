using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Baton.DevHost.Azurite;
using Baton.KilledWriters;
using Spectre.Console;

namespace Baton.Bench.Wal;

/// <summary>Writers of the log that are killed at random moments, as many as asked. It measures nothing but whether anything acknowledged is lost, doubled or torn.</summary>
internal static class KilledWritersProof
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(10);

    public static Command Command()
    {
        var seed = WholeNumber.Option("--seed", "Makes sizes and moments of the kills; drawn when absent", 0, 1_000_000, () => Random.Shared.Next(1_000_000));
        var kills = WholeNumber.Option("--kills", "How many writers are killed", 1, 1_000_000, () => 200);
        var command = new Command("wal-killed", "Writers of the log under SIGKILL: everything acknowledged is there, once and whole.") { seed, kills };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(seed), parsed.GetValue(kills), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int seed, int kills, CancellationToken cancellationToken)
    {
        Console.WriteLine($"Seed {seed}: the same writers, and kills drawn alike, with --seed {seed}.");
        var account = AzuriteAccount.Create("killed");
        await using var azurite = await AzuriteServer.StartAsync(new AzuriteOptions { Accounts = [account] }, cancellationToken);
        var (tally, clock) = (new KillTally(), Stopwatch.StartNew());
        var nextReport = ReportEvery;
        await new KilledWriterRun(azurite.ConnectionString(account.Name), seed, tally).RunAsync(
            kills,
            soFar =>
            {
                if (clock.Elapsed >= nextReport)
                {
                    nextReport = clock.Elapsed + ReportEvery;
                    Console.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{clock.Elapsed.TotalSeconds,6:0} s  {soFar.Kills} kills, {soFar.Acknowledged} appends acknowledged, {soFar.Records} records, {soFar.Problems.Count} problems"));
                }
            },
            cancellationToken);
        Print(tally, clock.Elapsed);
        foreach (var problem in tally.Problems.Take(20))
        {
            Console.WriteLine(problem);
        }

        return tally.Problems.Count == 0 ? 0 : 1;
    }

    private static void Print(KillTally tally, TimeSpan elapsed)
    {
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "count");
        table.AddRow("kills (SIGKILL)", Number(tally.Kills));
        table.AddRow("of them while the writer opened", Number(tally.WhileOpening));
        table.AddRow("segments begun and abandoned by kills", Number(tally.SegmentsAbandoned));
        table.AddRow("segments in the logs", Number(tally.Segments));
        table.AddRow("appends acknowledged", Number(tally.Acknowledged));
        table.AddRow("appends found that nobody was told of", Number(tally.Unacknowledged));
        table.AddRow("records checked", Number(tally.Records));
        table.AddRow("lost or elsewhere", Number(tally.Lost));
        table.AddRow("twice", Number(tally.Twice));
        table.AddRow("torn", Number(tally.Torn));
        AnsiConsole.Write(table);
        Console.WriteLine($"{elapsed.TotalSeconds:0} s, {Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
    }

    private static string Number(int count) => count.ToString(CultureInfo.InvariantCulture);
}
