using System.CommandLine;
using System.Globalization;
using Baton.DevHost.Azurite;
using Baton.Storage;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;

namespace Baton.Bench.Replicas;

/// <summary>A replica's log on this machine's disk beside raw writes to a file, and its catching up beside a raw download into one: in turns, in the same run.</summary>
internal static class ReplicaBench
{
    public static Command Command()
    {
        var seconds = new Option<int>("--seconds") { Description = "How long each row runs, 1 to 600.", DefaultValueFactory = _ => 10 };
        seconds.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 1 or > 600)
            {
                r.AddError("--seconds must be 1 to 600.");
            }
        });
        var folder = new Option<string>("--folder") { Description = "Where files are written; the disk that is to be measured.", DefaultValueFactory = _ => Path.GetTempPath() };
        var command = new Command("replica", "A replica's log: appends by fsync policy, and catching up, as ratios to raw files and downloads.") { seconds, folder };
        command.SetAction((parsed, cancellationToken) => RunAsync(TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(folder)!, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(TimeSpan duration, string folder, CancellationToken cancellationToken)
    {
        var scratch = Directory.CreateDirectory(Path.Combine(folder, $"baton-bench-{Guid.NewGuid():N}"));
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "Baton", "raw", "ratio", "must reach");
        try
        {
            foreach (var fsync in Enum.GetValues<ReplicaFsync>())
            {
                foreach (var batchBytes in new[] { 4 * 1024, 256 * 1024 })
                {
                    Add(table, $"append batches of {batchBytes / 1024} KiB, {fsync}", await LocalAppends.MeasureAsync(scratch.FullName, fsync, batchBytes, duration, cancellationToken), "raw file", "");
                }
            }

            var account = AzuriteAccount.Create("bench");
            await using var azurite = await AzuriteServer.StartAsync(new AzuriteOptions { Accounts = [account] }, cancellationToken);
            var storage = BatonStorage.Open(new StorageOptions { ConnectionString = azurite.ConnectionString(account.Name) });
            var store = new WalStore(storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
            await store.PrepareAsync(cancellationToken);
            Add(table, "catch up: batches into the log, flushed", await CatchUp.MeasureAsync(scratch.FullName, store, storage, duration, cancellationToken), "ranged download into a file", "≥ 0.7");
        }
        finally
        {
            scratch.Delete(recursive: true);
        }

        AnsiConsole.Write(table);
        Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
        return 0;
    }

    private static void Add(Table table, string what, (double Baton, double Raw) rates, string raw, string mustReach) =>
        table.AddRow(what, MegaBytes(rates.Baton), $"{MegaBytes(rates.Raw)} ({raw})", (rates.Baton / rates.Raw).ToString("0.00", CultureInfo.InvariantCulture), mustReach);

    private static string MegaBytes(double bytesPerSecond) => (bytesPerSecond / 1e6).ToString("0.0 'MB/s'", CultureInfo.InvariantCulture);
}
