namespace Baton.Storage.Wal;

/// <summary>The end of one segment, to which one writer appends blocks, each exactly once.</summary>
/// <remarks>
/// Every call says where the segment must end. Is an answer lost, the same call is sent again: whichever copy comes first is taken and moves the end, so that all
/// others are refused, even one that was delayed on its way. A refusal is therefore no verdict yet: the bytes at the expected place decide. They
/// are compared whole; a block names its LSNs and carries a CRC, and no two writers share a segment.
/// </remarks>
internal sealed class WalSegmentAppender(IWalStorage storage, WalRetry retry, string channel, WalSegment segment)
{
    private readonly string _blob = segment.BlobName(channel);

    /// <summary>The segment.</summary>
    public WalSegment Segment { get; } = segment;

    /// <summary>Where it ends, in bytes.</summary>
    public long Length { get; private set; }

    /// <summary>How many blocks it has, the header included.</summary>
    public int Blocks { get; private set; }

    /// <summary>Appends <paramref name="block"/>; when this returns, it is durable.</summary>
    /// <returns>Whether the only call for it was answered, so that nothing can still be reading from <paramref name="block"/>.</returns>
    /// <exception cref="WalFencedException">It is not in the segment, and cannot come into it any more.</exception>
    /// <exception cref="WalFaultedException">Whether it is in the segment could not be found out.</exception>
    public async Task<bool> AppendAsync(ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        var calls = 0;
        var outcome = await retry.RunAsync(
            "append a block",
            token =>
            {
                calls++;
                return storage.Segments.AppendAsync(_blob, Length, block, token);
            },
            cancellationToken).ConfigureAwait(false);
        if (outcome != AppendOutcome.Appended && !await IsThereAsync(block, cancellationToken).ConfigureAwait(false))
        {
            throw new WalFencedException(channel, Segment.Term, outcome == AppendOutcome.Sealed ? "its segment is sealed" : "its segment ends elsewhere");
        }

        Length += block.Length;
        Blocks++;
        return calls == 1;
    }

    private Task<bool> IsThereAsync(ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => retry.RunAsync(
        "read a block back",
        async token =>
        {
            var found = new byte[block.Length];
            var read = await storage.Segments.ReadAsync(_blob, Length, found, token).ConfigureAwait(false);
            return read == found.Length && block.Span.SequenceEqual(found);
        },
        cancellationToken);
}
