using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Batches read as they are: the segments' own bytes, with what stops a read of records stopping them too.</summary>
public sealed class WalBatchesTests
{
    [Fact]
    public async Task The_batches_are_the_segments_bytes_one_after_the_other_with_their_terms()
    {
        var log = await TamperedLog.CreateAsync(batches: 12, inTail: 5);

        var read = await ReadAsync(log);

        byte[] header(WalSegment segment) => new WalSegmentHeader(TamperedLog.Channel, segment.Term, segment.FirstLsn, DateTimeOffset.UnixEpoch).Encode();
        Assert.Equal(log.Bytes(log.Sealed)[header(log.Sealed).Length..], read.Where(b => b.Term == log.Sealed.Term).SelectMany(b => b.Bytes.ToArray()));
        Assert.Equal(log.Bytes(log.Tail)[header(log.Tail).Length..], read.Where(b => b.Term == log.Tail.Term).SelectMany(b => b.Bytes.ToArray()));
        Assert.Equal(log.Texts.Count, read[^1].LastLsn);
        foreach (var (batch, after) in read.Zip(read.Skip(1)))
        {
            Assert.Equal(batch.LastLsn + 1, after.FirstLsn);
        }
    }

    [Fact]
    public async Task From_and_through_any_lsn_come_the_batches_that_hold_them_and_those_between()
    {
        var log = await TamperedLog.CreateAsync(batches: 6, inTail: 2);
        var all = await ReadAsync(log);
        for (var from = 1L; from <= log.Texts.Count; from++)
        {
            for (var through = from; through <= log.Texts.Count; through++)
            {
                Assert.Equal(all.FindAll(b => b.LastLsn >= from && b.FirstLsn <= through).ConvertAll(b => b.FirstLsn), (await ReadAsync(log, from, through)).ConvertAll(b => b.FirstLsn));
            }
        }

        Assert.Empty(await ReadAsync(log, log.Texts.Count + 1));
    }

    [Fact]
    public async Task A_damaged_batch_stops_the_read_where_a_read_of_records_stops()
    {
        var log = await TamperedLog.CreateAsync(batches: 8, inTail: 3);
        var at = log.Blocks(log.Sealed)[3];
        log.Tamper(log.Sealed, bytes =>
        {
            bytes[at.Offset + 30] ^= 4;
            return bytes;
        });
        var read = new List<WalRawBatch>();

        var failure = await Assert.ThrowsAsync<WalDamagedException>(async () =>
        {
            await foreach (var batch in log.NewStore().ReadBatchesAsync(TamperedLog.Channel, 1, long.MaxValue, CancellationToken.None))
            {
                read.Add(batch);
            }
        });

        var records = await Assert.ThrowsAsync<WalDamagedException>(() => log.NewStore().ReadTextsAsync(TamperedLog.Channel));
        Assert.Equal((at.FirstLsn, (long)at.Offset), (failure.FirstMissingLsn, failure.Offset));
        Assert.Equal(records.Message, failure.Message);
        Assert.Equal(at.FirstLsn - 1, read[^1].LastLsn);
    }

    [Fact]
    public async Task Below_the_retained_history_the_read_says_where_it_begins()
    {
        var log = await TamperedLog.CreateAsync(batches: 8, inTail: 3);
        var read = (await log.Storage.ReadManifestAsync(TamperedLog.Channel, CancellationToken.None))!;
        var trimmed = read.Manifest with { Segments = [log.Tail], FirstLsn = log.Tail.FirstLsn, Revision = read.Manifest.Revision + 1 };
        Assert.NotNull(await log.Storage.WriteManifestAsync(trimmed, read.ETag, CancellationToken.None));

        Assert.Equal(log.Tail.FirstLsn, (await Assert.ThrowsAsync<WalTrimmedException>(() => ReadAsync(log))).FirstLsn);
        Assert.Equal(log.Tail.FirstLsn, (await ReadAsync(log, log.Tail.FirstLsn))[0].FirstLsn);
    }

    private static async Task<List<WalRawBatch>> ReadAsync(TamperedLog log, long from = 1, long through = long.MaxValue)
    {
        var read = new List<WalRawBatch>();
        await foreach (var batch in log.NewStore().ReadBatchesAsync(TamperedLog.Channel, from, through, CancellationToken.None))
        {
            read.Add(batch);
        }

        return read;
    }
}
