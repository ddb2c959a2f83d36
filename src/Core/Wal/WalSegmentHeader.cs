namespace Baton.Core.Wal;

/// <summary>The first block of a segment: docs/wal-format.md, "Segment header".</summary>
/// <param name="Channel">The channel it is of.</param>
/// <param name="Term">The term of its writer.</param>
/// <param name="FirstLsn">LSN of the first record that it may hold.</param>
/// <param name="CreatedAt">When it was created (UTC, milliseconds).</param>
public sealed record WalSegmentHeader(string Channel, long Term, long FirstLsn, DateTimeOffset CreatedAt)
{
    /// <summary>The version that this code writes, and the only one that it reads.</summary>
    public const ushort FormatVersion = WalHeaderCodec.FormatVersion;

    /// <summary>Bytes at the start that say how long the header is.</summary>
    public const int PrefixSizeBytes = WalHeaderCodec.PrefixSizeBytes;

    private static ReadOnlySpan<byte> Magic => "BATONWAL"u8;

    /// <summary>The header as bytes.</summary>
    public byte[] Encode() => WalHeaderCodec.Encode(Magic, Term, FirstLsn, CreatedAt.ToUnixTimeMilliseconds(), Channel);

    /// <summary>Bytes of the whole header that begins with <paramref name="start"/>, of which <see cref="PrefixSizeBytes"/> are enough.</summary>
    /// <exception cref="WalFormatException">It is no segment, or one of another format version.</exception>
    public static int SizeOf(ReadOnlySpan<byte> start) => WalHeaderCodec.SizeOf(start, Magic, "this is no segment of a log: it does not begin with BATONWAL");

    /// <summary>Decodes exactly one header.</summary>
    /// <exception cref="WalFormatException">It is not one whole, undamaged header.</exception>
    public static WalSegmentHeader Decode(ReadOnlySpan<byte> header)
    {
        var reader = WalHeaderCodec.Open(header, SizeOf(header));
        var term = reader.Int64("term");
        var firstLsn = reader.Int64("first LSN");
        var created = reader.Int64("creation time");
        return created is >= 0 and <= 253_402_300_799_999
            ? new WalSegmentHeader(WalHeaderCodec.ReadChannel(ref reader), term, firstLsn, DateTimeOffset.FromUnixTimeMilliseconds(created))
            : throw new WalFormatException(28, $"creation time {created} is no time before the year 10000");
    }
}
