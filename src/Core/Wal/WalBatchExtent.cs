using System.Runtime.InteropServices;

namespace Baton.Core.Wal;

/// <summary>What a batch holds, found without building its records: enough to keep it, to cut it and to compare it.</summary>
/// <param name="FirstLsn">LSN of its first record.</param>
/// <param name="LastLsn">LSN of its last record.</param>
/// <param name="LastRecordCrc"><see cref="WalRecordChecksum"/> of its last record.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct WalBatchExtent(long FirstLsn, long LastLsn, uint LastRecordCrc)
{
    /// <summary>Checks length, CRC, count and that the records' lengths fill the batch exactly. What is in the records is not looked at: the CRC says that it is what was written.</summary>
    /// <exception cref="WalFormatException">It is not one whole, undamaged batch.</exception>
    public static WalBatchExtent Of(ReadOnlySpan<byte> batch)
    {
        var reader = WalBatchCodec.Open(batch, out var firstLsn, out var count);
        var record = ReadOnlySpan<byte>.Empty;
        for (var i = 0u; i < count; i++)
        {
            record = reader.Bytes("record");
        }

        return reader.Left == 0
            ? new WalBatchExtent(firstLsn, firstLsn + count - 1, Crc32C.Compute(record))
            : throw reader.Wrong($"{reader.Left} bytes follow the last record");
    }

    /// <summary><see cref="WalRecordChecksum"/> of one record of a batch.</summary>
    /// <exception cref="WalFormatException">It is not one whole, undamaged batch.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The batch has no such record.</exception>
    public static uint RecordCrc(ReadOnlySpan<byte> batch, long lsn)
    {
        var reader = OpenAt(batch, lsn, out _, out _);
        return Crc32C.Compute(reader.Bytes("record"));
    }

    /// <summary>The records of <paramref name="fromLsn"/> to <paramref name="throughLsn"/> as a batch of their own.</summary>
    /// <exception cref="WalFormatException">It is not one whole, undamaged batch.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The batch does not hold them.</exception>
    public static byte[] Cut(ReadOnlySpan<byte> batch, long fromLsn, long throughLsn)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(throughLsn, fromLsn);
        var reader = OpenAt(batch, fromLsn, out var firstLsn, out var count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(throughLsn, firstLsn + count - 1);
        var start = reader.Position;
        for (var lsn = fromLsn; lsn <= throughLsn; lsn++)
        {
            reader.Bytes("record");
        }

        var cut = new byte[WalBatchCodec.HeaderSizeBytes + reader.Position - start];
        batch[start..reader.Position].CopyTo(cut.AsSpan(WalBatchCodec.HeaderSizeBytes));
        WalBatchCodec.WriteHeader(cut, fromLsn, (int)(throughLsn - fromLsn + 1));
        return cut;
    }

    private static WireReader OpenAt(ReadOnlySpan<byte> batch, long lsn, out long firstLsn, out uint count)
    {
        var reader = WalBatchCodec.Open(batch, out firstLsn, out count);
        ArgumentOutOfRangeException.ThrowIfLessThan(lsn, firstLsn);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lsn, firstLsn + count - 1);
        for (var at = firstLsn; at < lsn; at++)
        {
            reader.Bytes("record");
        }

        return reader;
    }
}
