using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Baton.Core.Cluster;
using Baton.DevHost.Chaos.Partitions;
using Baton.DevHost.Clusters;
using Spectre.Console;

namespace Baton.Bench.Partitions;

/// <summary>Leaders of partitions killed again and again with both leader policies: whether any partition had no leader, and what clients saw of it.</summary>
internal static class LeadershipBench
{
    private const int Nodes = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static Command Command()
    {
        var seconds = WholeNumber.Option("--seconds", "How long leaders are killed with each policy", 5, 100_000, () => 30);
        var topics = WholeNumber.Option("--topics", "Topics of two partitions on all three nodes", 1, 100, () => 6);
        var pause = WholeNumber.Option("--pause", "Milliseconds that a client waits at most between two requests", 1, 10_000, () => 50);
        var command = new Command("leadership", "Leaders of partitions killed with both leader policies.") { seconds, topics, pause };
        command.SetAction((parsed, cancellationToken) => RunAsync(TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(topics), parsed.GetValue(pause), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(TimeSpan time, int topics, int pauseMs, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        var clock = Stopwatch.StartNew();
        void Say(string text) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds,6:0} s  {text}"));
        LeadershipPolicyFigures prefer, spread;
        await using (var machine = await LocalMachine.StartAsync(folder, ["prefer", "spread"], keepData: false, cancellationToken))
        {
            prefer = await MeasureAsync(machine, "prefer", LeaderPolicy.PreferCoordinator);
            spread = await MeasureAsync(machine, "spread", LeaderPolicy.Spread);
        }

        Console.WriteLine();
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", nameof(LeaderPolicy.PreferCoordinator), nameof(LeaderPolicy.Spread), "must be");
        var missed = 0;
        Row("leaders killed (SIGKILL)", f => f.Kills, "");
        Row("the most partitions that one of them led", f => f.MostLed, "");
        Row("leaders elected for them", f => f.Elections, "");
        for (var i = 0; i < prefer.MustBeZero.Count; i++)
        {
            missed += prefer.MustBeZero[i].Count + spread.MustBeZero[i].Count;
            Row(prefer.MustBeZero[i].What.Split(',')[0], f => f.MustBeZero[i].Count, "0");
        }

        missed += prefer.Problems + spread.Problems;
        Row("acknowledged writes lost, written twice, elsewhere or out of order", f => f.Problems, "0");
        Row("acknowledged writes", f => f.Writes, "");
        table.AddRow("the longest from SIGKILL to a partition's next acknowledged write", Samples.Ms(prefer.LongestAway.TotalMilliseconds), Samples.Ms(spread.LongestAway.TotalMilliseconds), "");
        AnsiConsole.Write(table);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {clock.Elapsed.TotalSeconds:0} s, {DateTimeOffset.UtcNow:yyyy-MM-dd}"));
        if (missed == 0)
        {
            Directory.Delete(folder, recursive: true);
        }

        return missed == 0 ? 0 : 1;

        void Row(string what, Func<LeadershipPolicyFigures, int> count, string mustBe) =>
            table.AddRow(what, count(prefer).ToString(CultureInfo.InvariantCulture), count(spread).ToString(CultureInfo.InvariantCulture), mustBe);

        async Task<LeadershipPolicyFigures> MeasureAsync(LocalMachine machine, string clusterId, LeaderPolicy policy)
        {
            var cluster = await machine.StartClusterAsync(
                clusterId,
                o => o with { Nodes = Nodes, Channels = 0, LeaderPolicy = policy, AppSettings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Placement__AutoRebalance"] = "false" } },
                cancellationToken);
            var channels = await Topics.CreateAsync(cluster, "t", topics, 2, Nodes, Patience, cancellationToken);
            await Topics.InSyncAsync(cluster, channels, Nodes - 1, Patience, cancellationToken);
            await using var load = PartitionLoad.Start(cluster, "l", channels, pauseMs, cancellationToken);
            await load.MoreAsync(3, Patience, cancellationToken);

            // One copy in sync beside the leader is enough for the next kill.
            var rounds = new LeadershipRounds(cluster, channels, 2, load, Patience);
            for (var killing = Stopwatch.StartNew(); killing.Elapsed < time;)
            {
                await rounds.KillAsync(cancellationToken);
            }

            await load.FinishAsync(Patience);
            var findings = await load.FindingsAsync(cancellationToken);
            foreach (var finding in findings.Take(20))
            {
                Say(finding);
            }

            Say($"{policy}: {rounds.Kills} kills, {rounds.Elections} elections");
            var figures = new LeadershipPolicyFigures(
                rounds.Kills,
                rounds.MostLed,
                rounds.Elections,
                await rounds.MustBeZeroAsync(cancellationToken),
                findings.Count - load.Counts.Errors.Count,
                load.Recorder.Messages.Count,
                rounds.LongestAway);
            await cluster.KillEverythingAsync();
            return figures;
        }
    }

    private sealed record LeadershipPolicyFigures(int Kills, int MostLed, int Elections, IReadOnlyList<(string What, int Count)> MustBeZero, int Problems, int Writes, TimeSpan LongestAway);
}
