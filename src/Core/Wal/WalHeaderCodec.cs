namespace Baton.Core.Wal;

/// <summary>The form that the headers of segments and snapshots share: magic, format version, length, three numbers, channel, CRC.</summary>
internal static class WalHeaderCodec
{
    /// <summary>The version that this code writes, and the only one that it reads.</summary>
    public const ushort FormatVersion = 1;

    /// <summary>Bytes at the start that say how long the header is.</summary>
    public const int PrefixSizeBytes = 12;

    /// <summary>No header is longer.</summary>
    public const int MaxSizeBytes = FixedSizeBytes + MaxChannelSizeBytes;

    private const int FixedSizeBytes = PrefixSizeBytes + (3 * sizeof(long)) + sizeof(uint);
    private const int MaxChannelSizeBytes = 1024;

    /// <summary>The header as bytes.</summary>
    /// <exception cref="InvalidOperationException">The channel's name is too long.</exception>
    public static byte[] Encode(ReadOnlySpan<byte> magic, long first, long second, long third, string channel)
    {
        var channelSize = WireWriter.TextSize(channel);
        if (channelSize > MaxChannelSizeBytes)
        {
            throw new InvalidOperationException($"A channel's name has at most {MaxChannelSizeBytes} bytes, not {channelSize}.");
        }

        var bytes = new byte[FixedSizeBytes + channelSize];
        var writer = new WireWriter(bytes);
        writer.Raw(magic);
        writer.UInt16(FormatVersion);
        writer.UInt16((ushort)bytes.Length);
        writer.Int64(first);
        writer.Int64(second);
        writer.Int64(third);
        writer.Text(channel);
        writer.UInt32(Crc32C.Compute(bytes.AsSpan(0, writer.Written)));
        return bytes;
    }

    /// <summary>Bytes of the whole header that begins with <paramref name="start"/>, of which <see cref="PrefixSizeBytes"/> are enough.</summary>
    /// <param name="start">The first bytes.</param>
    /// <param name="magic">How it must begin.</param>
    /// <param name="otherwise">What to say when it does not.</param>
    /// <exception cref="WalFormatException">It is something else, or of another format version.</exception>
    public static int SizeOf(ReadOnlySpan<byte> start, ReadOnlySpan<byte> magic, string otherwise)
    {
        var reader = new WireReader(start, 0);
        if (!reader.Take(magic.Length, "magic").SequenceEqual(magic))
        {
            throw new WalFormatException(0, otherwise);
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

    /// <summary>A reader at the first number of a header whose length and CRC are right.</summary>
    /// <param name="header">Exactly one header.</param>
    /// <param name="size">What <see cref="SizeOf"/> says of it.</param>
    /// <exception cref="WalFormatException">It is not whole and undamaged.</exception>
    public static WireReader Open(ReadOnlySpan<byte> header, int size)
    {
        if (size != header.Length)
        {
            throw new WalFormatException(10, $"header is {size} bytes long, {header.Length} are here");
        }

        var checksum = new WireReader(header[^sizeof(uint)..], size - sizeof(uint)).UInt32("CRC");
        var actual = Crc32C.Compute(header[..^sizeof(uint)]);
        return checksum == actual
            ? new WireReader(header[PrefixSizeBytes..^sizeof(uint)], PrefixSizeBytes)
            : throw new WalFormatException(size - sizeof(uint), $"CRC is {actual:X8}, the header says {checksum:X8}");
    }

    /// <summary>The channel, which ends a header.</summary>
    /// <exception cref="WalFormatException">It is no text, or does not end it.</exception>
    public static string ReadChannel(ref WireReader reader)
    {
        var channel = reader.Text("channel");
        return reader.Left == 0 ? channel : throw reader.Wrong($"{reader.Left} bytes follow the channel");
    }
}
