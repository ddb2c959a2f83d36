using System.Diagnostics;
using Azure;
using Azure.Storage.Blobs.Models;
using Baton.Bench.Wal;
using Baton.Storage;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Bench.Replicas;

/// <summary>A replica that takes a whole segment over, checked and flushed, beside downloading the same blob raw in ranges of the same size into a file.</summary>
internal static class CatchUp
{
    private const string Channel = "catch-up";
    private const int RecordBytes = 1024;
    private const int RecordsPerBatch = 256;
    private const int Batches = 256;

    /// <summary>Bytes of the blob per second, once through the log and once raw.</summary>
    public static async Task<(double Baton, double Raw)> MeasureAsync(string folder, WalStore store, BatonStorage storage, TimeSpan duration, CancellationToken cancellationToken)
    {
        await FillAsync(store, cancellationToken);
        var segment = (await store.ReadManifestAsync(Channel, cancellationToken))!.Segments[^1];
        var blob = storage.Blobs.GetBlobContainerClient("wal").GetBlobClient(segment.BlobName(Channel));
        var length = (await blob.GetPropertiesAsync(cancellationToken: cancellationToken)).Value.ContentLength;
        var options = new ReplicaLogOptions { Folder = Path.Combine(folder, "replicas") };
        await using var log = await ReplicaLog.OpenAsync(Channel, options, TimeProvider.System, NullLogger.Instance, cancellationToken);
        var range = new byte[new WalOptions().ReadRangeBytes];
        var (baton, raw) = (TimeSpan.Zero, TimeSpan.Zero);
        var rounds = 0;
        for (var warm = false; !warm || baton + raw < duration; warm = true)
        {
            await log.ResetAsync(1, cancellationToken);
            File.Delete(Path.Combine(folder, "raw"));
            var clock = Stopwatch.StartNew();
            await foreach (var batch in store.ReadBatchesAsync(Channel, 1, RecordsPerBatch * Batches, cancellationToken))
            {
                await log.AppendAsync(batch.Term, batch.Bytes, cancellationToken);
            }

            await log.FlushAsync(cancellationToken);
            var caughtUp = clock.Elapsed;
            if (log.Flushed.Lsn != RecordsPerBatch * Batches)
            {
                throw new InvalidOperationException($"The replica has LSN {log.Flushed.Lsn} only.");
            }

            using var file = File.OpenHandle(Path.Combine(folder, "raw"), FileMode.Create, FileAccess.Write);
            for (long offset = 0; offset < length; offset += range.Length)
            {
                using var answer = (await blob.DownloadStreamingAsync(new BlobDownloadOptions { Range = new HttpRange(offset, range.Length) }, cancellationToken)).Value;
                var got = await answer.Content.ReadAtLeastAsync(range, range.Length, throwOnEndOfStream: false, cancellationToken);
                RandomAccess.Write(file, range.AsSpan(0, got), offset);
            }

            RandomAccess.FlushToDisk(file);
            if (warm)
            {
                (baton, raw, rounds) = (baton + caughtUp, raw + clock.Elapsed - caughtUp, rounds + 1);
            }
        }

        return (rounds * length / baton.TotalSeconds, rounds * length / raw.TotalSeconds);
    }

    private static async Task FillAsync(WalStore store, CancellationToken cancellationToken)
    {
        await using var writer = await store.OpenAsync(Channel, 1, "bench", null, cancellationToken);
        var payload = new byte[RecordBytes];
        new Random(1).NextBytes(payload);
        var batch = Enumerable.Repeat(Appends.Record(payload), RecordsPerBatch).ToList();
        for (var i = 0; i < Batches; i++)
        {
            await writer.Append(batch).Durable;
        }
    }
}
