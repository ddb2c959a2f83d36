using Baton.Core.Wal;
using Baton.Storage.Replicas;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Replicas;

/// <summary>A replica's log in real files.</summary>
public sealed class ReplicaFolderTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("baton-replica-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(ReplicaFsync.Always)]
    [InlineData(ReplicaFsync.Interval)]
    [InlineData(ReplicaFsync.Never)]
    public async Task A_life_in_real_files(ReplicaFsync fsync)
    {
        await using (var log = await OpenAsync(fsync))
        {
            for (var lsn = 1; lsn <= 100; lsn += 5)
            {
                await log.AppendAsync(1 + (lsn / 40), Batch(lsn, 5), default);
            }

            await log.FlushAsync(default);
            Assert.Equal(100, log.Flushed.Lsn);
            await log.TruncateAsync(88, default);
            await log.TrimAsync(45, default);
            await log.AppendAsync(9, Batch(87, 4), default);
        }

        await using (var log = await OpenAsync(fsync))
        {
            Assert.InRange(log.FirstLsn, 2, 45);
            Assert.Equal(new LogPosition(90, 9, WalRecordChecksum.Of(Record(90))), log.Flushed);
            await CheckAsync(log);
            await log.ResetAsync(500, default);
            await log.AppendAsync(9, Batch(500, 2), default);
            await CheckAsync(log);
            await log.ResetAsync(700, default);
        }

        await using var last = await OpenAsync(fsync);
        Assert.Equal((700, 699), (last.FirstLsn, last.LastLsn));
    }

    [Fact]
    public async Task Readers_go_beside_appends_and_see_every_record_once()
    {
        await using var log = await OpenAsync(ReplicaFsync.Interval);
        const int records = 4_000;
        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
        {
            var next = 1L;
            using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            while (next <= records)
            {
                bound.Token.ThrowIfCancellationRequested();
                await foreach (var entry in log.ReadAsync(next, long.MaxValue, bound.Token))
                {
                    Assert.Equal(next++, entry.Lsn);
                    Assert.Equal(entry.Lsn, entry.Record.TimeTick);
                }

                await Task.Yield();
            }
        })).ToList();
        for (var lsn = 1; lsn <= records; lsn += 4)
        {
            await log.AppendAsync(1, Batch(lsn, 4), default);
        }

        await Task.WhenAll(readers);
    }

    [Fact]
    public async Task A_second_opener_is_refused_with_the_settings_name_and_may_come_when_the_first_has_gone()
    {
        await using (await OpenAsync(ReplicaFsync.Never))
        {
            var failure = await Assert.ThrowsAsync<ReplicaFaultedException>(() => OpenAsync(ReplicaFsync.Never));
            Assert.Contains("'Replicas:Folder'", failure.Message, StringComparison.Ordinal);
            Assert.Contains("in use", failure.Message, StringComparison.Ordinal);
        }

        await (await OpenAsync(ReplicaFsync.Never)).DisposeAsync();
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_named_with_its_setting()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "file"), "");
        var options = new ReplicaLogOptions { Folder = Path.Combine(_folder.FullName, "file") };

        var failure = await Assert.ThrowsAsync<ReplicaFaultedException>(() => ReplicaLog.OpenAsync("ch", options, TimeProvider.System, NullLogger.Instance, default));

        Assert.Contains("'Replicas:Folder'", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("")]
    public async Task A_name_that_leads_out_of_the_folder_is_refused(string channel)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => ReplicaLog.OpenAsync(channel, Options(ReplicaFsync.Never), TimeProvider.System, NullLogger.Instance, default));
        Assert.Empty(_folder.EnumerateFileSystemInfos());
    }

    [Fact]
    public void Options_that_make_no_sense_are_named()
    {
        static string Refused(Action<ReplicaLogOptions> change)
        {
            var options = new ReplicaLogOptions();
            options.Validate();
            change(options);
            return Assert.Throws<InvalidOperationException>(options.Validate).Message;
        }

        Assert.Contains("'Replicas:Folder'", Refused(o => o.Folder = " "), StringComparison.Ordinal);
        Assert.Contains("'Replicas:FsyncIntervalMs' is 0", Refused(o => o.FsyncIntervalMs = 0), StringComparison.Ordinal);
        Assert.Contains("'Replicas:SegmentBytes' is 0", Refused(o => o.SegmentBytes = 0), StringComparison.Ordinal);
        Assert.Contains("'Replicas:RetainBytes' is -1", Refused(o => o.RetainBytes = -1), StringComparison.Ordinal);
        Assert.Contains("'Replicas:Fsync' is 7; it must be Always, Interval, Never", Refused(o => o.Fsync = (ReplicaFsync)7), StringComparison.Ordinal);
    }

    private static byte[] Batch(long first, int count) => WalBatchCodec.Encode(first, [.. Enumerable.Range(0, count).Select(n => Record(first + n))]);

    private static WalRecord Record(long lsn) => new() { Type = WalRecordType.Message, TimeTick = lsn, Payload = new byte[50] };

    private static async Task CheckAsync(ReplicaLog log)
    {
        var next = log.FirstLsn;
        await foreach (var entry in log.ReadAsync(next, long.MaxValue, default))
        {
            Assert.Equal((next, next), (entry.Lsn, entry.Record.TimeTick));
            next++;
        }

        Assert.Equal(log.LastLsn + 1, next);
    }

    private ReplicaLogOptions Options(ReplicaFsync fsync) => new() { Folder = Path.Combine(_folder.FullName, "deep", "er"), Fsync = fsync, SegmentBytes = 1_500 };

    private Task<ReplicaLog> OpenAsync(ReplicaFsync fsync) => ReplicaLog.OpenAsync("ch", Options(fsync), TimeProvider.System, NullLogger.Instance, default);
}
