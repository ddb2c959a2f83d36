using System.CommandLine;
using System.Globalization;
using Baton.DevHost.Azurite;
using Baton.Storage;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;

namespace Baton.Bench.Wal;

/// <summary>The log beside the raw calls of the same run, in turns, so that both see the same machine.</summary>
internal static class WalBench
{
    private const int LoneBytes = 256;
    private const int SharedBytes = 1024;
    private const int Writers = 256;
    private const int TailRecords = 10_000;
    private static readonly int[] ManyWriters = [1_024, 4_096];

    public static Command Command()
    {
        var seconds = WholeNumber.Option("--seconds", "How long each throughput row runs", 1, 600, () => 10);
        var command = new Command("wal", "The log: appends, reads, openings and framing, as ratios to the raw calls.") { seconds };
        command.SetAction((parsed, cancellationToken) => RunAsync(TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "Baton", "raw", "ratio", "must reach");
        var account = AzuriteAccount.Create("bench");
        await using (var azurite = await AzuriteServer.StartAsync(new AzuriteOptions { Accounts = [account] }, cancellationToken))
        {
            var storage = BatonStorage.Open(new StorageOptions { ConnectionString = azurite.ConnectionString(account.Name) });
            var store = new WalStore(storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
            await store.PrepareAsync(cancellationToken);
            await storage.Blobs.GetBlobContainerClient("raw").CreateIfNotExistsAsync(cancellationToken: cancellationToken);
            var lone = await AddLoneAsync(table, store, storage, cancellationToken);
            await AddSharedAsync(table, store, storage, lone, duration, cancellationToken);
            var (read, downloaded) = await ReadBack.MeasureAsync(store, storage, duration, cancellationToken);
            table.AddRow("read back, every checksum verified", MegaBytes(read), $"{MegaBytes(downloaded)} (ranged download)", Ratio(read / downloaded), "≥ 0.8");
            var (opened, rawCalls) = await Opening.MeasureAsync(store, storage, TailRecords, LoneBytes, cancellationToken);
            table.AddRow($"open: fence, recover {TailRecords:N0} records, p50", Samples.Ms(opened.Median), Samples.Ms(rawCalls.Median), Ratio(opened.Median / rawCalls.Median), "≤ 150 ms");
        }

        var (framing, copy) = Framing.Measure();
        table.AddRow("encode and checksum 1 KiB records, one core", GigaBytes(framing.BytesPerSecond), $"{GigaBytes(copy.BytesPerSecond)} (copy and checksum)", Ratio(framing.BytesPerSecond / copy.BytesPerSecond), "≥ 1 GB/s");
        table.AddRow("allocated by an append of one record", Text($"{framing.AllocatedPerRecord:0.00} B"), Text($"{copy.AllocatedPerRecord:0.00} B"), "", "0 B");
        AnsiConsole.Write(table);
        Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
        return 0;
    }

    private static async Task<Samples> AddLoneAsync(Table table, WalStore store, BatonStorage storage, CancellationToken cancellationToken)
    {
        var (lone, raw) = await Appends.LoneAsync(store, storage, LoneBytes, cancellationToken);
        table.AddRow($"one writer, {LoneBytes} B, p50", Samples.Ms(lone.Median), Samples.Ms(raw.Median), Ratio(lone.Median / raw.Median), "≤ 1.3");
        table.AddRow($"one writer, {LoneBytes} B, p99", Samples.Ms(lone.Percentile(0.99)), Samples.Ms(raw.Percentile(0.99)), Ratio(lone.Percentile(0.99) / raw.Percentile(0.99)), "");
        return lone;
    }

    private static async Task AddSharedAsync(Table table, WalStore store, BatonStorage storage, Samples lone, TimeSpan duration, CancellationToken cancellationToken)
    {
        var shared = await Appends.SharedAsync(store, storage, Writers, SharedBytes, duration, cancellationToken);
        var raw = await Appends.RawRateAsync(storage, shared.BytesPerBatch, duration, cancellationToken);
        table.AddRow(
            $"{Writers} writers, {SharedBytes} B, payload",
            Text($"{shared.MessagesPerSecond:N0} msg/s, {MegaBytes(shared.MessagesPerSecond * SharedBytes)}"),
            Text($"{MegaBytes(raw)} in blocks of {shared.BytesPerBatch:N0} B"),
            Ratio(shared.MessagesPerSecond * SharedBytes / raw),
            "≥ 0.8");
        var loneRate = 1000 / lone.Median;
        table.AddRow($"{Writers} writers beside one", Text($"{shared.MessagesPerSecond:N0} msg/s"), Text($"{loneRate:N0} msg/s (one writer)"), Ratio(shared.MessagesPerSecond / loneRate), "≥ 50");
        foreach (var writers in ManyWriters)
        {
            var many = await Appends.SharedAsync(store, storage, writers, SharedBytes, duration, cancellationToken);
            var rawMany = await Appends.RawRateAsync(storage, many.BytesPerBatch, duration, cancellationToken);
            table.AddRow(
                $"{writers:N0} writers, {SharedBytes} B, one channel",
                Text($"{many.MessagesPerSecond:N0} msg/s, {MegaBytes(many.MessagesPerSecond * SharedBytes)}"),
                Text($"{MegaBytes(rawMany)} in blocks of {many.BytesPerBatch:N0} B"),
                Ratio(many.MessagesPerSecond * SharedBytes / rawMany),
                "> 50,000 msg/s (goal 90,000)");
        }
    }

    private static string Ratio(double ratio) => Text($"{ratio:0.00}");

    private static string MegaBytes(double bytesPerSecond) => Text($"{bytesPerSecond / 1e6:0.0} MB/s");

    private static string GigaBytes(double bytesPerSecond) => Text($"{bytesPerSecond / 1e9:0.00} GB/s");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
