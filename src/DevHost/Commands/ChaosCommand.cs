using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Baton.DevHost.Chaos.Rounds;
using Spectre.Console;

namespace Baton.DevHost.Commands;

/// <summary><c>chaos</c>: round after round, two clusters under load of which one is lost at a random moment, and everything that a promotion promises looked for in the logs.</summary>
internal static class ChaosCommand
{
    private const double PromisedFirstWriteMs = 2_000;
    private static readonly Option<int?> Seed = new("--seed") { Description = "What all rounds are drawn from; a new one when left out." };
    private static readonly Option<int?> Rounds = new("--rounds") { Description = "How many rounds, 1 to 100000; 5 when neither this nor --minutes is given." };
    private static readonly Option<int?> Minutes = new("--minutes") { Description = "No further round begins after so many minutes, 1 to 10000." };
    private static readonly Option<int> First = new("--first") { Description = "Number of the first round: runs one again alone, with --rounds 1.", DefaultValueFactory = _ => 1 };
    private static readonly Option<DirectoryInfo> Data = new("--data") { Description = "Folder for logs; each round makes a folder of its own in it, and removes it when all was well.", DefaultValueFactory = _ => new DirectoryInfo(Path.Combine(".baton", "chaos")) };

    public static Command Create()
    {
        var command = new Command("chaos", "Run two clusters under load, lose one at a random moment, promote the other, bring the first back; check the logs; again and again.");
        foreach (Option option in new Option[] { Seed, Rounds, Minutes, First, Data })
        {
            command.Options.Add(option);
        }

        Rounds.Validators.Add(r => Range(r, 100_000));
        Minutes.Validators.Add(r => Range(r, 10_000));
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(Seed) ?? RandomNumberGenerator.GetInt32(1_000_000),
            parsed.GetValue(First),
            parsed.GetValue(Rounds) ?? (parsed.GetValue(Minutes) is null ? 5 : int.MaxValue),
            parsed.GetValue(Minutes) is { } minutes ? TimeSpan.FromMinutes(minutes) : null,
            parsed.GetValue(Data)!.FullName,
            cancellationToken));
        return command;
    }

    private static void Range(System.CommandLine.Parsing.OptionResult result, int most)
    {
        if (result.GetValueOrDefault<int?>() is < 1 or null || result.GetValueOrDefault<int?>() > most)
        {
            result.AddError($"{result.Option.Name} must be 1 to {most}.");
        }
    }

    private static async Task<int> RunAsync(int seed, int first, int rounds, TimeSpan? time, string data, CancellationToken cancellationToken)
    {
        var console = Terminal.Console;
        var clock = Stopwatch.StartNew();
        var promotions = new List<PromotionFigures>();
        var ran = 0;
        console.MarkupLine($"[bold]Seed {seed}[/]: the same rounds with --seed {seed}.");
        for (var number = first; ran < rounds && (time is null || clock.Elapsed < time); number++)
        {
            var plan = RoundPlan.Draw(seed, number);
            console.WriteLine();
            console.Write(new Rule($"[bold]Round {number}[/]  [grey]{Markup.Escape(plan.Describe())}[/]") { Justification = Justify.Left });
            var folder = Path.Combine(data, string.Create(CultureInfo.InvariantCulture, $"seed-{seed}-round-{number}-{Environment.ProcessId}"));
            RoundResult result;
            try
            {
                result = await Round.RunAsync(plan, folder, text => Say(console, clock, text), cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                console.MarkupLine("[grey]Stopped by Ctrl-C; everything it started has ended.[/]");
                break;
            }

            ran++;
            promotions.AddRange(result.Promotions);
            foreach (var figures in result.Promotions)
            {
                Print(console, number, figures);
            }

            if (result.Findings.Count > 0)
            {
                PrintFailure(console, seed, number, folder, result);
                return 1;
            }

            Remove(folder);
        }

        Conclude(console, seed, ran, promotions, clock.Elapsed);
        return cancellationToken.IsCancellationRequested ? 1 : 0;
    }

    private static void Say(IAnsiConsole console, Stopwatch clock, string text) =>
        console.MarkupLine(string.Create(CultureInfo.InvariantCulture, $"[grey]{clock.Elapsed.TotalSeconds,8:0.0} s  · {Markup.Escape(text)}[/]"));

    private static void Print(IAnsiConsole console, int number, PromotionFigures f)
    {
        var slow = f is { Undisturbed: true, FirstWriteMs: > PromisedFirstWriteMs } ? "  [yellow](more than two seconds)[/]" : string.Empty;
        console.MarkupLine(string.Create(
            CultureInfo.InvariantCulture,
            $"[green]✓[/] round {number}, {f.Promoted} promoted: lag p50 {f.LagP50Ms:0} ms, max {f.LagMaxMs:0} ms; promotion {f.PromotionMs:0} ms; first write {f.FirstWriteMs:0} ms{slow}; {Told(f.RolledBack)} rolled back, {Told(f.Supplemented)} supplemented, {f.Salvaged} to salvage; {f.Messages} messages before"));
    }

    private static string Told(int? count) => count?.ToString(CultureInfo.InvariantCulture) ?? "?";

    private static void PrintFailure(IAnsiConsole console, int seed, int number, string folder, RoundResult result)
    {
        console.MarkupLine($"[red bold]Round {number} is not as it must be:[/]");
        foreach (var finding in result.Findings.Take(30))
        {
            console.MarkupLine($"  [red]✗[/] {Markup.Escape(finding)}");
        }

        if (result.Findings.Count > 30)
        {
            console.WriteLine($"  and {result.Findings.Count - 30} more");
        }

        console.WriteLine($"The logs of its processes are in {Path.Combine(folder, "logs")}.");
        console.MarkupLine($"This round alone, with the same plan: [bold]dotnet run --project src/DevHost -- chaos --seed {seed} --first {number} --rounds 1[/]");
    }

    private static void Conclude(IAnsiConsole console, int seed, int rounds, List<PromotionFigures> promotions, TimeSpan elapsed)
    {
        if (promotions.Count == 0)
        {
            console.WriteLine("No round came to its end.");
            return;
        }

        var undisturbed = promotions.Where(p => p.Undisturbed).ToList();
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "figure");
        Row("rounds", rounds);
        Row("promotions", promotions.Count);
        Row("messages acknowledged before them", promotions.Sum(p => p.Messages));
        Row("replication lag, median of the rounds' p50 (ms)", Median(promotions.Select(p => p.LagP50Ms)));
        Row("replication lag, the largest of all (ms)", promotions.Max(p => p.LagMaxMs));
        Row("first write after the call, undisturbed, median (ms)", Median(undisturbed.Select(p => p.FirstWriteMs)));
        Row("the same, the slowest (ms)", undisturbed.Count == 0 ? 0 : undisturbed.Max(p => p.FirstWriteMs));
        Row("of these above two seconds", undisturbed.Count(p => p.FirstWriteMs > PromisedFirstWriteMs));
        Row("transactions rolled back, where the answer was not lost", promotions.Sum(p => p.RolledBack ?? 0));
        Row("broadcasts supplemented, likewise", promotions.Sum(p => p.Supplemented ?? 0));
        Row("records listed for salvage", promotions.Sum(p => p.Salvaged));
        Row("findings", 0);
        console.WriteLine();
        console.Write(table);
        console.MarkupLine(string.Create(CultureInfo.InvariantCulture, $"\n[green bold]Everything was as it must be.[/] Seed {seed}, {elapsed.TotalSeconds:0} s, {Environment.ProcessorCount} cores."));

        void Row(string what, double figure) => table.AddRow(what, figure.ToString("0", CultureInfo.InvariantCulture));
    }

    private static double Median(IEnumerable<double> figures)
    {
        var sorted = figures.Order().ToList();
        return sorted.Count == 0 ? 0 : sorted[sorted.Count / 2];
    }

    private static void Remove(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // Logs that stay are no reason to stop.
        }
    }
}
