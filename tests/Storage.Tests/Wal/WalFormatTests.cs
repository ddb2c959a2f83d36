using System.Buffers.Binary;
using System.Text;
using Baton.Core.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>The bytes of docs/wal-format.md.</summary>
public sealed class WalFormatTests
{
    private const long Tick = 1838315771005955;
    private static readonly byte[] Golden = ReadGolden();
    private static readonly byte[] GoldenHeader = Golden[..49];
    private static readonly byte[] GoldenBatch = Golden[49..];

    private static readonly WalSegmentHeader Header = new("orders-1", 7, 41, new DateTimeOffset(2026, 11, 21, 3, 4, 5, 123, TimeSpan.Zero));

    private static readonly WalRecord[] Records =
    [
        new() { Type = WalRecordType.Message, TimeTick = Tick, VChannel = "orders-1_v0", Key = "k", Payload = "hé"u8.ToArray() },
        new()
        {
            Type = WalRecordType.TxnCommit,
            TimeTick = Tick + 1,
            VChannel = "v",
            TxnId = 300,
            KeepaliveMs = 10_000,
            TxnBeginLsn = 40,
            BroadcastId = 9,
            Source = new SourcePosition("c1", "ch1", 1L << 35, 0),
            ProducerId = "p",
            ProducerSequence = -1,
            Key = "",
        },
        new() { Type = WalRecordType.TimeTick, TimeTick = Tick + 2 },
    ];

    [Fact]
    public void The_golden_segment_decodes_to_what_its_comments_say()
    {
        var header = WalSegmentHeader.Decode(GoldenHeader);
        var batch = WalBatchCodec.Decode(GoldenBatch);

        Assert.Equal(Header, header);
        Assert.Equal((41, 43), (batch.FirstLsn, batch.LastLsn));
        Same(Records, batch.Records);
        Assert.Equal(GoldenHeader.Length, WalSegmentHeader.SizeOf(GoldenHeader.AsSpan(0, WalSegmentHeader.PrefixSizeBytes)));
        Assert.Equal(GoldenBatch.Length, WalBatchCodec.SizeOf(GoldenBatch.AsSpan(0, 4)));
    }

    [Fact]
    public void The_golden_segment_is_what_is_encoded()
    {
        Assert.Equal(Convert.ToHexString(GoldenHeader), Convert.ToHexString(Header.Encode()));
        Assert.Equal(Convert.ToHexString(GoldenBatch), Convert.ToHexString(WalBatchCodec.Encode(41, Records)));
    }

    [Fact]
    public void The_checksum_is_the_one_of_its_published_check_value() => Assert.Equal(0xE306_9283u, Crc32C.Compute("123456789"u8));

