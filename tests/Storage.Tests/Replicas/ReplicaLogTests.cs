using System.Text;
using Baton.Core.Wal;
using Baton.Storage.Replicas;
using Baton.Storage.Tests.Wal;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Replicas;

/// <summary>A replica's log on the model of a disk: damage, indexes, readers beside changes, and when things are flushed.</summary>
public sealed class ReplicaLogTests
{
    private const string Channel = "ch";
    private readonly ModelDisk _disk = new();
    private readonly ManualTime _time = new();

    [Fact]
    public async Task Its_files_hold_the_batches_as_they_came_behind_a_segment_header()
    {
        await using var log = Open();
        byte[][] batches = [Batch(1, 3), Batch(4, 1), Batch(5, 2)];
        await log.AppendAsync(7, batches[0], default);
        await log.AppendAsync(7, batches[1], default);
        await log.AppendAsync(8, batches[2], default);

        Assert.Equal(["0000000007-00000000000000000001.idx", "0000000007-00000000000000000001.seg", "0000000008-00000000000000000005.seg"], _disk.Names);
        var header = new WalSegmentHeader(Channel, 7, 1, DateTimeOffset.UnixEpoch).Encode();
        Assert.Equal([.. header, .. batches[0], .. batches[1]], _disk.Bytes("0000000007-00000000000000000001.seg"));
        Assert.Equal([.. new WalSegmentHeader(Channel, 8, 5, DateTimeOffset.UnixEpoch).Encode(), .. batches[2]], _disk.Bytes("0000000008-00000000000000000005.seg"));
    }

    [Fact]
    public async Task An_interval_flushes_once_for_all_that_came_and_rests_when_nothing_is_left()
    {
        await using var log = Open(ReplicaFsync.Interval);
        await log.AppendAsync(1, Batch(1, 3), default);
        Assert.Equal(TimeSpan.FromMilliseconds(50), await _time.NextWaitAsync());
        await log.AppendAsync(1, Batch(4, 3), default);
        Assert.Equal(0, log.Flushed.Lsn);
        var before = _disk.Flushes;

        _time.Advance(TimeSpan.FromMilliseconds(50));
        await UntilAsync(() => log.Flushed.Lsn == 6);
        Assert.Equal(before + 1, _disk.Flushes);
        Assert.Equal(log.Last, log.Flushed);
        Assert.Equal(new LogPosition(6, 1, WalRecordChecksum.Of(Record(6))), log.Flushed);

        // One wait only began so far; the next begins with the next append.
        await log.AppendAsync(1, Batch(7, 1), default);
        Assert.Equal(TimeSpan.FromMilliseconds(50), await _time.NextWaitAsync());
        _time.Advance(TimeSpan.FromMilliseconds(50));
        await UntilAsync(() => log.Flushed.Lsn == 7);
    }

    [Theory]
    [InlineData(ReplicaFsync.Always, 1)]
    [InlineData(ReplicaFsync.Never, 0)]
    public async Task Always_flushes_each_append_and_never_none(ReplicaFsync fsync, int flushes)
    {
        await using var log = Open(fsync);
        await log.AppendAsync(1, Batch(1, 1), default);
        var before = _disk.Flushes;
        await log.AppendAsync(1, Batch(2, 1), default);

        Assert.Equal(2, log.Flushed.Lsn);
        Assert.Equal(before + flushes, _disk.Flushes);
    }

