using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Metadata;

/// <summary>Commands of the metadata catalogue: committed by the log, by a majority of nodes, and raw appends, in one run.</summary>
internal static class MetadataBench
{
    public static Command Command()
    {
        var seconds = WholeNumber.Option("--seconds", "How long each row runs", 1, 600, () => 3);
        var commands = WholeNumber.Option("--commands", "Commands of the catalogue that is recovered; rounded up to thousands", 1_000, 100_000, () => 100_000);
        var command = new Command("metadata", "The metadata catalogue: latency, throughput, followers, forwarding and recovery, beside raw appends and the older way to commit.") { seconds, commands };
        command.SetAction((parsed, cancellationToken) => RunAsync(TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(commands), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(TimeSpan duration, int commands, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        var clock = Stopwatch.StartNew();
        void Say(string text) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds,6:0} s  {text}"));
        bool missed;
        await using (var machine = await LocalMachine.StartAsync(folder, ["wal", "quorum"], keepData: false, cancellationToken))
        await using (var wal = await MeasuredMode.StartAsync(machine, "wal", "Wal", 3 * duration, cancellationToken))
        await using (var quorum = await MeasuredMode.StartAsync(machine, "quorum", "Quorum", 3 * duration, cancellationToken))
        {
            Say("two clusters of three nodes are up; one is measured at a time");
            foreach (var delay in MeasuredMode.DelaysMs)
            {
                await wal.DelayAsync(delay, duration, Say, cancellationToken);
                await quorum.DelayAsync(delay, duration, Say, cancellationToken);
            }

            await wal.StillAsync(duration, Say, cancellationToken);
            await quorum.StillAsync(duration, Say, cancellationToken);
            await wal.RecoverAsync(commands, Say, cancellationToken);
            Console.WriteLine();
            missed = MetadataReport.Print(wal, quorum);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {clock.Elapsed.TotalSeconds:0} s, {DateTimeOffset.UtcNow:yyyy-MM-dd}"));
        Directory.Delete(folder, recursive: true);
        return missed ? 1 : 0;
    }
}
