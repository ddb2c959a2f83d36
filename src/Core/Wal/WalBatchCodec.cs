using System.Buffers;
using System.Buffers.Binary;

namespace Baton.Core.Wal;

/// <summary>Records that were written by one call, and so are in the log all or not at all.</summary>
/// <param name="FirstLsn">LSN of the first; the others follow without a gap.</param>
/// <param name="Records">The records, at least one.</param>
public sealed record WalBatch(long FirstLsn, IReadOnlyList<WalRecord> Records)
{
    /// <summary>LSN of the last record.</summary>
    public long LastLsn => FirstLsn + Records.Count - 1;
}

/// <summary>Batches as bytes: docs/wal-format.md, "Batch".</summary>
public static class WalBatchCodec
{
    /// <summary>Bytes before the first record: length, CRC, first LSN, count.</summary>
    public const int HeaderSizeBytes = 20;

    /// <summary>No batch is longer; a length above it is garbage, not a reason to ask for memory.</summary>
    public const int MaxSizeBytes = 32 * 1024 * 1024;

    /// <summary>Bytes at the start that say how long the batch is and what its checksum is.</summary>
    public const int PrefixSizeBytes = 8;

    /// <summary>The shortest record: its length, type, flags, time tick and an empty payload's length.</summary>
    public const int MinRecordSizeBytes = 13;

    /// <summary>Bytes that <see cref="AppendRecord"/> adds to a batch.</summary>
    /// <exception cref="ArgumentException">A text in it is no valid Unicode.</exception>
    public static int RecordSize(WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return WireWriter.BytesSize(WalRecordCodec.Size(record));
    }

    /// <summary>Adds one record, with its length, to a batch that is being filled.</summary>
    /// <exception cref="ArgumentException">A text in it is no valid Unicode.</exception>
    public static void AppendRecord(IBufferWriter<byte> output, WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(record);
        var size = WalRecordCodec.Size(record);
        var total = WireWriter.BytesSize(size);
        var writer = new WireWriter(output.GetSpan(total)[..total]);
        writer.Varint((ulong)size);
        WalRecordCodec.Write(ref writer, record);
        output.Advance(total);
    }

    /// <summary>Completes a batch whose records already stand behind the room for its header.</summary>
    /// <param name="batch">The whole batch.</param>
    /// <param name="firstLsn">LSN of its first record.</param>
    /// <param name="count">How many records it has.</param>
    public static void WriteHeader(Span<byte> batch, long firstLsn, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(firstLsn, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch.Length, MaxSizeBytes, nameof(batch));
        BinaryPrimitives.WriteUInt32LittleEndian(batch, (uint)(batch.Length - PrefixSizeBytes));
        BinaryPrimitives.WriteInt64LittleEndian(batch[8..], firstLsn);
        BinaryPrimitives.WriteUInt32LittleEndian(batch[16..], (uint)count);
        BinaryPrimitives.WriteUInt32LittleEndian(batch[4..], Checksum(batch));
    }

    /// <summary>A whole batch.</summary>
    public static byte[] Encode(long firstLsn, IReadOnlyList<WalRecord> records)
    {
        ArgumentNullException.ThrowIfNull(records);
        var buffer = new ArrayBufferWriter<byte>();
        buffer.GetSpan(HeaderSizeBytes);
        buffer.Advance(HeaderSizeBytes);
        foreach (var record in records)
        {
            AppendRecord(buffer, record);
        }

        var batch = buffer.WrittenSpan.ToArray();
        WriteHeader(batch, firstLsn, records.Count);
        return batch;
    }

    /// <summary>Bytes of the whole batch that begins with <paramref name="start"/>, of which four bytes are enough.</summary>
    /// <exception cref="WalFormatException">No batch has that length.</exception>
    public static int SizeOf(ReadOnlySpan<byte> start)
    {
        var length = new WireReader(start, 0).UInt32("batch length");
        return length is >= HeaderSizeBytes - PrefixSizeBytes + MinRecordSizeBytes and <= MaxSizeBytes - PrefixSizeBytes
            ? (int)length + PrefixSizeBytes
            : throw new WalFormatException(0, $"batch length {length} is outside {HeaderSizeBytes - PrefixSizeBytes + MinRecordSizeBytes} to {MaxSizeBytes - PrefixSizeBytes}");
    }

    /// <summary>Decodes exactly one batch. Payloads are slices of <paramref name="batch"/>, not copies.</summary>
    /// <exception cref="WalFormatException">It is not one whole, undamaged batch.</exception>
    public static WalBatch Decode(ReadOnlyMemory<byte> batch)
    {
        var reader = Open(batch.Span, out var firstLsn, out var count);
        var records = new WalRecord[count];
        for (var i = 0; i < records.Length; i++)
        {
            var length = reader.Bytes("record").Length;
            records[i] = WalRecordCodec.Read(batch.Slice(reader.Position - length, length), reader.Position - length);
        }

        return reader.Left == 0 ? new WalBatch(firstLsn, records) : throw reader.Wrong($"{reader.Left} bytes follow the last record");
    }

    /// <summary>A reader at the first record of a batch whose length, CRC and count are right.</summary>
    internal static WireReader Open(ReadOnlySpan<byte> batch, out long firstLsn, out uint count)
    {
        var reader = new WireReader(batch, 0);
        var size = SizeOf(batch);
        if (size != batch.Length)
        {
            throw new WalFormatException(0, $"batch is {size} bytes long, {batch.Length} are here");
        }

        reader.Take(sizeof(uint), "batch length");
        var checksum = reader.UInt32("CRC");
        var actual = Checksum(batch);
        if (checksum != actual)
        {
            throw new WalFormatException(4, $"CRC is {actual:X8}, the batch says {checksum:X8}");
        }

        firstLsn = reader.Int64("first LSN");
        count = reader.UInt32("record count");
        return firstLsn < 1 || count < 1 || count > (uint)(reader.Left / MinRecordSizeBytes) || firstLsn > long.MaxValue - count
            ? throw new WalFormatException(8, $"first LSN {firstLsn} with {count} records cannot be in {batch.Length} bytes")
            : reader;
    }

    /// <summary>The checksum of <paramref name="batch"/> with <paramref name="length"/> for its length field: over everything but the checksum's own four bytes.</summary>
    internal static uint Checksum(ReadOnlySpan<byte> length, ReadOnlySpan<byte> batch) => Crc32C.Finish(Crc32C.Update(Crc32C.Update(Crc32C.Start, length), batch[PrefixSizeBytes..]));

    private static uint Checksum(ReadOnlySpan<byte> batch) => Checksum(batch[..sizeof(uint)], batch);
}
