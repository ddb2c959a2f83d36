using System.Diagnostics;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Baton.Core.Wal;
using Baton.Storage;
using Baton.Storage.Wal;

namespace Baton.Bench.Wal;

/// <summary>Appends beside raw AppendBlock calls.</summary>
internal static class Appends
{
    /// <summary>One append after the other, and a raw call after each.</summary>
    public static async Task<(Samples Baton, Samples Raw)> LoneAsync(WalStore store, BatonStorage storage, int payloadBytes, CancellationToken cancellationToken)
    {
        const int warmUp = 200;
        const int rounds = 2_000;
        await using var writer = await store.OpenAsync("lone", 1, "bench", null, cancellationToken);
        var blob = storage.Blobs.GetBlobContainerClient("raw").GetAppendBlobClient("lone");
        await blob.CreateAsync(cancellationToken: cancellationToken);
        var payload = new byte[payloadBytes];
        var (baton, raw) = (new Samples(), new Samples());
        for (var i = 0; i < warmUp + rounds; i++)
        {
            var (batonTime, rawTime) = (i < warmUp ? new Samples() : baton, i < warmUp ? new Samples() : raw);
            await batonTime.TimeAsync(() => writer.Append([Record(payload)]).Durable);
            await rawTime.TimeAsync(() => blob.AppendBlockAsync(new MemoryStream(payload), cancellationToken: cancellationToken));
        }

        return (baton, raw);
    }

    /// <summary>Many writers of one channel, each waiting for its own append to be durable before the next. Batch bytes are read off the segments themselves.</summary>
    public static async Task<(double MessagesPerSecond, int BytesPerBatch)> SharedAsync(WalStore store, BatonStorage storage, int writers, int payloadBytes, TimeSpan duration, CancellationToken cancellationToken)
    {
        var channel = $"shared-{writers}";
        await using var writer = await store.OpenAsync(channel, 1, "bench", null, cancellationToken);
        WalRecord[] append = [Record(new byte[payloadBytes])];
        var clock = Stopwatch.StartNew();
        var counts = await Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(
            async () =>
            {
                var count = 0;
                while (clock.Elapsed < duration)
                {
                    await writer.Append(append).Durable;
                    count++;
                }

                return count;
            },
            cancellationToken)));

        return (counts.Sum() / clock.Elapsed.TotalSeconds, await BytesPerBlockAsync(storage, channel, cancellationToken));
    }

    /// <summary>Raw calls one after the other; bytes a second.</summary>
    public static async Task<double> RawRateAsync(BatonStorage storage, int blockBytes, TimeSpan duration, CancellationToken cancellationToken)
    {
        var blob = storage.Blobs.GetBlobContainerClient("raw").GetAppendBlobClient($"blocks-{blockBytes}");
        await blob.CreateAsync(cancellationToken: cancellationToken);
        var block = new byte[blockBytes];
        var clock = Stopwatch.StartNew();
        var blocks = 0;
        while (clock.Elapsed < duration)
        {
            await blob.AppendBlockAsync(new MemoryStream(block), (AppendBlobAppendBlockOptions?)null, cancellationToken);
            blocks++;
        }

        var rate = (double)blocks * blockBytes / clock.Elapsed.TotalSeconds;
        await blob.DeleteAsync(cancellationToken: cancellationToken);
        return rate;
    }

    /// <summary>A plain message.</summary>
    public static WalRecord Record(byte[] payload) => new() { Type = WalRecordType.Message, TimeTick = 1, Payload = payload };

    /// <summary>Bytes of a block of a channel's segments, on average.</summary>
    public static async Task<int> BytesPerBlockAsync(BatonStorage storage, string channel, CancellationToken cancellationToken)
    {
        var container = storage.Blobs.GetBlobContainerClient("wal");
        var (bytes, blocks) = (0L, 0);
        await foreach (var item in container.GetBlobsAsync(prefix: $"{channel}/", cancellationToken: cancellationToken))
        {
            var properties = (await container.GetAppendBlobClient(item.Name).GetPropertiesAsync(cancellationToken: cancellationToken)).Value;
            bytes += properties.ContentLength;
            blocks += properties.BlobCommittedBlockCount;
        }

        return (int)(bytes / blocks);
    }
}
