namespace Baton.Core.Wal;

/// <summary>One record as bytes: docs/wal-format.md, "Record".</summary>
internal static class WalRecordCodec
{
    private const int FixedSize = sizeof(byte) + sizeof(ushort) + sizeof(long);
    private const WalRecordType LastType = WalRecordType.TimeTick;

    [Flags]
    private enum Fields : ushort
    {
        None = 0,
        VChannel = 1,
        TxnId = 1 << 1,
        KeepaliveMs = 1 << 2,
        TxnBeginLsn = 1 << 3,
        BroadcastId = 1 << 4,
        Source = 1 << 5,
        ProducerId = 1 << 6,
        ProducerSequence = 1 << 7,
        Key = 1 << 8,
        All = (1 << 9) - 1,
    }

    /// <summary>Bytes of the record without its length prefix.</summary>
    /// <exception cref="ArgumentException">A text is no valid Unicode.</exception>
    public static int Size(WalRecord record)
    {
        var size = FixedSize + WireWriter.BytesSize(record.Payload.Length);
        size += record.VChannel is null ? 0 : WireWriter.TextSize(record.VChannel);
        size += NumberSize(record.TxnId) + NumberSize(record.KeepaliveMs) + NumberSize(record.TxnBeginLsn) + NumberSize(record.BroadcastId);
        size += record.Source is null ? 0 : SourceSize(record.Source);
        size += record.ProducerId is null ? 0 : WireWriter.TextSize(record.ProducerId);
        size += NumberSize(record.ProducerSequence);
        return size + (record.Key is null ? 0 : WireWriter.TextSize(record.Key));
    }

    /// <summary>Writes the record without its length prefix.</summary>
    public static void Write(ref WireWriter writer, WalRecord record)
    {
        var fields = FieldsOf(record);
        writer.Byte((byte)record.Type);
        writer.UInt16((ushort)fields);
        writer.Int64(record.TimeTick);
        if (record.VChannel is not null)
        {
            writer.Text(record.VChannel);
        }

        Number(ref writer, record.TxnId);
        Number(ref writer, record.KeepaliveMs);
        Number(ref writer, record.TxnBeginLsn);
        Number(ref writer, record.BroadcastId);
        if (record.Source is { } source)
        {
            writer.Text(source.ClusterId);
            writer.Text(source.Channel);
            writer.Varint((ulong)source.Lsn);
            writer.Varint((ulong)source.TimeTick);
        }

        if (record.ProducerId is not null)
        {
            writer.Text(record.ProducerId);
        }

        Number(ref writer, record.ProducerSequence);
        if (record.Key is not null)
        {
            writer.Text(record.Key);
        }

        writer.Bytes(record.Payload.Span);
    }

    /// <summary>Reads a record that fills <paramref name="body"/>; its payload is a slice of it, not a copy.</summary>
    public static WalRecord Read(ReadOnlyMemory<byte> body, int origin)
    {
        var reader = new WireReader(body.Span, origin);
        var type = reader.Byte("record type");
        if (type is 0 or > (byte)LastType)
        {
            throw new WalFormatException(origin, $"record type {type} is unknown");
        }

        var fields = (Fields)reader.UInt16("record flags");
        if ((fields & ~Fields.All) != Fields.None)
        {
            throw new WalFormatException(origin + 1, $"record flags {(ushort)fields:X4} name unknown fields");
        }

        var record = new WalRecord
        {
            Type = (WalRecordType)type,
            TimeTick = reader.Int64("time tick"),
            VChannel = (fields & Fields.VChannel) != Fields.None ? reader.Text("vchannel") : null,
            TxnId = Number(ref reader, fields, Fields.TxnId, "transaction id"),
            KeepaliveMs = Number(ref reader, fields, Fields.KeepaliveMs, "keepalive"),
            TxnBeginLsn = Number(ref reader, fields, Fields.TxnBeginLsn, "LSN of the transaction's begin"),
            BroadcastId = Number(ref reader, fields, Fields.BroadcastId, "broadcast id"),
            Source = (fields & Fields.Source) != Fields.None ? ReadSource(ref reader) : null,
            ProducerId = (fields & Fields.ProducerId) != Fields.None ? reader.Text("producer id") : null,
            ProducerSequence = Number(ref reader, fields, Fields.ProducerSequence, "producer sequence"),
            Key = (fields & Fields.Key) != Fields.None ? reader.Text("key") : null,
            Payload = Payload(ref reader, body),
        };
        return reader.Left == 0 ? record : throw reader.Wrong($"{reader.Left} bytes follow the record's payload");
    }

    private static Fields FieldsOf(WalRecord record) =>
        If(record.VChannel is not null, Fields.VChannel)
        | If(record.TxnId != 0, Fields.TxnId)
        | If(record.KeepaliveMs != 0, Fields.KeepaliveMs)
        | If(record.TxnBeginLsn != 0, Fields.TxnBeginLsn)
        | If(record.BroadcastId != 0, Fields.BroadcastId)
        | If(record.Source is not null, Fields.Source)
        | If(record.ProducerId is not null, Fields.ProducerId)
        | If(record.ProducerSequence != 0, Fields.ProducerSequence)
        | If(record.Key is not null, Fields.Key);

    private static Fields If(bool set, Fields field) => set ? field : Fields.None;

    private static int NumberSize(long value) => value == 0 ? 0 : WireWriter.VarintSize((ulong)value);

    private static int SourceSize(SourcePosition source) =>
        WireWriter.TextSize(source.ClusterId) + WireWriter.TextSize(source.Channel) + WireWriter.VarintSize((ulong)source.Lsn) + WireWriter.VarintSize((ulong)source.TimeTick);

    private static void Number(ref WireWriter writer, long value)
    {
        if (value != 0)
        {
            writer.Varint((ulong)value);
        }
    }

    private static long Number(ref WireReader reader, Fields fields, Fields field, string what)
    {
        if ((fields & field) == Fields.None)
        {
            return 0;
        }

        var value = (long)reader.Varint(what);
        return value != 0 ? value : throw reader.Wrong($"{what} is flagged as present and is 0");
    }

    private static SourcePosition ReadSource(ref WireReader reader) => new(
        reader.Text("source cluster"),
        reader.Text("source channel"),
        (long)reader.Varint("source LSN"),
        (long)reader.Varint("source time tick"));

    private static ReadOnlyMemory<byte> Payload(ref WireReader reader, ReadOnlyMemory<byte> body)
    {
        var length = reader.Bytes("payload").Length;
        return body.Slice(reader.Position - length, length);
    }
}
