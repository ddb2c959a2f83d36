using System.Diagnostics;
using Azure;
using Azure.Storage.Blobs.Models;
using Baton.Core.Wal;
using Baton.Storage;
using Baton.Storage.Wal;

namespace Baton.Bench.Wal;

/// <summary>Reading a segment through the log, decoded and every CRC verified, beside downloading the same blob raw in ranges of the same size: in turns, in the same run.</summary>
internal static class ReadBack
{
    private const string Channel = "read-back";
    private const int RecordBytes = 1024;
    private const int RecordsPerBatch = 256;
    private const int Batches = 256;

    /// <summary>Bytes of the blob per second, once through the log and once raw.</summary>
    public static async Task<(double BatonBytesPerSecond, double RawBytesPerSecond)> MeasureAsync(WalStore store, BatonStorage storage, TimeSpan duration, CancellationToken cancellationToken)
    {
        await FillAsync(store, cancellationToken);
        var segment = (await store.ReadManifestAsync(Channel, cancellationToken))!.Segments[^1];
        var blob = storage.Blobs.GetBlobContainerClient("wal").GetBlobClient(segment.BlobName(Channel));
        var length = (await blob.GetPropertiesAsync(cancellationToken: cancellationToken)).Value.ContentLength;
        var range = new byte[new WalOptions().ReadRangeBytes];
        var (baton, raw) = (TimeSpan.Zero, TimeSpan.Zero);
        var rounds = 0;
        for (var warm = false; !warm || baton + raw < duration; warm = true)
        {
            var clock = Stopwatch.StartNew();
            await ReadAsync(store, cancellationToken);
            var read = clock.Elapsed;
            for (long offset = 0; offset < length; offset += range.Length)
            {
                var options = new BlobDownloadOptions { Range = new HttpRange(offset, range.Length) };
                using var answer = (await blob.DownloadStreamingAsync(options, cancellationToken)).Value;
                var got = await answer.Content.ReadAtLeastAsync(range, range.Length, throwOnEndOfStream: false, cancellationToken);
                if (got != Math.Min(range.Length, length - offset))
                {
                    throw new InvalidOperationException($"Downloaded {got} bytes at {offset} of {length}.");
                }
            }

            if (warm)
            {
                (baton, raw, rounds) = (baton + read, raw + clock.Elapsed - read, rounds + 1);
            }
        }

        return (rounds * length / baton.TotalSeconds, rounds * length / raw.TotalSeconds);
    }

    private static async Task FillAsync(WalStore store, CancellationToken cancellationToken)
    {
        await using var writer = await store.OpenAsync(Channel, 1, "bench", null, cancellationToken);
        var payload = new byte[RecordBytes];
        new Random(1).NextBytes(payload);
        var batch = Enumerable.Repeat(new WalRecord { Type = WalRecordType.Message, TimeTick = 1, Payload = payload }, RecordsPerBatch).ToList();
        for (var i = 0; i < Batches; i++)
        {
            await writer.Append(batch).Durable;
        }
    }

    private static async Task ReadAsync(WalStore store, CancellationToken cancellationToken)
    {
        var bytes = 0L;
        await foreach (var entry in store.ReadAsync(Channel, 1, RecordsPerBatch * Batches, cancellationToken))
        {
            bytes += entry.Record.Payload.Length;
        }

        if (bytes != (long)RecordBytes * RecordsPerBatch * Batches)
        {
            throw new InvalidOperationException($"Read {bytes} bytes of payload.");
        }
    }
}
