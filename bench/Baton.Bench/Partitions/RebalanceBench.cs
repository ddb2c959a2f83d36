using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Baton.DevHost.Chaos.Partitions;
using Baton.DevHost.Clusters;
using Spectre.Console;

namespace Baton.Bench.Partitions;

/// <summary>A node that joins and a node that leaves under load: what moves, how long that takes, and whether any partition ever had fewer copies than were asked for.</summary>
internal static class RebalanceBench
{
    private const int Nodes = 4;
    private const int Copies = 2;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static Command Command()
    {
        var topics = WholeNumber.Option("--topics", "Topics of two partitions on two nodes each", 1, 100, () => 6);
        var rounds = WholeNumber.Option("--rounds", "How often a node joins, and one leaves", 1, 100, () => 2);
        var pause = WholeNumber.Option("--pause", "Milliseconds that a client waits at most between two requests", 1, 10_000, () => 50);
        var command = new Command("rebalance", "Nodes joining and leaving under load: moves, and copies that live.") { topics, rounds, pause };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(topics), parsed.GetValue(rounds), parsed.GetValue(pause), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int topics, int rounds, int pauseMs, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        var clock = Stopwatch.StartNew();
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "leaderships planned", "copies planned", "leaderships moved", "copies moved", "took");
        var missed = 0;
        await using (var machine = await LocalMachine.StartAsync(folder, ["a"], keepData: false, cancellationToken))
        {
            var cluster = await machine.StartClusterAsync(
                "a",
                o => o with
                {
                    Nodes = Nodes,
                    NodesAtFirst = Nodes - 1,
                    Channels = 0,
                    AppSettings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Placement__AutoRebalance"] = "false" },
                },
                cancellationToken);
            var channels = await Topics.CreateAsync(cluster, "t", topics, 2, Copies, Patience, cancellationToken);
            await Topics.InSyncAsync(cluster, channels, Copies - 1, Patience, cancellationToken);
            await using var load = PartitionLoad.Start(cluster, "l", channels, pauseMs, cancellationToken);
            await load.MoreAsync(3, Patience, cancellationToken);
            await using var watch = ReplicaWatch.Start(cluster, channels, cancellationToken);
            var changes = new RebalanceRounds(cluster, channels, Patience);
            var absent = Nodes - 1;
            for (var i = 0; i < rounds; i++)
            {
                Add($"{cluster.NodeId(absent)} joins", await changes.JoinAsync(absent, cancellationToken));
                AddZero("  moves that a rebalance would still make", await changes.LeftAsync(cancellationToken));
                await load.MoreAsync(2, Patience, cancellationToken);
                absent = i % Nodes;
                Add($"{cluster.NodeId(absent)} leaves", await changes.LeaveAsync(absent, Copies, cancellationToken));
                await load.MoreAsync(2, Patience, cancellationToken);
            }

            await watch.StopAsync();
            await load.FinishAsync(Patience);
            var findings = await load.FindingsAsync(cancellationToken);
            foreach (var finding in findings.Take(20))
            {
                Console.WriteLine($"  ✗ {finding}");
            }

            missed += watch.Fewest < Copies ? 1 : 0;
            Console.WriteLine();
            AnsiConsole.Write(table);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"Fewest live copies of any of {channels.Count} partitions in {watch.Looks} looks: {watch.Fewest}, in sync {watch.FewestInSync}; asked for {Copies}{(watch.Fewest < Copies ? $" ({watch.At})" : "")}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{load.Recorder.Messages.Count} writes, {load.Counts.Errors.Count} client errors, {findings.Count - load.Counts.Errors.Count} lost, written twice, elsewhere or out of order"));
            missed += findings.Count;
            await cluster.KillEverythingAsync();
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {clock.Elapsed.TotalSeconds:0} s, {DateTimeOffset.UtcNow:yyyy-MM-dd}"));
        if (missed == 0)
        {
            Directory.Delete(folder, recursive: true);
        }

        return missed == 0 ? 0 : 1;

        void Add(string what, Moved moved) => table.AddRow(
            what, moved.PlannedLeaders?.ToString(CultureInfo.InvariantCulture) ?? "", moved.PlannedCopies?.ToString(CultureInfo.InvariantCulture) ?? "", moved.Leaders.ToString(CultureInfo.InvariantCulture), moved.Copies.ToString(CultureInfo.InvariantCulture), Samples.Ms(moved.Time.TotalMilliseconds));

        void AddZero(string what, int count)
        {
            missed += count;
            table.AddRow(what, count.ToString(CultureInfo.InvariantCulture), "", "", "", "");
        }
    }
}
