using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Recovery;

/// <summary>Recovery sessions of real processes: how fast one fetches, what many at once take, and how soon a failover's replicas are ready again.</summary>
internal static class RecoveryBench
{
    public static Command Command()
    {
        var mib = WholeNumber.Option("--mib", "MiB of records in the channel that is caught up with", 1, 4_096, () => 256);
        var rounds = WholeNumber.Option("--rounds", "Catch-ups", 1, 1_000, () => 5);
        var replicas = WholeNumber.Option("--replicas", "Replicas that recover at once", 1, 1_000, () => 100);
        var failovers = WholeNumber.Option("--failovers", "Leaders killed by SIGKILL", 1, 1_000, () => 10);
        var folder = new Option<string>("--folder") { Description = "Where the replicas are; the disk that is to be measured.", DefaultValueFactory = _ => Path.GetTempPath() };
        var command = new Command("recovery", "Recovery sessions: speed, many at once, and readiness after a failover.") { mib, rounds, replicas, failovers, folder };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(mib), parsed.GetValue(rounds), parsed.GetValue(replicas), parsed.GetValue(failovers), parsed.GetValue(folder)!, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int mib, int rounds, int replicas, int failovers, string folder, CancellationToken cancellationToken)
    {
        var scratch = Directory.CreateDirectory(Path.Combine(folder, $"baton-bench-{Guid.NewGuid():N}")).FullName;
        var clock = Stopwatch.StartNew();
        void Say(string text) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds,6:0} s  {text}"));
        var budgets = new Budgets();
        try
        {
            // One part after the other, each on a machine of its own: what one has stored is no load on the next.
            await OnMachineAsync("speed", machine => SessionSpeed.MeasureAsync(machine, Path.Combine(scratch, "speed"), mib, rounds, budgets, Say, cancellationToken));
            await OnMachineAsync("many", machine => ManySessions.MeasureAsync(machine, replicas, budgets, Say, cancellationToken));
            await OnMachineAsync("ready", machine => ReadyAgain.MeasureAsync(machine, failovers, budgets, Say, cancellationToken));
        }
        finally
        {
            Console.WriteLine();
            budgets.Print();
            Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {clock.Elapsed.TotalSeconds:0} s, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
        }

        Directory.Delete(scratch, recursive: true);
        return budgets.Missed ? 1 : 0;

        async Task OnMachineAsync(string part, Func<LocalMachine, Task> measure)
        {
            await using var machine = await LocalMachine.StartAsync(Path.Combine(scratch, part), ["a"], keepData: false, cancellationToken);
            await measure(machine);
        }
    }
}
