using Baton.Core.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Batches looked at and cut without decoding them, beside what decoding says.</summary>
public sealed class WalBatchExtentTests
{
    private static readonly WalRecord[] Records = [.. Enumerable.Range(1, 7).Select(n => new WalRecord { Type = WalRecordType.Message, TimeTick = n, Key = $"k{n}", Payload = new byte[n * 40] })];

    [Fact]
    public void It_says_what_the_batch_holds()
    {
        var extent = WalBatchExtent.Of(WalBatchCodec.Encode(5, Records));

        Assert.Equal(new WalBatchExtent(5, 11, WalRecordChecksum.Of(Records[^1])), extent);
        Assert.Equal(Records.Select(WalRecordChecksum.Of), Enumerable.Range(5, 7).Select(lsn => WalBatchExtent.RecordCrc(WalBatchCodec.Encode(5, Records), lsn)));
    }

    [Fact]
    public void Any_part_is_the_batch_that_would_have_been_written_of_those_records()
    {
        var batch = WalBatchCodec.Encode(5, Records);
        for (var from = 0; from < Records.Length; from++)
        {
            for (var through = from; through < Records.Length; through++)
            {
                Assert.Equal(WalBatchCodec.Encode(5 + from, Records[from..(through + 1)]), WalBatchExtent.Cut(batch, 5 + from, 5 + through));
            }
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => WalBatchExtent.Cut(batch, 4, 6));
        Assert.Throws<ArgumentOutOfRangeException>(() => WalBatchExtent.Cut(batch, 6, 12));
        Assert.Throws<ArgumentOutOfRangeException>(() => WalBatchExtent.RecordCrc(batch, 12));
    }

    [Fact]
    public void Whatever_bit_is_flipped_and_wherever_it_is_cut_off_it_is_refused()
    {
        var batch = WalBatchCodec.Encode(5, Records[..2]);
        for (var bit = 0; bit < batch.Length * 8; bit++)
        {
            var flipped = batch.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<WalFormatException>(() => WalBatchExtent.Of(flipped));
        }

        for (var length = 0; length < batch.Length; length++)
        {
            Assert.Throws<WalFormatException>(() => WalBatchExtent.Of(batch.AsSpan(0, length)));
        }
    }

    [Fact]
    public void A_count_that_the_records_do_not_bear_out_is_refused_although_the_checksum_is_right()
    {
        var batch = WalBatchCodec.Encode(5, Records);
        WalBatchCodec.WriteHeader(batch, 5, Records.Length - 1);
        Assert.Throws<WalFormatException>(() => WalBatchExtent.Of(batch));
        WalBatchCodec.WriteHeader(batch, 5, Records.Length + 1);
        Assert.Throws<WalFormatException>(() => WalBatchExtent.Of(batch));
    }
}
