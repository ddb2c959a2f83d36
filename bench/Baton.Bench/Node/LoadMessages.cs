using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Frames;
using Baton.Core.Wal;

namespace Baton.Bench.Node;

/// <summary>What one producer sends: each message says who sent it, in which write and at which place in it.</summary>
internal sealed class LoadMessages
{
    public const int MessageBytes = 1024;
    private const int StampBytes = 16;
    private static readonly byte[] Filling = [.. Enumerable.Range(0, MessageBytes - StampBytes).Select(i => (byte)(i * 7))];

    private readonly int _producer;
    private readonly byte[] _payloads;
    private readonly MessageBody[] _messages;
    private readonly ArrayBufferWriter<byte> _body = new();

    public LoadMessages(int producer, int batch)
    {
        _producer = producer;
        _payloads = new byte[batch * MessageBytes];
        _messages = new MessageBody[batch];
        for (var i = 0; i < batch; i++)
        {
            Filling.CopyTo(_payloads, (i * MessageBytes) + StampBytes);
            _messages[i] = new MessageBody(_payloads.AsMemory(i * MessageBytes, MessageBytes));
        }
    }

    public static string ProducerId(int producer) => string.Create(CultureInfo.InvariantCulture, $"producer-{producer}");

    /// <summary>The body of a write; good until the next is asked for.</summary>
    public ReadOnlyMemory<byte> Body(long sequence)
    {
        for (var i = 0; i < _messages.Length; i++)
        {
            var stamp = _payloads.AsSpan(i * MessageBytes, StampBytes);
            BinaryPrimitives.WriteInt32LittleEndian(stamp, _producer);
            BinaryPrimitives.WriteInt64LittleEndian(stamp[4..], sequence);
            BinaryPrimitives.WriteInt32LittleEndian(stamp[12..], i);
        }

        _body.ResetWrittenCount();
        AppendFrames.Encode(new AppendRequest(_messages, new ProducerStamp(ProducerId(_producer), sequence)), _body);
        return _body.WrittenMemory;
    }

    /// <summary>Who wrote a record, in which write, at which place in it; null where it is not one of these messages as it was sent.</summary>
    public static (int Producer, long Sequence, int Index)? Stamp(WalRecord record)
    {
        var payload = record.Payload.Span;
        if (record.Type != WalRecordType.Message || payload.Length != MessageBytes || !payload[StampBytes..].SequenceEqual(Filling))
        {
            return null;
        }

        var (producer, sequence) = (BinaryPrimitives.ReadInt32LittleEndian(payload), BinaryPrimitives.ReadInt64LittleEndian(payload[4..]));
        return record.ProducerId == ProducerId(producer) && record.ProducerSequence == sequence
            ? (producer, sequence, BinaryPrimitives.ReadInt32LittleEndian(payload[12..]))
            : null;
    }
}
