using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Storage.Replicas;

/// <summary>Where in one file batches begin, sparsely, and, once the file is finished, where it ends. As bytes: docs/wal-format.md, "Replica index".</summary>
/// <remarks>Only a memory: it is written when its file is finished, never forced to the disk, and made anew by reading the file when it is missing or wrong.</remarks>
internal sealed class ReplicaIndex(IReadOnlyList<WalSegmentPlace> places, long lastLsn, long lengthBytes)
{
    /// <summary>A batch that begins this many bytes behind the last place, or more, gets one.</summary>
    public const long SpacingBytes = 64 * 1024;

    private const ushort FormatVersion = 1;
    private const int HeaderSizeBytes = 46;
    private const int PlaceSizeBytes = 2 * sizeof(long);

    /// <summary>Places in ascending order; the first is the file's first batch.</summary>
    public IReadOnlyList<WalSegmentPlace> Places { get; } = places;

    /// <summary>LSN of the file's last record.</summary>
    public long LastLsn { get; } = lastLsn;

    /// <summary>Bytes of the file.</summary>
    public long LengthBytes { get; } = lengthBytes;

    private static ReadOnlySpan<byte> Magic => "BATONIDX"u8;

    /// <summary>The last place at or before <paramref name="lsn"/>.</summary>
    public static WalSegmentPlace Find(IReadOnlyList<WalSegmentPlace> places, long lsn)
    {
        var (low, high) = (0, places.Count);
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            (low, high) = places[middle].Lsn <= lsn ? (middle, high) : (low, middle);
        }

        return places[low];
    }

    /// <summary>The index as bytes.</summary>
    public byte[] Encode(long term, long firstLsn)
    {
        var bytes = new byte[HeaderSizeBytes + (Places.Count * PlaceSizeBytes) + sizeof(uint)];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(8), FormatVersion);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(10), (uint)Places.Count);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(14), term);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(22), firstLsn);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(30), LastLsn);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(38), LengthBytes);
        for (var i = 0; i < Places.Count; i++)
        {
            var at = HeaderSizeBytes + (i * PlaceSizeBytes);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(at), Places[i].Lsn);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(at + sizeof(long)), Places[i].Offset);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(bytes.Length - sizeof(uint)), Crc32C.Compute(bytes.AsSpan(0, bytes.Length - sizeof(uint))));
        return bytes;
    }

    /// <summary>The index of the file of that term and first LSN, or false when it is not one whole, undamaged one of it.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, long term, long firstLsn, [NotNullWhen(true)] out ReplicaIndex? index)
    {
        index = null;
        if (bytes.Length < HeaderSizeBytes + PlaceSizeBytes + sizeof(uint)
            || !bytes.StartsWith(Magic)
            || BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]) != FormatVersion
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[^sizeof(uint)..]) != Crc32C.Compute(bytes[..^sizeof(uint)])
            || BinaryPrimitives.ReadInt64LittleEndian(bytes[14..]) != term
            || BinaryPrimitives.ReadInt64LittleEndian(bytes[22..]) != firstLsn)
        {
            return false;
        }

        var count = BinaryPrimitives.ReadUInt32LittleEndian(bytes[10..]);
        if (bytes.Length != HeaderSizeBytes + ((long)count * PlaceSizeBytes) + sizeof(uint))
        {
            return false;
        }

        var places = new WalSegmentPlace[count];
        for (var i = 0; i < places.Length; i++)
        {
            var entry = bytes[(HeaderSizeBytes + (i * PlaceSizeBytes))..];
            places[i] = new WalSegmentPlace(BinaryPrimitives.ReadInt64LittleEndian(entry), BinaryPrimitives.ReadInt64LittleEndian(entry[sizeof(long)..]));
        }

        index = new ReplicaIndex(places, BinaryPrimitives.ReadInt64LittleEndian(bytes[30..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[38..]));
        return true;
    }
}
