namespace Baton.Core.Wal;

/// <summary>The first block of a snapshot: docs/wal-format.md, "Snapshot header".</summary>
/// <param name="Channel">The channel it is of.</param>
/// <param name="Term">The term of its writer.</param>
/// <param name="Lsn">The last LSN that it covers.</param>
/// <param name="ContentLength">Bytes of the content, without its framing.</param>
public sealed record WalSnapshotHeader(string Channel, long Term, long Lsn, long ContentLength)
{
    /// <summary>No header is longer.</summary>
    public const int MaxSizeBytes = WalHeaderCodec.MaxSizeBytes;

    private static ReadOnlySpan<byte> Magic => "BATONSNP"u8;

    /// <summary>The header as bytes.</summary>
    public byte[] Encode() => WalHeaderCodec.Encode(Magic, Term, Lsn, ContentLength, Channel);

    /// <summary>Bytes of the whole header that begins with <paramref name="start"/>, of which twelve are enough.</summary>
    /// <exception cref="WalFormatException">It is no snapshot, or one of another format version.</exception>
    public static int SizeOf(ReadOnlySpan<byte> start) => WalHeaderCodec.SizeOf(start, Magic, "this is no snapshot: it does not begin with BATONSNP");

    /// <summary>Decodes exactly one header.</summary>
    /// <exception cref="WalFormatException">It is not one whole, undamaged header.</exception>
    public static WalSnapshotHeader Decode(ReadOnlySpan<byte> header)
    {
        var reader = WalHeaderCodec.Open(header, SizeOf(header));
        var term = reader.Int64("term");
        var lsn = reader.Int64("LSN");
        var contentLength = reader.Int64("content length");
        return contentLength is >= 0 and <= WalSnapshotCodec.MaxContentSizeBytes
            ? new WalSnapshotHeader(WalHeaderCodec.ReadChannel(ref reader), term, lsn, contentLength)
            : throw new WalFormatException(28, $"content length {contentLength} is outside 0 to {WalSnapshotCodec.MaxContentSizeBytes}");
    }
}
