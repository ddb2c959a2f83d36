using System.Diagnostics;
using Baton.Core.Wal;
using Baton.Storage.Replicas;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Bench.Replicas;

/// <summary>Appends to a replica's log beside writes of the same bytes to one file, which is flushed as often as the policy says.</summary>
internal static class LocalAppends
{
    private const int RecordBytes = 1024;
    private const int RoundBytes = 16 * 1024 * 1024;
    private const int AlwaysRoundBatches = 32;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(new ReplicaLogOptions().FsyncIntervalMs);

    /// <summary>Bytes a second, of the log and of the file. The flush that ends a round counts for both, but for Never.</summary>
    public static async Task<(double Baton, double Raw)> MeasureAsync(string folder, ReplicaFsync fsync, int batchBytes, TimeSpan duration, CancellationToken cancellationToken)
    {
        var batches = Batches(batchBytes, fsync == ReplicaFsync.Always ? AlwaysRoundBatches : RoundBytes / batchBytes);
        var bytes = batches.Sum(b => (long)b.Length);
        var options = new ReplicaLogOptions { Folder = Path.Combine(folder, "replicas"), Fsync = fsync };
        await using var log = await ReplicaLog.OpenAsync("bench", options, TimeProvider.System, NullLogger.Instance, cancellationToken);
        var (baton, raw) = (TimeSpan.Zero, TimeSpan.Zero);
        var rounds = 0;
        for (var warm = false; !warm || baton + raw < duration; warm = true)
        {
            await log.ResetAsync(1, cancellationToken);
            File.Delete(Path.Combine(folder, "raw"));
            var clock = Stopwatch.StartNew();
            foreach (var batch in batches)
            {
                await log.AppendAsync(1, batch, cancellationToken);
            }

            if (fsync == ReplicaFsync.Interval)
            {
                await log.FlushAsync(cancellationToken);
            }

            var appended = clock.Elapsed;
            WriteRaw(Path.Combine(folder, "raw"), batches, fsync);
            if (warm)
            {
                (baton, raw, rounds) = (baton + appended, raw + clock.Elapsed - appended, rounds + 1);
            }
        }

        return (rounds * bytes / baton.TotalSeconds, rounds * bytes / raw.TotalSeconds);
    }

    private static List<byte[]> Batches(int batchBytes, int count)
    {
        var payload = new byte[RecordBytes];
        new Random(1).NextBytes(payload);
        var records = Enumerable.Repeat(new WalRecord { Type = WalRecordType.Message, TimeTick = 1, Payload = payload }, batchBytes / RecordBytes).ToList();
        return [.. Enumerable.Range(0, count).Select(n => WalBatchCodec.Encode(1 + ((long)n * records.Count), records))];
    }

    private static void WriteRaw(string path, List<byte[]> batches, ReplicaFsync fsync)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        var (offset, flushed) = (0L, Stopwatch.GetTimestamp());
        foreach (var batch in batches)
        {
            RandomAccess.Write(file, batch, offset);
            offset += batch.Length;
            if (fsync == ReplicaFsync.Always || (fsync == ReplicaFsync.Interval && Stopwatch.GetElapsedTime(flushed) >= Interval))
            {
                RandomAccess.FlushToDisk(file);
                flushed = Stopwatch.GetTimestamp();
            }
        }

        if (fsync == ReplicaFsync.Interval)
        {
            RandomAccess.FlushToDisk(file);
        }
    }
}
