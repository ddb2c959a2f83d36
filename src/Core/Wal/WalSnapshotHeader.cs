namespace Baton.Core.Wal;

/// <summary>The first block of a snapshot: docs/wal-format.md, "Snapshot header".</summary>
/// <param name="Channel">The channel it is of.</param>
/// <param name="Term">The term of its writer.</param>
/// <param name="Lsn">The last LSN that it covers.</param>
/// <param name="ContentLength">Bytes of the content, without its framing.</param>
public sealed record WalSnapshotHeader(string Channel, long Term, long Lsn, long ContentLength)
{
    /// <summary>The version that this code writes, and the only one that it reads.</summary>
    public const ushort FormatVersion = 1;

    /// <summary>Bytes at the start that say how long the header is.</summary>
    public const int PrefixSizeBytes = 12;

    /// <summary>No header is longer.</summary>
    public const int MaxSizeBytes = FixedSizeBytes + MaxChannelSizeBytes;

    private const int FixedSizeBytes = PrefixSizeBytes + (3 * sizeof(long)) + sizeof(uint);
    private const int MaxChannelSizeBytes = 1024;

    private static ReadOnlySpan<byte> Magic => "BATONSNP"u8;

    /// <summary>The header as bytes.</summary>
    public byte[] Encode()
    {
        var channelSize = WireWriter.TextSize(Channel);
        if (channelSize > MaxChannelSizeBytes)
        {
            throw new InvalidOperationException($"A channel's name has at most {MaxChannelSizeBytes} bytes, not {channelSize}.");
        }

        var bytes = new byte[FixedSizeBytes + channelSize];
        var writer = new WireWriter(bytes);
        writer.Raw(Magic);
        writer.UInt16(FormatVersion);
        writer.UInt16((ushort)bytes.Length);
        writer.Int64(Term);
        writer.Int64(Lsn);
        writer.Int64(ContentLength);
        writer.Text(Channel);
        writer.UInt32(Crc32C.Compute(bytes.AsSpan(0, writer.Written)));
        return bytes;
    }

    /// <summary>Bytes of the whole header that begins with <paramref name="start"/>, of which <see cref="PrefixSizeBytes"/> are enough.</summary>
    /// <exception cref="WalFormatException">It is no snapshot, or one of another format version.</exception>
    public static int SizeOf(ReadOnlySpan<byte> start)
    {
        var reader = new WireReader(start, 0);
        if (!reader.Take(Magic.Length, "magic").SequenceEqual(Magic))
        {
            throw new WalFormatException(0, "this is no snapshot: it does not begin with BATONSNP");
        }

        var version = reader.UInt16("format version");
        if (version != FormatVersion)
        {
            throw new WalFormatException(8, $"format version {version} is not {FormatVersion}, the one that is read here");
        }

        var size = reader.UInt16("header length");
        return size is > FixedSizeBytes and <= MaxSizeBytes
            ? size
            : throw new WalFormatException(10, $"header length {size} is outside {FixedSizeBytes + 1} to {MaxSizeBytes}");
    }

    /// <summary>Decodes exactly one header.</summary>
    /// <exception cref="WalFormatException">It is not one whole, undamaged header.</exception>
    public static WalSnapshotHeader Decode(ReadOnlySpan<byte> header)
    {
        var size = SizeOf(header);
        if (size != header.Length)
        {
            throw new WalFormatException(10, $"header is {size} bytes long, {header.Length} are here");
        }

        var checksum = new WireReader(header[^sizeof(uint)..], size - sizeof(uint)).UInt32("CRC");
        var actual = Crc32C.Compute(header[..^sizeof(uint)]);
        if (checksum != actual)
        {
            throw new WalFormatException(size - sizeof(uint), $"CRC is {actual:X8}, the header says {checksum:X8}");
        }

        var reader = new WireReader(header[PrefixSizeBytes..^sizeof(uint)], PrefixSizeBytes);
        var term = reader.Int64("term");
        var lsn = reader.Int64("LSN");
        var contentLength = reader.Int64("content length");
        if (contentLength is < 0 or > WalSnapshotCodec.MaxContentSizeBytes)
        {
            throw new WalFormatException(28, $"content length {contentLength} is outside 0 to {WalSnapshotCodec.MaxContentSizeBytes}");
        }

        var channel = reader.Text("channel");
        return reader.Left == 0 ? new WalSnapshotHeader(channel, term, lsn, contentLength) : throw reader.Wrong($"{reader.Left} bytes follow the channel");
    }
}