    [Fact]
    public async Task A_flush_that_the_disk_refuses_in_the_background_is_told_to_the_next_who_comes()
    {
        await using var log = Open(ReplicaFsync.Interval);
        await log.AppendAsync(1, Batch(1, 1), default);
        await _time.NextWaitAsync();
        _disk.FailAt = 1;
        _time.Advance(TimeSpan.FromMilliseconds(50));
        await UntilAsync(() => _disk.Failed);

        await Assert.ThrowsAsync<ReplicaFaultedException>(async () =>
        {
            // The call has failed, and the log is about to know.
            for (var lsn = 2; lsn < 1_000_000; lsn++)
            {
                await log.AppendAsync(1, Batch(lsn, 1), default);
            }
        });
        Assert.Equal(0, log.Flushed.Lsn);
        await Assert.ThrowsAsync<ReplicaFaultedException>(() => log.FlushAsync(default));
        await Assert.ThrowsAsync<ReplicaFaultedException>(() => log.ResetAsync(9, default));
        await Assert.ThrowsAsync<ReplicaFaultedException>(() => ReadAsync(log, 1));
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("short")]
    [InlineData("flipped")]
    [InlineData("of another file")]
    [InlineData("wrong places")]
    public async Task An_index_that_cannot_be_used_is_made_anew(string what)
    {
        await FillAsync(files: 3);
        var (name, right) = ("0000000001-00000000000000000001.idx", _disk.Bytes("0000000001-00000000000000000001.idx"));
        switch (what)
        {
            case "missing":
                _disk.Remove(name);
                break;
            case "short":
                _disk.Tamper(name, bytes => bytes[..^5]);
                break;
            case "flipped":
                _disk.Tamper(name, bytes => Flip(bytes, 50));
                break;
            case "of another file":
                _disk.Tamper(name, _ => _disk.Bytes("0000000002-00000000000000000011.idx"));
                break;
            default:
                Assert.True(ReplicaIndex.TryDecode(right, 1, 1, out var index));
                _disk.Tamper(name, _ => new ReplicaIndex([new WalSegmentPlace(index.Places[0].Lsn, index.Places[0].Offset + 1)], index.LastLsn, index.LengthBytes).Encode(1, 1));
                break;
        }

        await using var log = Open();

        Assert.Equal(right, _disk.Bytes(name));
        Assert.Equal(Enumerable.Range(1, 30).Select(n => (long)n), await ReadAsync(log, 1));
    }

    [Fact]
    public async Task A_sparse_index_leads_to_every_record()
    {
        await using (var log = Open())
        {
            for (var lsn = 1; lsn <= 60; lsn += 2)
            {
                await log.AppendAsync(lsn <= 40 ? 1 : 2, Batch(lsn, 2, 20_000), default);
            }
        }

        await using var again = Open();
        Assert.True(ReplicaIndex.TryDecode(_disk.Bytes("0000000001-00000000000000000001.idx"), 1, 1, out var index));
        Assert.InRange(index.Places.Count, 5, 14);
        for (var lsn = 1; lsn <= 60; lsn++)
        {
            Assert.Equal(new LogPosition(lsn, lsn <= 40 ? 1 : 2, WalRecordChecksum.Of(Record(lsn, 20_000))), await again.PositionAsync(lsn, default));
            Assert.Equal(lsn, (await ReadAsync(again, lsn))[0]);
        }

        Assert.Null(await again.PositionAsync(61, default));
        Assert.Null(await again.PositionAsync(0, default));
    }

