using System.Buffers.Binary;

namespace Baton.Core.Wal;

/// <summary>Tells a batch of which the length field alone is damaged: its records say how long it is, and its CRC says whether that is true.</summary>
public static class WalBatchLength
{
    /// <summary>Adds up the records that begin behind the header of the batch <paramref name="start"/> begins with.</summary>
    /// <param name="start">The batch's first bytes.</param>
    /// <param name="size">Bytes of the whole batch when this returns true; else how many must be at hand to find out more, or 0 when no batch looks like this.</param>
    public static bool TryMeasure(ReadOnlySpan<byte> start, out int size)
    {
        size = WalBatchCodec.HeaderSizeBytes;
        if (start.Length < size)
        {
            return false;
        }

        var count = BinaryPrimitives.ReadUInt32LittleEndian(start[16..]);
        var at = (long)size;
        for (var i = 0L; i < count; i++)
        {
            if (!TryReadLength(start, ref at, out var length) || (at += length) > WalBatchCodec.MaxSizeBytes)
            {
                size = at < start.Length || at >= WalBatchCodec.MaxSizeBytes ? 0 : (int)at + 1;
                return false;
            }
        }

        size = (int)at;
        return count > 0;
    }

    /// <summary>Whether <paramref name="batch"/> is undamaged but for its length field.</summary>
    public static bool VerifiesWithout(ReadOnlySpan<byte> batch)
    {
        Span<byte> length = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)(batch.Length - WalBatchCodec.PrefixSizeBytes));
        return WalBatchCodec.Checksum(length, batch) == BinaryPrimitives.ReadUInt32LittleEndian(batch[4..]);
    }

    // Leaves the place behind all bytes when they end before the number does.
    private static bool TryReadLength(ReadOnlySpan<byte> start, ref long at, out long length)
    {
        length = 0;
        for (var shift = 0; shift < 28; shift += 7)
        {
            if (at >= start.Length)
            {
                return false;
            }

            var next = start[(int)at++];
            length |= (long)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return true;
            }
        }

        at = 0;
        return false;
    }
}
