namespace Baton.Storage.Wal;

/// <summary>The end of one segment, to which its writer appends batches, each exactly once: a block names its LSNs and carries a CRC, and no two writers share a segment.</summary>
internal sealed class WalSegmentAppender(IWalStorage storage, WalRetry retry, string channel, WalSegment segment)
{
    private readonly WalBlobAppender _blob = new(storage.Segments, retry, segment.BlobName(channel));

    /// <summary>The segment.</summary>
    public WalSegment Segment { get; } = segment;

    /// <summary>Where it ends, in bytes.</summary>
    public long Length => _blob.Length;

    /// <summary>How many blocks it has, the header included.</summary>
    public int Blocks => _blob.Blocks;

    /// <summary>Appends <paramref name="block"/>; when this returns, it is durable.</summary>
    /// <returns>Whether the only call for it was answered, so that nothing can still be reading from <paramref name="block"/>.</returns>
    /// <exception cref="WalFencedException">It is not in the segment, and cannot come into it any more.</exception>
    /// <exception cref="WalFaultedException">Whether it is in the segment could not be found out.</exception>
    public async Task<bool> AppendAsync(ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        var (outcome, sentOnce) = await _blob.AppendAsync(block, cancellationToken).ConfigureAwait(false);
        return outcome == AppendOutcome.Appended ? sentOnce : throw new WalFencedException(channel, Segment.Term, outcome switch
        {
            AppendOutcome.Sealed => "its segment is sealed",
            AppendOutcome.Missing => "its segment is deleted",
            _ => "its segment ends elsewhere",
        });
    }
}