    [Fact]
    public async Task Damage_in_the_middle_is_refused_when_it_is_read_and_what_stands_before_it_is_given()
    {
        await FillAsync(files: 3, recordBytes: 20_000);
        var name = "0000000001-00000000000000000001.seg";
        var at = new WalSegmentHeader(Channel, 1, 1, DateTimeOffset.UnixEpoch).Encode().Length + (3 * Batch(1, 1, 20_000).Length);
        _disk.Tamper(name, bytes => Flip(bytes, at + 100));
        await using var log = Open();
        Assert.Equal((1, 30), (log.FirstLsn, log.LastLsn));
        var read = new List<long>();

        var failure = await Assert.ThrowsAsync<ReplicaDamagedException>(() => ReadAsync(log, 1, read));

        Assert.Equal([1, 2, 3], read);
        Assert.Equal((name, (long)at, 4L), (failure.File, failure.Offset, failure.FirstMissingLsn));
        await Assert.ThrowsAsync<ReplicaDamagedException>(() => log.PositionAsync(4, default));
        Assert.Equal(20, (await ReadAsync(log, 11)).Count);

        // What would have to be kept of it cannot be; below it all goes well.
        await Assert.ThrowsAsync<ReplicaDamagedException>(() => log.TruncateAsync(4, default));
        Assert.Equal(30, log.LastLsn);
        await log.TruncateAsync(3, default);
        await log.AppendAsync(9, Batch(4, 2), default);
        Assert.Equal([1, 2, 3, 4, 5], await ReadAsync(log, 1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(1_000)]
    public async Task A_damaged_end_is_cut_at_the_first_bad_batch(int flippedFromEnd)
    {
        await FillAsync(files: 3, recordBytes: 200);
        _disk.Tamper("0000000003-00000000000000000021.seg", bytes => Flip(bytes, bytes.Length - flippedFromEnd));
        await using var log = Open();

        var kept = 30 - 1 - ((flippedFromEnd - 1) / Batch(30, 1, 200).Length);
        Assert.Equal(kept, log.LastLsn);
        Assert.Equal(kept, log.Flushed.Lsn);
        Assert.Equal(kept, (await ReadAsync(log, 1)).Count);
        await log.AppendAsync(3, Batch(kept + 1, 1), default);
        Assert.Equal(kept + 1, (await ReadAsync(log, 1)).Count);
    }

    [Fact]
    public async Task Behind_a_file_that_is_missing_everything_is_dropped()
    {
        await FillAsync(files: 4);
        _disk.Remove("0000000002-00000000000000000011.seg");
        await using var log = Open();

        Assert.Equal((1, 10), (log.FirstLsn, log.LastLsn));
        Assert.Equal(["0000000001-00000000000000000001.idx", "0000000001-00000000000000000001.seg"], _disk.Names);
    }

    [Fact]
    public async Task A_log_that_was_reset_begins_where_it_was_told_also_after_it_was_opened_again_and_takes_any_term()
    {
        await FillAsync(files: 2);
        await using (var log = Open())
        {
            await log.ResetAsync(100, default);
            Assert.Equal((100, 99, default), (log.FirstLsn, log.LastLsn, log.Flushed));
            Assert.Empty(await ReadAsync(log, 100));
            await Assert.ThrowsAsync<ReplicaTrimmedException>(() => ReadAsync(log, 99));
        }

        await using var again = Open();
        Assert.Equal((100, 99), (again.FirstLsn, again.LastLsn));
        await Assert.ThrowsAsync<ReplicaGapException>(() => again.AppendAsync(1, Batch(101, 1), default));
        await again.AppendAsync(1, Batch(98, 4), default);
        Assert.Equal([100, 101], await ReadAsync(again, 100));
        Assert.Equal(["0000000001-00000000000000000100.seg"], _disk.Names);
    }

    [Fact]
    public async Task A_reader_goes_on_with_what_is_appended_meanwhile_and_is_told_of_a_cut_and_of_a_trim()
    {
        await FillAsync(files: 3);
        await using var log = Open();
        await using (var reading = log.ReadAsync(25, long.MaxValue, default).GetAsyncEnumerator())
        {
            Assert.True(await reading.MoveNextAsync());
            await log.AppendAsync(4, Batch(31, 3), default);
            for (var lsn = 26; lsn <= 33; lsn++)
            {
                Assert.True(await reading.MoveNextAsync());
                Assert.Equal(lsn, reading.Current.Lsn);
            }

            Assert.False(await reading.MoveNextAsync());
        }

        await using (var reading = log.ReadAsync(5, long.MaxValue, default).GetAsyncEnumerator())
        {
            Assert.True(await reading.MoveNextAsync());
            await log.TrimAsync(25, default);
            Assert.Equal((21, 33), (log.FirstLsn, log.LastLsn));
            var lsn = 5L;
            var failure = await Assert.ThrowsAsync<ReplicaTrimmedException>(async () =>
            {
                while (await reading.MoveNextAsync())
                {
                    Assert.Equal(++lsn, reading.Current.Lsn);
                }
            });
            Assert.Equal((10, 21), (lsn, failure.FirstLsn));
        }

        await using (var reading = log.ReadAsync(21, long.MaxValue, default).GetAsyncEnumerator())
        {
            Assert.True(await reading.MoveNextAsync());
            await log.TruncateAsync(32, default);
            await Assert.ThrowsAsync<ReplicaCutException>(async () => await reading.MoveNextAsync());
        }
    }

    [Fact]
    public async Task Above_the_bytes_to_keep_the_oldest_files_go_but_never_the_last_two()
    {
        var options = new ReplicaLogOptions { SegmentBytes = 1, RetainBytes = 1_000 };
        await using var log = ReplicaLog.Open(Channel, _disk.Open(), options, _time, NullLogger.Instance);
        for (var lsn = 1; lsn <= 20; lsn++)
        {
            await log.AppendAsync(1, Batch(lsn, 1, 100), default);
            Assert.Equal(lsn, log.LastLsn);
        }

        Assert.InRange(_disk.Names.Where(n => n.EndsWith(".seg", StringComparison.Ordinal)).Sum(n => _disk.Bytes(n).Length), 500, 1_300);
        await log.AppendAsync(1, Batch(21, 1, 5_000), default);
        await log.AppendAsync(1, Batch(22, 1, 5_000), default);
        Assert.Equal((21, 22), (log.FirstLsn, log.LastLsn));
    }

    [Fact]
    public async Task Every_bit_of_a_file_matters()
    {
        await FillAsync(files: 1);
        var name = "0000000001-00000000000000000001.seg";
        var right = _disk.Bytes(name);
        for (var bit = 0; bit < right.Length * 8; bit += 5)
        {
            _disk.Tamper(name, _ => Flip(right, bit / 8, bit % 8));
            await using var log = Open();
            var read = await ReadAsync(log, log.FirstLsn);
            Assert.InRange(read.Count, 0, 9);
            await log.DisposeAsync();
            _disk.Names.ToList().ForEach(_disk.Remove);
        }
    }

    private static byte[] Batch(long first, int count, int payloadBytes = 10) => WalBatchCodec.Encode(first, [.. Enumerable.Range(0, count).Select(n => Record(first + n, payloadBytes))]);

    private static WalRecord Record(long lsn, int payloadBytes = 10) => new() { Type = WalRecordType.Message, TimeTick = lsn, Payload = Encoding.UTF8.GetBytes($"{lsn}".PadRight(payloadBytes)) };

    private static byte[] Flip(byte[] bytes, int at, int bit = 0)
    {
        byte[] flipped = [.. bytes];
        flipped[at] ^= (byte)(1 << bit);
        return flipped;
    }

    private static async Task<List<long>> ReadAsync(ReplicaLog log, long from, List<long>? into = null)
    {
        into ??= [];
        await foreach (var entry in log.ReadAsync(from, long.MaxValue, default))
        {
            Assert.StartsWith($"{entry.Lsn} ", Encoding.UTF8.GetString(entry.Record.Payload.Span), StringComparison.Ordinal);
            into.Add(entry.Lsn);
        }

        return into;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Delay(1, bound.Token);
        }
    }

    private ReplicaLog Open(ReplicaFsync fsync = ReplicaFsync.Never) => ReplicaLog.Open(Channel, _disk.Open(), new ReplicaLogOptions { Fsync = fsync }, _time, NullLogger.Instance);

    // Ten batches of one record a file, each file of a term of its own.
    private async Task FillAsync(int files, int recordBytes = 10)
    {
        await using var log = Open();
        for (var lsn = 1; lsn <= files * 10; lsn++)
        {
            await log.AppendAsync(1 + ((lsn - 1) / 10), Batch(lsn, 1, recordBytes), default);
        }
    }
}
