using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Every single bit of a segment, flipped: found, located, and nothing else is lost.</summary>
public sealed class WalVerifierFlippedBitTests
{
    [Fact]
    public async Task Each_flipped_bit_of_a_sealed_segment_is_found_where_readers_stop_and_costs_its_own_batch_only()
    {
        var log = await TamperedLog.CreateAsync(batches: 22, inTail: 2);

        await FlipEachAsync(log, log.Sealed, (block, damage) => Assert.Equal(block.LastLsn, damage.LastMissingLsn));
    }

    [Fact]
    public async Task Each_flipped_bit_of_an_open_segment_is_found_where_readers_stop_and_costs_its_own_batch_only()
    {
        var log = await TamperedLog.CreateAsync(batches: 12, inTail: 10);
        var last = log.Texts.Count;

        // How many records the open segment's last batch had is not known once it is damaged.
        await FlipEachAsync(log, log.Tail, (block, damage) => Assert.True(damage.LastMissingLsn == block.LastLsn || (damage.LastMissingLsn is null && block.LastLsn == last)));
    }

    private static async Task FlipEachAsync(TamperedLog log, WalSegment segment, Action<TamperedBlock, WalDamage> checkLast)
    {
        Assert.True((await log.VerifyAsync()).Clean);
        var original = log.Bytes(segment);
        var all = log.Texts.Keys.Order().ToList();
        foreach (var block in log.Blocks(segment))
        {
            var missing = block.FirstLsn == 0 ? [] : Enumerable.Range((int)block.FirstLsn, (int)(block.LastLsn - block.FirstLsn + 1)).Select(l => (long)l).ToList();
            var stopsAt = block.FirstLsn == 0 ? segment.FirstLsn : block.FirstLsn;
            for (var bit = block.Offset * 8; bit < block.End * 8; bit++)
            {
                log.Tamper(segment, _ => Flip(original, bit));

                var (lsns, damages) = await log.ScanAsync();
                var (before, stop) = await log.ReadAsync();

                var damage = Assert.Single(damages);
                Assert.Equal((WalDamageKind.Unreadable, segment.BlobName(TamperedLog.Channel), (long)block.Offset), (damage.Kind, damage.Segment, damage.Offset));
                Assert.True(all.Except(missing).SequenceEqual(lsns), $"bit {bit}");
                if (block.FirstLsn != 0)
                {
                    Assert.Equal(block.FirstLsn, damage.FirstMissingLsn);
                    checkLast(block, damage);
                }

                Assert.Equal((damage.Segment, damage.Offset, stopsAt), (stop?.Segment, stop?.Offset, stop?.FirstMissingLsn));
                Assert.True(all.TakeWhile(lsn => lsn < stopsAt).SequenceEqual(before), $"bit {bit}");
            }
        }

        log.Tamper(segment, _ => original);
        Assert.True((await log.VerifyAsync()).Clean);
    }

    private static byte[] Flip(byte[] original, int bit)
    {
        var bytes = original.ToArray();
        bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        return bytes;
    }
}
