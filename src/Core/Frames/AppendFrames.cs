using System.Buffers;
using System.Buffers.Binary;
using Baton.Core.Api;
using Baton.Core.Wal;

namespace Baton.Core.Frames;

/// <summary>The binary form of an append, for those to whom base64 costs too much: docs/frames.md.</summary>
public static class AppendFrames
{
    /// <summary>The content type of this form.</summary>
    public const string MediaType = "application/x-baton-frames";

    /// <summary>The version that this code writes, and the only one that it reads.</summary>
    public const byte Version = 1;

    /// <summary>The shortest body: magic, version, flags, a count of 0, CRC.</summary>
    public const int MinSizeBytes = 4 + sizeof(uint);

    private const byte Magic = 0xBF;

    /// <summary>The shortest message: its flags and an empty payload's length.</summary>
    private const int MinMessageSizeBytes = 2;

    [Flags]
    private enum HeadFields : byte
    {
        None = 0,
        Producer = 1,
        All = Producer,
    }

    [Flags]
    private enum MessageFields : byte
    {
        None = 0,
        VChannel = 1,
        Key = 1 << 1,
        All = VChannel | Key,
    }

    /// <summary>Bytes of <paramref name="request"/> in this form.</summary>
    /// <exception cref="ArgumentException">A payload is missing, a text is no valid Unicode, or a sequence is negative.</exception>
    public static int Size(AppendRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var size = MinSizeBytes - 1 + WireWriter.VarintSize((ulong)request.Messages.Count);
        if (request.Producer is { } producer)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(producer.Sequence, nameof(request));
            size += WireWriter.TextSize(producer.Id) + WireWriter.VarintSize((ulong)producer.Sequence);
        }

        for (var i = 0; i < request.Messages.Count; i++)
        {
            var message = request.Messages[i];
            var payload = message.Payload ?? throw new ArgumentException($"messages[{i}] has no payload.", nameof(request));
            size = checked(size + 1 + WireWriter.BytesSize(payload.Length)
                + (message.VChannel is null ? 0 : WireWriter.TextSize(message.VChannel))
                + (message.Key is null ? 0 : WireWriter.TextSize(message.Key)));
        }

