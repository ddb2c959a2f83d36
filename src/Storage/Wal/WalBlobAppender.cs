namespace Baton.Storage.Wal;

/// <summary>The end of one append blob, to which one writer appends blocks, each exactly once.</summary>
/// <remarks>
/// Every call says where the blob must end. Is an answer lost, the same call is sent again: whichever copy comes first is taken and moves the end, so that all
/// others are refused, even one that was delayed on its way. A refusal is therefore no verdict yet: the bytes at the expected place decide. They are compared whole.
/// </remarks>
internal sealed class WalBlobAppender(IAppendBlobs blobs, WalRetry retry, string blob)
{
    /// <summary>Where the blob ends, in bytes.</summary>
    public long Length { get; private set; }

    /// <summary>How many blocks it has.</summary>
    public int Blocks { get; private set; }

    /// <summary>Appends <paramref name="block"/>. With <see cref="AppendOutcome.Appended"/> it is durable; otherwise it is not in the blob, and cannot come into it any more.</summary>
    /// <returns>The outcome, and whether the only call for it was answered, so that nothing can still be reading from <paramref name="block"/>.</returns>
    /// <exception cref="WalFaultedException">Whether it is in the blob could not be found out.</exception>
    public async Task<(AppendOutcome Outcome, bool SentOnce)> AppendAsync(ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        var calls = 0;
        var outcome = await retry.RunAsync(
            "append a block",
            token =>
            {
                calls++;
                return blobs.AppendAsync(blob, Length, block, token);
            },
            cancellationToken).ConfigureAwait(false);
        if (outcome == AppendOutcome.Missing && calls > 1)
        {
            // A later opener has deleted it, with or without the block in its history.
            throw new WalFaultedException($"Blob '{blob}' was deleted while a block was appended to it.", new WalBlobMissingException(blob));
        }

        if (outcome == AppendOutcome.Missing || (outcome != AppendOutcome.Appended && !await IsThereAsync(block, cancellationToken).ConfigureAwait(false)))
        {
            return (outcome, calls == 1);
        }

        Length += block.Length;
        Blocks++;
        return (AppendOutcome.Appended, calls == 1);
    }

    private Task<bool> IsThereAsync(ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => retry.RunAsync(
        "read a block back",
        async token =>
        {
            var found = new byte[block.Length];
            try
            {
                var read = await blobs.ReadAsync(blob, Length, found, token).ConfigureAwait(false);
                return read == found.Length && block.Span.SequenceEqual(found);
            }
            catch (WalBlobMissingException failure)
            {
                // A later opener may have deleted it, with or without the block in its history.
                throw new WalFaultedException($"Blob '{blob}' was deleted while a block was appended to it.", failure);
            }
        },
        cancellationToken);
}
