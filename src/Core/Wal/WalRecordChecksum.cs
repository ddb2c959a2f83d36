namespace Baton.Core.Wal;

/// <summary>What tells one record from another at the same LSN, however the records around it were put into batches.</summary>
public static class WalRecordChecksum
{
    /// <summary>CRC32C of the record's bytes as docs/wal-format.md, "Record", gives them, without their length.</summary>
    /// <exception cref="ArgumentException">A text in it is no valid Unicode.</exception>
    public static uint Of(WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        const int OnStack = 512;
        var size = WalRecordCodec.Size(record);
        var bytes = size <= OnStack ? stackalloc byte[size] : new byte[size];
        var writer = new WireWriter(bytes);
        WalRecordCodec.Write(ref writer, record);
        return Crc32C.Compute(bytes);
    }
}
