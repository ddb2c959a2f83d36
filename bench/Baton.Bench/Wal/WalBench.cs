using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Baton.Core.Wal;
using Baton.DevHost.Azurite;
using Baton.Storage;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;

namespace Baton.Bench.Wal;

/// <summary>The log beside the raw append calls of the same run, in turns, so that both see the same machine.</summary>
internal static class WalBench
{
    private const int LoneBytes = 256;
    private const int SharedBytes = 1024;
    private const int Writers = 256;
    private const int TailRecords = 10_000;

    public static Command Command()
    {
        var seconds = new Option<int>("--seconds") { Description = "How long each throughput row runs, 1 to 600.", DefaultValueFactory = _ => 10 };
        seconds.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 1 or > 600)
            {
                r.AddError("--seconds must be 1 to 600.");
            }
        });
        var command = new Command("wal", "Appends and opens, as ratios to raw AppendBlock calls.") { seconds };
        command.SetAction((parsed, cancellationToken) => RunAsync(TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        var account = AzuriteAccount.Create("bench");
        await using var azurite = await AzuriteServer.StartAsync(new AzuriteOptions { Accounts = [account] }, cancellationToken);
        var storage = BatonStorage.Open(new StorageOptions { ConnectionString = azurite.ConnectionString(account.Name) });
        var store = new WalStore(storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await store.PrepareAsync(cancellationToken);
        await storage.Blobs.GetBlobContainerClient("raw").CreateIfNotExistsAsync(cancellationToken: cancellationToken);

        var table = new Table().Border(TableBorder.Markdown).AddColumns("what", "Baton", "raw", "ratio");
        var (lone, raw) = await LoneAsync(store, storage, cancellationToken);
        table.AddRow($"one writer, {LoneBytes} B, p50", Samples.Ms(lone.Median), Samples.Ms(raw.Median), Ratio(lone.Median / raw.Median));
        table.AddRow($"one writer, {LoneBytes} B, p99", Samples.Ms(lone.Percentile(0.99)), Samples.Ms(raw.Percentile(0.99)), Ratio(lone.Percentile(0.99) / raw.Percentile(0.99)));

        var shared = await SharedAsync(store, storage, duration, cancellationToken);
        var rawRate = await RawRateAsync(storage, shared.BytesPerBatch, duration, cancellationToken);
        table.AddRow(
            $"{Writers} writers, {SharedBytes} B, payload",
            string.Create(CultureInfo.InvariantCulture, $"{shared.MessagesPerSecond:N0} msg/s, {shared.MessagesPerSecond * SharedBytes / 1e6:0.0} MB/s"),
            string.Create(CultureInfo.InvariantCulture, $"{rawRate / 1e6:0.0} MB/s in blocks of {shared.BytesPerBatch:N0} B"),
            Ratio(shared.MessagesPerSecond * SharedBytes / rawRate));
        var loneRate = 1000 / lone.Median;
        table.AddRow($"{Writers} writers beside one", string.Create(CultureInfo.InvariantCulture, $"{shared.MessagesPerSecond:N0} msg/s"), string.Create(CultureInfo.InvariantCulture, $"{loneRate:N0} msg/s (one writer)"), Ratio(shared.MessagesPerSecond / loneRate));

        var open = await OpenAsync(store, cancellationToken);
        table.AddRow($"open: fence and replay {TailRecords:N0} records", Samples.Ms(open.Median), "", "");
        AnsiConsole.Write(table);
        Console.WriteLine($"{Environment.ProcessorCount} cores, .NET {Environment.Version}, Azurite in memory, {DateTimeOffset.UtcNow:yyyy-MM-dd}");
        return 0;
    }

    private static async Task<(Samples Baton, Samples Raw)> LoneAsync(WalStore store, BatonStorage storage, CancellationToken cancellationToken)
    {
        const int warmUp = 200;
        const int rounds = 2_000;
        await using var writer = await store.OpenAsync("lone", 1, "bench", null, cancellationToken);
        var blob = storage.Blobs.GetBlobContainerClient("raw").GetAppendBlobClient("lone");
        await blob.CreateAsync(cancellationToken: cancellationToken);
        var payload = new byte[LoneBytes];
        var (baton, raw) = (new Samples(), new Samples());
        for (var i = 0; i < warmUp + rounds; i++)
        {
            var (batonTime, rawTime) = (i < warmUp ? new Samples() : baton, i < warmUp ? new Samples() : raw);
            await batonTime.TimeAsync(() => writer.Append([Record(payload)]).Durable);
            await rawTime.TimeAsync(() => blob.AppendBlockAsync(new MemoryStream(payload), cancellationToken: cancellationToken));
        }

        return (baton, raw);
    }

    private static async Task<(double MessagesPerSecond, int BytesPerBatch)> SharedAsync(WalStore store, BatonStorage storage, TimeSpan duration, CancellationToken cancellationToken)
    {
        await using var writer = await store.OpenAsync("shared", 1, "bench", null, cancellationToken);
        var payload = new byte[SharedBytes];
        var clock = Stopwatch.StartNew();
        var counts = await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(
            async () =>
            {
                var count = 0;
                while (clock.Elapsed < duration)
                {
                    await writer.Append([Record(payload)]).Durable;
                    count++;
                }

                return count;
            },
            cancellationToken)));

        var rate = counts.Sum() / clock.Elapsed.TotalSeconds;
        return (rate, await BytesPerBatchAsync(storage, cancellationToken));
    }

    // What group commit made of it, read off the segments themselves.
    private static async Task<int> BytesPerBatchAsync(BatonStorage storage, CancellationToken cancellationToken)
    {
        var container = storage.Blobs.GetBlobContainerClient("wal");
        var (bytes, blocks) = (0L, 0);
        await foreach (var item in container.GetBlobsAsync(prefix: "shared/", cancellationToken: cancellationToken))
        {
            var properties = (await container.GetAppendBlobClient(item.Name).GetPropertiesAsync(cancellationToken: cancellationToken)).Value;
            bytes += properties.ContentLength;
            blocks += properties.BlobCommittedBlockCount;
        }

        return (int)(bytes / blocks);
    }

    private static async Task<double> RawRateAsync(BatonStorage storage, int blockBytes, TimeSpan duration, CancellationToken cancellationToken)
    {
        var blob = storage.Blobs.GetBlobContainerClient("raw").GetAppendBlobClient("shared");
        await blob.CreateAsync(cancellationToken: cancellationToken);
        var block = new byte[blockBytes];
        var clock = Stopwatch.StartNew();
        var blocks = 0;
        while (clock.Elapsed < duration)
        {
            await blob.AppendBlockAsync(new MemoryStream(block), (AppendBlobAppendBlockOptions?)null, cancellationToken);
            blocks++;
        }

        return (double)blocks * blockBytes / clock.Elapsed.TotalSeconds;
    }

    private static async Task<Samples> OpenAsync(WalStore store, CancellationToken cancellationToken)
    {
        const int perBatch = 100;
        await using (var writer = await store.OpenAsync("tail", 1, "bench", null, cancellationToken))
        {
            var batch = Enumerable.Range(0, perBatch).Select(_ => Record(new byte[LoneBytes])).ToList();
            for (var i = 0; i < TailRecords / perBatch; i++)
            {
                await writer.Append(batch).Durable;
            }
        }

        var open = new Samples();
        for (var term = 2; term <= 11; term++)
        {
            var replayed = 0;
            WalWriter? opened = null;
            await open.TimeAsync(async () => opened = await store.OpenAsync(
                "tail",
                term,
                "bench",
                new WalReplay((_, _) =>
                {
                    replayed++;
                    return ValueTask.CompletedTask;
                }),
                cancellationToken));
            await opened!.DisposeAsync();
            if (replayed != TailRecords)
            {
                throw new InvalidOperationException($"Replayed {replayed} records of {TailRecords}.");
            }
        }

        return open;
    }

    private static WalRecord Record(byte[] payload) => new() { Type = WalRecordType.Message, TimeTick = 1, Payload = payload };

    private static string Ratio(double ratio) => string.Create(CultureInfo.InvariantCulture, $"{ratio:0.00}");
}