        return size;
    }

    /// <summary>The body that says <paramref name="request"/>.</summary>
    /// <exception cref="ArgumentException">As <see cref="Size"/>.</exception>
    public static byte[] Encode(AppendRequest request)
    {
        var body = new byte[Size(request)];
        Write(body, request);
        return body;
    }

    /// <summary>Adds the body that says <paramref name="request"/> to <paramref name="output"/>.</summary>
    /// <exception cref="ArgumentException">As <see cref="Size"/>.</exception>
    public static void Encode(AppendRequest request, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var size = Size(request);
        Write(output.GetSpan(size)[..size], request);
        output.Advance(size);
    }

    /// <summary>Reads a body. Payloads are slices of <paramref name="body"/>, not copies: they last as long as it does.</summary>
    /// <param name="body">Exactly one body.</param>
    /// <param name="maxMessages">More messages are refused before anything is made for them.</param>
    /// <exception cref="WalFormatException">It is not one whole, undamaged body.</exception>
    public static AppendRequest Decode(ReadOnlyMemory<byte> body, int maxMessages)
    {
        if (body.Length < MinSizeBytes)
        {
            throw new WalFormatException(body.Length, $"{body.Length} bytes are here, the shortest body has {MinSizeBytes}");
        }

        var reader = new WireReader(body.Span[..^sizeof(uint)], 0);
        CheckForm(ref reader);
        CheckSum(body.Span);
        var fields = (HeadFields)reader.Byte("flags");
        if ((fields & ~HeadFields.All) != HeadFields.None)
        {
            throw new WalFormatException(reader.Offset - 1, $"flags {(byte)fields:X2} name unknown fields");
        }

        var producer = (fields & HeadFields.Producer) != HeadFields.None ? ReadProducer(ref reader) : null;
        var messages = new MessageBody[ReadCount(ref reader, maxMessages)];
        for (var i = 0; i < messages.Length; i++)
        {
            messages[i] = ReadMessage(ref reader, body);
        }

        return reader.Left == 0 ? new AppendRequest(messages, producer) : throw reader.Wrong($"{reader.Left} bytes follow the last message");
    }

    private static void CheckForm(ref WireReader reader)
    {
        var magic = reader.Byte("magic");
        if (magic != Magic)
        {
            throw new WalFormatException(0, $"the first byte is {magic:X2}, not {Magic:X2}");
        }

        var version = reader.Byte("version");
        if (version != Version)
        {
            throw new WalFormatException(1, $"version {version} is not {Version}, the one that is read here");
        }
    }

    // Before anything else is believed: a body that was cut or damaged on its way says so, and not that its sender made a mistake.
    private static void CheckSum(ReadOnlySpan<byte> body)
    {
        var at = body.Length - sizeof(uint);
        var (said, actual) = (BinaryPrimitives.ReadUInt32LittleEndian(body[at..]), Crc32C.Compute(body[..at]));
        if (said != actual)
        {
            throw new WalFormatException(at, $"CRC is {actual:X8}, the body says {said:X8}: it was cut or damaged, or its sender counts otherwise");
        }
    }

    private static ProducerStamp ReadProducer(ref WireReader reader)
    {
        var id = reader.Text("producer id");
        var at = reader.Offset;
        var sequence = reader.Varint("producer sequence");
        return sequence <= long.MaxValue ? new ProducerStamp(id, (long)sequence) : throw new WalFormatException(at, $"producer sequence {sequence} is above {long.MaxValue}");
    }

    private static int ReadCount(ref WireReader reader, int maxMessages)
    {
        var at = reader.Offset;
        var count = reader.Varint("message count");
        if (count > (ulong)maxMessages)
        {
            throw new WalFormatException(at, $"messages: at most {maxMessages} in one request, got {count}");
        }

        return count <= (ulong)(reader.Left / MinMessageSizeBytes)
            ? (int)count
            : throw new WalFormatException(at, $"{count} messages cannot be in the {reader.Left} bytes that are left");
    }

    private static MessageBody ReadMessage(ref WireReader reader, ReadOnlyMemory<byte> body)
    {
        var fields = (MessageFields)reader.Byte("message flags");
        if ((fields & ~MessageFields.All) != MessageFields.None)
        {
            throw new WalFormatException(reader.Offset - 1, $"message flags {(byte)fields:X2} name unknown fields");
        }

        var vchannel = (fields & MessageFields.VChannel) != MessageFields.None ? reader.Text("vchannel") : null;
        var key = (fields & MessageFields.Key) != MessageFields.None ? reader.Text("key") : null;
        var length = reader.Bytes("payload").Length;
        return new MessageBody(body.Slice(reader.Position - length, length), vchannel, key);
    }

    private static void Write(Span<byte> target, AppendRequest request)
    {
        var writer = new WireWriter(target);
        writer.Byte(Magic);
        writer.Byte(Version);
        writer.Byte((byte)(request.Producer is null ? HeadFields.None : HeadFields.Producer));
        if (request.Producer is { } producer)
        {
            writer.Text(producer.Id);
            writer.Varint((ulong)producer.Sequence);
        }

        writer.Varint((ulong)request.Messages.Count);
        for (var i = 0; i < request.Messages.Count; i++)
        {
            WriteMessage(ref writer, request.Messages[i]);
        }

        writer.UInt32(Crc32C.Compute(target[..writer.Written]));
    }

    private static void WriteMessage(ref WireWriter writer, MessageBody message)
    {
        writer.Byte((byte)((message.VChannel is null ? MessageFields.None : MessageFields.VChannel) | (message.Key is null ? MessageFields.None : MessageFields.Key)));
        if (message.VChannel is not null)
        {
            writer.Text(message.VChannel);
        }

        if (message.Key is not null)
        {
            writer.Text(message.Key);
        }

        writer.Bytes(message.Payload!.Value.Span);
    }
}
