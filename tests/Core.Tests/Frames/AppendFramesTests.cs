using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Frames;
using Baton.Core.Wal;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Frames;

/// <summary>The bytes of docs/frames.md.</summary>
public sealed class AppendFramesTests
{
    private const int MaxMessages = 1_000;

    private static readonly AppendRequest Example = new(
        [new MessageBody("hé"u8.ToArray(), "orders-1_v0", "k"), new MessageBody([])],
        new ProducerStamp("p1", 300));

    private static readonly byte[] Golden = ReadGolden();

    [Fact]
    public void The_documented_example_decodes_to_what_it_says()
    {
        Assert.Equal(34, Golden.Length);
        Assert.Equal(Text(Example), Text(AppendFrames.Decode(Golden, MaxMessages)));
        Assert.Contains($"In JSON: `{Text(Example)}`", ReadDocument(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_documented_example_is_what_is_encoded()
    {
        Assert.Equal(Convert.ToHexString(Golden), Convert.ToHexString(AppendFrames.Encode(Example)));
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write("before"u8);
        AppendFrames.Encode(Example, buffer);
        Assert.Equal(Convert.ToHexString(Golden), Convert.ToHexString(buffer.WrittenSpan["before".Length..]));
    }

    [Fact]
    public void Payloads_are_parts_of_the_body_and_not_copies()
    {
        var body = (byte[])Golden.Clone();
        var decoded = AppendFrames.Decode(body, MaxMessages);
        Assert.True(body.AsSpan().Overlaps(decoded.Messages[0].Payload!.Value.Span));
    }

    [Fact]
    public void Any_append_comes_back_as_it_was() => Prop.ForAll(Requests(), request =>
    {
        var body = AppendFrames.Encode(request);
        Assert.Equal(AppendFrames.Size(request), body.Length);
        Assert.Equal(Text(request), Text(AppendFrames.Decode(body, MaxMessages)));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_body_cut_short_is_refused() => Prop.ForAll(Requests(), request =>
    {
        var body = AppendFrames.Encode(request);
        for (var length = 0; length < body.Length; length++)
        {
            Refused(body.AsMemory(0, length));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_body_that_goes_on_is_refused()
    {
        for (var more = 1; more < 10; more++)
        {
            Refused((byte[])[.. Golden, .. new byte[more]]);
            Refused(Signed([.. Golden[..^4], .. new byte[more]]));
        }
    }

    [Fact]
    public void Every_single_flipped_bit_is_found()
    {
        for (var bit = 0; bit < Golden.Length * 8; bit++)
        {
            var damaged = (byte[])Golden.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Refused(damaged);
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
            var garbage = Signed(Garbage(random));
            try
            {
                var request = AppendFrames.Decode(garbage, MaxMessages);
                Assert.Equal(Convert.ToHexString(garbage), Convert.ToHexString(AppendFrames.Encode(request)));
                accepted++;
            }
            catch (WalFormatException failure)
            {
                Assert.InRange(failure.Offset, 0, garbage.Length);
                refused++;
            }
        }

        Assert.True(accepted > 100 && refused > 100, $"{accepted} accepted, {refused} refused");
    }

    [Theory]
    [InlineData("BF 01 00 FF FF FF FF FF FF FF FF 7F", "messages: at most 1000 in one request, got 9223372036854775807 (at byte 3)")]
    [InlineData("BF 01 00 E8 07 00 00", "1000 messages cannot be in the 2 bytes that are left (at byte 3)")]
    [InlineData("BF 01 00 01 00 FF FF FF FF 07", "payload claims 2147483647 bytes where 0 are left (at byte 5)")]
    [InlineData("BF 01 00 01 01 FF FF FF FF 07 00", "vchannel claims 2147483647 bytes where 1 are left (at byte 5)")]
    [InlineData("BF 01 00 01 02 02 C3 28 00", "key is not UTF-8 (at byte 5)")]
    [InlineData("BF 01 01 01 70 FF FF FF FF FF FF FF FF FF 01 00", "producer sequence 18446744073709551615 is above 9223372036854775807 (at byte 5)")]
    [InlineData("BF 01 02 00", "flags 02 name unknown fields (at byte 2)")]
    [InlineData("BF 01 00 01 04 00", "message flags 04 name unknown fields (at byte 4)")]
    [InlineData("BF 01 00 81 00 00 00", "message count is a varint longer than it needs to be (at byte 3)")]
    [InlineData("BF 01 00 00 07", "1 bytes follow the last message (at byte 4)")]
    [InlineData("BF 02 00 00", "version 2 is not 1, the one that is read here (at byte 1)")]
    [InlineData("7B 7D 00 00", "the first byte is 7B, not BF (at byte 0)")]
    public void What_is_wrong_is_named_with_its_place_and_asks_for_no_memory(string start, string expected)
    {
        var body = Signed(Convert.FromHexString(start.Replace(" ", "", StringComparison.Ordinal)));
        _ = Assert.Throws<WalFormatException>(() => AppendFrames.Decode(body, MaxMessages));
        var before = GC.GetAllocatedBytesForCurrentThread();
        var failure = Assert.Throws<WalFormatException>(() => AppendFrames.Decode(body, MaxMessages));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
        Assert.Equal(expected, failure.Message);
    }

    [Fact]
    public void A_wrong_checksum_is_named_with_its_place()
    {
        var body = (byte[])Golden.Clone();
        body[^1] ^= 1;
        Assert.StartsWith("CRC is EC588DE1, the body says ED588DE1", Assert.Throws<WalFormatException>(() => AppendFrames.Decode(body, MaxMessages)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_read_back_is_not_encoded()
    {
        Assert.Throws<ArgumentException>(() => AppendFrames.Encode(new AppendRequest([new MessageBody((ReadOnlyMemory<byte>?)null)])));
        Assert.ThrowsAny<ArgumentException>(() => AppendFrames.Encode(new AppendRequest([new MessageBody([1], "\ud800")])));
        Assert.ThrowsAny<ArgumentException>(() => AppendFrames.Encode(new AppendRequest([], new ProducerStamp("p", -1))));
    }

    private static void Refused(ReadOnlyMemory<byte> body) => Assert.Throws<WalFormatException>(() => AppendFrames.Decode(body, MaxMessages));

    private static string Text(AppendRequest request) => JsonSerializer.Serialize(request, BatonJson.Options);

    private static Arbitrary<AppendRequest> Requests()
    {
        var text = Gen.Elements("", "a", "k", "orders-1_v0", "hé", "字", "\ud83d\ude00", new string('x', 200));
        var maybe = Gen.OneOf(Gen.Constant<string?>(null), text.Select(t => (string?)t));
        var payload = Gen.Elements(0, 1, 2, 127, 128, 300).SelectMany(length => Gen.Choose(0, 255).ArrayOf(length)).Select(bytes => bytes.Select(b => (byte)b).ToArray());
        var message = maybe.SelectMany(vchannel => maybe.SelectMany(key => payload.Select(p => new MessageBody(p, vchannel, key))));
        var producer = Gen.OneOf(
            Gen.Constant<ProducerStamp?>(null),
            text.SelectMany(id => Gen.Elements(0L, 1, 127, 128, long.MaxValue).Select(sequence => (ProducerStamp?)new ProducerStamp(id, sequence))));
        return Arb.From(Gen.Choose(0, 5).SelectMany(count => message.ArrayOf(count)).SelectMany(messages => producer.Select(p => new AppendRequest(messages, p))));
    }

    // The example with a few bytes changed, cut out or put in, or nothing but noise; without a checksum.
    private static byte[] Garbage(Random random)
    {
        if (random.Next(4) == 0)
        {
            var noise = new byte[random.Next(40)];
            random.NextBytes(noise);
            return [0xBF, 0x01, .. noise];
        }

        var bytes = Golden[..^4].ToList();
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var at = random.Next(3, bytes.Count);
            switch (random.Next(3))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1 when bytes.Count > 8:
                    bytes.RemoveAt(at);
                    break;
                default:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
            }
        }

        return [.. bytes];
    }

    private static byte[] Signed(byte[] start)
    {
        var body = new byte[start.Length + 4];
        start.CopyTo(body, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(start.Length), Crc32C.Compute(start));
        return body;
    }

    private static byte[] ReadGolden()
    {
        var block = ReadDocument().Split("```hex\n")[1].Split("```")[0];
        return Convert.FromHexString(string.Concat(block.Split('\n').Select(line => line.Split('#')[0].Replace(" ", "", StringComparison.Ordinal).Trim())));
    }

    private static string ReadDocument()
    {
        using var reader = new StreamReader(typeof(AppendFramesTests).Assembly.GetManifestResourceStream("frames.md")!, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
