using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Baton.DevHost.Chaos.Clients;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Failover;

/// <summary>Every budget of a failover, measured end to end on clusters of real processes with default settings.</summary>
internal static class FailoverBench
{
    private const double EtcdMs = 210;
    private const double SilentMs = 4_000;
    private const int Appends = 300;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public static Command Command()
    {
        var kills = WholeNumber.Option("--kills", "Leaders killed by SIGKILL", 1, 10_000, () => 30);
        var seed = WholeNumber.Option("--seed", "What is drawn: whom a round hits", 0, int.MaxValue, () => 1121);
        var seconds = WholeNumber.Option("--seconds", "No further round begins after so many seconds of a part", 1, 100_000, () => 600);
        var routine = WholeNumber.Option("--routine", "Routine messages that wait while urgent ones are sent", 1, 100_000, () => 5_000);
        var pause = WholeNumber.Option("--pause", "Milliseconds that a client waits at most between two requests; half of it in the mean", 1, 10_000, () => 20);
        var command = new Command("failover", "Failovers: every budget, median and worst.") { kills, seed, seconds, routine, pause };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(kills), parsed.GetValue(seed), TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(routine), parsed.GetValue(pause), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int kills, int seed, TimeSpan time, int routine, int pauseMs, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        var clock = Stopwatch.StartNew();
        void Say(string text) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds,6:0} s  {text}"));
        var budgets = new Budgets();
        try
        {
            await using var machine = await LocalMachine.StartAsync(folder, ["a", "b"], keepData: false, cancellationToken);
            await LeadersAsync(machine, budgets, kills, seed, time, pauseMs, Say, cancellationToken);
            await StandInsAsync(machine, budgets, kills, routine, Say, cancellationToken);
        }
        finally
        {
            Console.WriteLine();
            budgets.Print();
            Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, seed {seed}, {clock.Elapsed.TotalSeconds:0} s, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
        }

        Directory.Delete(folder, recursive: true);
        return budgets.Missed ? 1 : 0;
    }

    private static async Task LeadersAsync(LocalMachine machine, Budgets budgets, int kills, int seed, TimeSpan time, int pauseMs, Action<string> say, CancellationToken cancellationToken)
    {
        var cluster = await machine.StartClusterAsync("a", o => o with { Nodes = KillRounds.Nodes, ReplicationFactor = KillRounds.Nodes }, cancellationToken);
        try
        {
            var raw = await RawAppends.MeasureAsync(cluster, Appends, cancellationToken);
            await using var load = ClientLoad.Start(cluster, new ClientLoadOptions { Name = "bench", Seed = seed, LongestPauseMs = pauseMs }, cancellationToken);
            await using var route = RouteWatch.Start(cluster.Client, cancellationToken);
            await load.MoreAsync(20, Patience, cancellationToken);
            var rounds = new KillRounds(cluster, load, route, seed, say, cancellationToken);
            await RepeatAsync("SIGKILL of a leader", kills, rounds.KillAsync);
            await RepeatAsync("SIGSTOP of a leader", Math.Max(1, kills / 6), rounds.FreezeAsync);
            await RepeatAsync("move of a channel", Math.Max(1, kills / 2), rounds.MoveAsync);
            await RepeatAsync("removal of a node", Math.Max(1, kills / 6), rounds.RemoveAsync);
            await load.FinishAsync(Patience);
            Report(budgets, rounds, raw);
            await ReportFindingsAsync(budgets, load, say, cancellationToken);

            async Task RepeatAsync(string what, int times, Func<Task> round)
            {
                var clock = Stopwatch.StartNew();
                var done = 0;
                for (; done < times && clock.Elapsed < time; done++)
                {
                    await round();
                }

                say($"{done} times {what}");
            }
        }
        finally
        {
            await cluster.KillEverythingAsync();
        }
    }

    private static void Report(Budgets budgets, KillRounds rounds, RawAppends raw)
    {
        budgets.Add("SIGKILL → next acknowledged write through the gateway", rounds.Total, EtcdMs, 1_000);
        budgets.Add("  detection: SIGKILL → report taken", rounds.Detection);
        budgets.Add("  decision: report taken → state written", rounds.Decision);
        budgets.Add("  redirect: state written → next acknowledged write", rounds.Redirect);
        budgets.AddText("  etcd beside it (three members, 10 ms heartbeat, 100 ms election timeout)", "210 ms", "");
        budgets.Add("the longest that any client waited for an answer", rounds.Stall);
        budgets.Add("SIGSTOP → next acknowledged write (heartbeat timeout 3 s, and 1 s)", rounds.Silent, worst: SilentMs);
        budgets.Add("handler start → new state readable", rounds.Readable, median: 100);
        budgets.Add("move: the longest that any client waited", rounds.Move);
        budgets.Add("DELETE of a node: the longest that any client waited", rounds.Removal);
        budgets.AddText(
            "append while nothing fails, p50: at the leader, through the gateway",
            Samples.Ms(raw.Direct.Median),
            string.Create(CultureInfo.InvariantCulture, $"{Samples.Ms(raw.ThroughGateway.Median)} (× {raw.ThroughGateway.Median / raw.Direct.Median:0.00})"));
    }

    private static async Task ReportFindingsAsync(Budgets budgets, ClientLoad load, Action<string> say, CancellationToken cancellationToken)
    {
        var findings = await load.FindingsAsync(cancellationToken);
        foreach (var finding in findings.Take(20))
        {
            say(finding);
        }

        budgets.AddCount($"client errors, over {load.Recorder.Messages.Count} writes and {load.Recorder.Transactions.Count} transactions", load.Recorder.Errors.Count, 0);
        budgets.AddCount("acknowledged writes lost, written twice, elsewhere or out of order", findings.Count - load.Recorder.Errors.Count, 0);
    }

    private static async Task StandInsAsync(LocalMachine machine, Budgets budgets, int rounds, int routine, Action<string> say, CancellationToken cancellationToken)
    {
        var cluster = await machine.StartClusterAsync("b", o => o with { Nodes = 0, Channels = 0 }, cancellationToken);
        var standIns = new StandInRounds(cluster, say, cancellationToken);
        try
        {
            await standIns.RedirectAsync(rounds);
            await standIns.ReconcileAsync(Math.Max(1, rounds / 6));
            await standIns.UrgentAsync(rounds, routine);
        }
        finally
        {
            budgets.Add("state change → gateway sends to the new leader", standIns.Redirect, 50, 500);
            budgets.Add($"urgent message enqueued → handler starts, {routine} routine ones waiting", standIns.Queue, 100, 1_000);
            budgets.Add("handler start → new state readable, every node unreachable", standIns.Readable, worst: 500);
            budgets.Add("reconcile pass, half of the nodes black-holed", standIns.Pass, worst: 5_000);
            budgets.Add("  healthy nodes done", standIns.Healthy, worst: 1_000);
        }
    }
}