    [Fact]
    public void Every_truncation_is_named_as_a_format_error()
    {
        for (var length = 0; length < GoldenBatch.Length; length++)
        {
            Assert.Throws<WalFormatException>(() => WalBatchCodec.Decode(GoldenBatch.AsMemory(0, length)));
        }

        for (var length = 0; length < GoldenHeader.Length; length++)
        {
            Assert.Throws<WalFormatException>(() => WalSegmentHeader.Decode(GoldenHeader.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Every_single_flipped_bit_is_found()
    {
        for (var bit = 0; bit < GoldenBatch.Length * 8; bit++)
        {
            var damaged = (byte[])GoldenBatch.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<WalFormatException>(() => WalBatchCodec.Decode(damaged));
        }

        for (var bit = 0; bit < GoldenHeader.Length * 8; bit++)
        {
            var damaged = (byte[])GoldenHeader.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<WalFormatException>(() => WalSegmentHeader.Decode(damaged));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Garbage_behind_a_right_checksum_is_refused_or_decodes_to_what_encodes_the_same(int seed)
    {
        var random = new Random(seed);
        var (accepted, refused) = (0, 0);
        for (var round = 0; round < 20_000; round++)
        {
            var damaged = Damage(random);
            Sign(damaged);
            try
            {
                var batch = WalBatchCodec.Decode(damaged);
                Assert.Equal(Convert.ToHexString(damaged), Convert.ToHexString(WalBatchCodec.Encode(batch.FirstLsn, batch.Records)));
                accepted++;
            }
            catch (WalFormatException failure)
            {
                Assert.InRange(failure.Offset, 0, damaged.Length);
                refused++;
            }
        }

        Assert.True(accepted > 100 && refused > 100, $"{accepted} accepted, {refused} refused");
    }

    [Fact]
    public void A_header_of_another_version_is_named()
    {
        var other = (byte[])GoldenHeader.Clone();
        other[8] = 2;

        var failure = Assert.Throws<WalFormatException>(() => WalSegmentHeader.Decode(other));

        Assert.Contains("format version 2", failure.Message, StringComparison.Ordinal);
        Assert.Equal(8, failure.Offset);
    }

    [Fact]
    public void A_length_of_gigabytes_asks_for_no_memory()
    {
        var start = new byte[] { 0xFF, 0xFF, 0xFF, 0x7F };

        Assert.Throws<WalFormatException>(() => WalBatchCodec.SizeOf(start));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void Random_records_survive(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 300; round++)
        {
            var records = Enumerable.Range(0, random.Next(1, 20)).Select(_ => RandomRecord(random)).ToArray();
            var batch = WalBatchCodec.Decode(WalBatchCodec.Encode(random.NextInt64(1, long.MaxValue - 100), records));
            Same(records, batch.Records);
        }
    }

    private static byte[] Damage(Random random)
    {
        var damaged = (byte[])GoldenBatch.Clone();
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            damaged[random.Next(8, damaged.Length)] = (byte)random.Next(256);
        }

        if (random.Next(4) == 0)
        {
            damaged = damaged[..random.Next(33, damaged.Length)];
            BinaryPrimitives.WriteUInt32LittleEndian(damaged, (uint)(damaged.Length - 8));
        }

        return damaged;
    }

    private static void Sign(byte[] batch) => BinaryPrimitives.WriteUInt32LittleEndian(batch.AsSpan(4), Crc32C.Compute([.. batch.AsSpan(0, 4), .. batch.AsSpan(8)]));

    private static WalRecord RandomRecord(Random random) => new()
    {
        Type = (WalRecordType)random.Next(1, 9),
        TimeTick = random.NextInt64(long.MinValue, long.MaxValue),
        VChannel = RandomText(random),
        TxnId = RandomNumber(random),
        KeepaliveMs = RandomNumber(random),
        TxnBeginLsn = RandomNumber(random),
        BroadcastId = RandomNumber(random),
        Source = random.Next(2) == 0 ? null : new SourcePosition(RandomText(random) ?? "", RandomText(random) ?? "", RandomNumber(random), RandomNumber(random)),
        ProducerId = RandomText(random),
        ProducerSequence = RandomNumber(random),
        Key = RandomText(random),
        Payload = RandomBytes(random),
    };

    private static long RandomNumber(Random random) => random.Next(4) switch
    {
        0 => 0,
        1 => random.Next(),
        2 => -random.NextInt64(),
        _ => random.NextInt64(),
    };

    private static string? RandomText(Random random) => random.Next(3) == 0 ? null : string.Concat(Enumerable.Range(0, random.Next(200)).Select(_ => RandomRune(random).ToString()));

    private static Rune RandomRune(Random random) => new(random.Next(2) == 0 ? random.Next(0x80) : random.Next(0x1F300, 0x1F5FF));

    private static byte[] RandomBytes(Random random)
    {
        var bytes = new byte[random.Next(4) == 0 ? random.Next(100_000) : random.Next(40)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static void Same(IReadOnlyList<WalRecord> expected, IReadOnlyList<WalRecord> actual)
    {
        Assert.Equal(expected.Select(r => r with { Payload = default }).ToList(), actual.Select(r => r with { Payload = default }).ToList());
        Assert.All(expected.Zip(actual), pair => Assert.True(pair.First.Payload.Span.SequenceEqual(pair.Second.Payload.Span)));
    }

    private static byte[] ReadGolden()
    {
        using var stream = typeof(WalFormatTests).Assembly.GetManifestResourceStream("segment-v1.hex")!;
        using var reader = new StreamReader(stream);
        var lines = reader.ReadToEnd().Split('\n').Select(line => line.Split('#')[0].Replace(" ", "", StringComparison.Ordinal).Trim());
        return Convert.FromHexString(string.Concat(lines));
    }
}
