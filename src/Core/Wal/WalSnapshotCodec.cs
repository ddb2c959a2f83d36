using System.Buffers.Binary;

namespace Baton.Core.Wal;

/// <summary>Snapshots as bytes: docs/wal-format.md, "Snapshot". There is no clock in them: the same snapshot is the same bytes, so that a half-written one can be gone on with.</summary>
public static class WalSnapshotCodec
{
    /// <summary>Content of every block but the last. The service takes more in one call; this bounds what a retry sends again and what a reader holds beside the content.</summary>
    public const int BlockContentSizeBytes = 4 * 1024 * 1024;

    /// <summary>No content is longer; a length above it is garbage, not a reason to ask for memory.</summary>
    public const long MaxContentSizeBytes = 1024L * 1024 * 1024;

    /// <summary>Bytes before a block's content: length, CRC.</summary>
    public const int BlockHeaderSizeBytes = 8;

    /// <summary>Bytes of the block that ends a snapshot.</summary>
    public const int EndSizeBytes = 8;

    // No block's content has that length.
    private const uint EndMarker = 0xFFFF_FFFF;

    /// <summary>The blocks of a whole snapshot, each to be written by one call.</summary>
    public static IEnumerable<byte[]> Encode(string channel, long term, long lsn, ReadOnlyMemory<byte> content)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(content.Length, MaxContentSizeBytes, nameof(content));
        return Blocks(new WalSnapshotHeader(channel, term, lsn, content.Length), content);
    }

    /// <summary>Bytes of the whole snapshot that begins with <paramref name="header"/>.</summary>
    public static long SizeOf(WalSnapshotHeader header, int headerSize)
    {
        ArgumentNullException.ThrowIfNull(header);
        var blocks = (header.ContentLength + BlockContentSizeBytes - 1) / BlockContentSizeBytes;
        return headerSize + (blocks * BlockHeaderSizeBytes) + header.ContentLength + EndSizeBytes;
    }

    /// <summary>The content of one block.</summary>
    /// <param name="block">The whole block, as long as the content's length says.</param>
    /// <param name="contentOffset">Where in the snapshot's content it belongs.</param>
    /// <param name="origin">Where in the blob the block begins, for error messages.</param>
    /// <exception cref="WalFormatException">It is not that block, undamaged.</exception>
    public static ReadOnlySpan<byte> DecodeBlock(ReadOnlySpan<byte> block, long contentOffset, int origin = 0)
    {
        var reader = new WireReader(block, origin);
        var length = reader.UInt32("block length");
        var checksum = reader.UInt32("CRC");
        if (length != (uint)reader.Left)
        {
            throw new WalFormatException(origin, $"block of content at {contentOffset} says {length} bytes where {reader.Left} belong");
        }

        var content = block[BlockHeaderSizeBytes..];
        var actual = Checksum(content, contentOffset);
        return checksum == actual ? content : throw new WalFormatException(origin + sizeof(uint), $"CRC of the block of content at {contentOffset} is {actual:X8}, the block says {checksum:X8}");
    }

    /// <summary>Checks the block that ends a snapshot.</summary>
    /// <param name="end">The block.</param>
    /// <param name="content">The whole content.</param>
    /// <param name="origin">Where in the blob the block begins, for error messages.</param>
    /// <exception cref="WalFormatException">It is another, or the content is not what was written.</exception>
    public static void CheckEnd(ReadOnlySpan<byte> end, ReadOnlySpan<byte> content, int origin = 0)
    {
        var reader = new WireReader(end, origin);
        if (reader.UInt32("end marker") != EndMarker)
        {
            throw new WalFormatException(origin, "the block that ends the snapshot is another");
        }

        var checksum = reader.UInt32("CRC");
        var actual = Crc32C.Compute(content);
        if (checksum != actual)
        {
            throw new WalFormatException(origin + sizeof(uint), $"CRC of the whole content is {actual:X8}, the snapshot says {checksum:X8}");
        }

        if (reader.Left != 0)
        {
            throw reader.Wrong("bytes follow the end of the snapshot");
        }
    }

    private static IEnumerable<byte[]> Blocks(WalSnapshotHeader header, ReadOnlyMemory<byte> content)
    {
        yield return header.Encode();
        for (var offset = 0; offset < content.Length; offset += BlockContentSizeBytes)
        {
            yield return EncodeBlock(content.Span.Slice(offset, Math.Min(BlockContentSizeBytes, content.Length - offset)), offset);
        }

        var end = new byte[EndSizeBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(end, EndMarker);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(4), Crc32C.Compute(content.Span));
        yield return end;
    }

    private static byte[] EncodeBlock(ReadOnlySpan<byte> content, long contentOffset)
    {
        var block = new byte[BlockHeaderSizeBytes + content.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(block, (uint)content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(4), Checksum(content, contentOffset));
        content.CopyTo(block.AsSpan(BlockHeaderSizeBytes));
        return block;
    }

    // With its place, so that blocks which have changed places are found, and named, one by one.
    private static uint Checksum(ReadOnlySpan<byte> content, long contentOffset)
    {
        Span<byte> place = stackalloc byte[sizeof(long) + sizeof(uint)];
        BinaryPrimitives.WriteInt64LittleEndian(place, contentOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(place[sizeof(long)..], (uint)content.Length);
        return Crc32C.Finish(Crc32C.Update(Crc32C.Update(Crc32C.Start, place), content));
    }
}
