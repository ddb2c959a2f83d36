using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Metadata;
using Baton.DevHost.Clusters;
using Spectre.Console;

namespace Baton.Bench.Metadata;

/// <summary>The catalogue's leader killed again and again while clients write: nothing acknowledged is lost or there twice, and all copies are alike.</summary>
internal static class MetadataKilledProof
{
    private const int Nodes = 3;

    /// <summary>Clients finish, everything is compared, and new ones go on.</summary>
    private const int KillsBetweenChecks = 10;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public static Command Command()
    {
        var seed = WholeNumber.Option("--seed", "What is drawn: what clients do", 0, int.MaxValue, () => 1121);
        var kills = WholeNumber.Option("--kills", "Leaders killed by SIGKILL", 1, 10_000, () => 100);
        var clients = WholeNumber.Option("--clients", "Clients at once, every other one through the gateway", 2, 64, () => 8);
        var pause = WholeNumber.Option("--pause", "Milliseconds that a client waits at most between two requests", 0, 10_000, () => 30);
        var command = new Command("metadata-killed", "The metadata's leader killed under load, and log and copies compared with what clients were told.") { seed, kills, clients, pause };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(seed), parsed.GetValue(kills), parsed.GetValue(clients), parsed.GetValue(pause), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int seed, int kills, int clients, int pauseMs, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        var clock = Stopwatch.StartNew();
        void Say(string text) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds,6:0} s  {text}"));
        Say($"Seed {seed}: what clients do is drawn alike with --seed {seed}. Logs in {folder}");
        var tally = new Tally();
        await using (var machine = await LocalMachine.StartAsync(folder, ["a"], keepData: false, cancellationToken))
        {
            var cluster = await machine.StartClusterAsync(
                "a",
                o => o with
                {
                    Nodes = Nodes,
                    Channels = 0,

                    // A machine that is busy with other things costs a wait and no failure.
                    GatewaySettings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Gateway__HoldMs"] = "30000" },
                    NodeSettings = new Dictionary<string, string>(StringComparer.Ordinal)
                    {
                        ["Metadata__ForwardTimeoutMs"] = "30000",

                        // Nodes are started often here, and a first opening that takes longer fails nothing.
                        ["Node__RehearseOpening"] = "false",
                    },
                },
                cancellationToken);
            var catalogue = new Catalogue(cluster);
            for (var done = 0; done < kills && tally.Findings.Count == 0; done += KillsBetweenChecks)
            {
                await SeriesAsync(cluster, catalogue, $"k{done}", Math.Min(KillsBetweenChecks, kills - done), unchecked(seed + done), clients, pauseMs, tally, cancellationToken);
                Say($"{tally.Away.Count} kills, {tally.Requests} requests acknowledged with {tally.Commands} commands, {tally.Findings.Count} problems");
            }

            await cluster.KillEverythingAsync();
        }

        foreach (var finding in tally.Findings.Take(20))
        {
            Console.WriteLine($"  ✗ {finding}");
        }

        Console.WriteLine();
        AnsiConsole.Write(tally.Table());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds:0} s, {Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}"));
        if (tally.Findings.Count > 0)
        {
            return 1;
        }

        Directory.Delete(folder, recursive: true);
        return tally.Unavailable > 0 ? 1 : 0;
    }

    private static async Task SeriesAsync(
        LocalCluster cluster, Catalogue catalogue, string name, int kills, int seed, int clients, int pauseMs, Tally tally, CancellationToken cancellationToken)
    {
        await using var load = MetadataLoad.Start(cluster, name, clients, seed, pauseMs, cancellationToken);
        var rounds = new MetadataKills(cluster, catalogue, load, Patience);
        await load.MoreAsync(2, Patience, cancellationToken);
        for (var i = 0; i < kills; i++)
        {
            var (away, differing) = await rounds.KillLeaderAsync(cancellationToken);
            tally.Away.Add(away.TotalMilliseconds);
            if (differing is not null)
            {
                tally.Findings.Add(differing);
            }
        }

        await load.MoreAsync(2, Patience, cancellationToken);
        await load.FinishAsync(Patience);
        tally.Add(load, await load.FindingsAsync(catalogue, Patience, cancellationToken));

        // The next series has as few channels to move as this one had.
        if (await catalogue.TopicsAsync(cluster.RunningNodes[0], local: false, cancellationToken) is { Count: > 0 } topics)
        {
            _ = (await catalogue.CommandAsync(cluster.Gateway, cancellationToken, [.. topics.Select(t => new DeleteTopic(t.Name))])).Value;
        }
    }

    private sealed class Tally
    {
        private int _errors;

        public Samples Away { get; } = new();

        public List<string> Findings { get; } = [];

        public int Requests { get; private set; }

        public int Commands { get; private set; }

        public int Unavailable { get; private set; }

        private int Cut { get; set; }

        private int NotLeader { get; set; }

        private int Others { get; set; }

        public void Add(MetadataLoad load, IReadOnlyList<string> findings)
        {
            var acknowledged = load.Requests.Where(r => r.FirstLsn > 0).ToList();
            Requests += acknowledged.Count;
            Commands += acknowledged.Sum(r => r.Commands.Count);
            Unavailable += load.Counts.Unavailable;
            Cut += load.Counts.Cut;
            NotLeader += load.Counts.NotLeader;
            Others += load.Counts.Others;
            _errors += load.Counts.Errors.Count;
            Findings.AddRange(findings);
        }

        public Table Table()
        {
            var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "count", "must be");
            Row("kills of the metadata's leader (SIGKILL)", Away.Count, "");
            Row("requests acknowledged", Requests, "");
            Row("commands in them", Commands, "");
            Row("requests cut by the death of the node that they were sent to, and repeated with their stamp", Cut, "");
            Row("503 answers: no leader in time", Unavailable, "0");
            Row("421 answers: not the leader", NotLeader, "0");
            Row("other answers that were no success", Others, "0");
            Row("problems: commands lost, doubled, elsewhere or in part; topics, groups or offsets not as acknowledged; copies that differ", Findings.Count - _errors, "0");
            if (Away.Count > 0)
            {
                table.AddRow("SIGKILL → next command acknowledged, median", Samples.Ms(Away.Median), "");
                table.AddRow("SIGKILL → next command acknowledged, worst", Samples.Ms(Away.Worst), "");
            }

            return table;

            void Row(string what, int count, string mustBe) => table.AddRow(what, count.ToString(CultureInfo.InvariantCulture), mustBe);
        }
    }
}
