using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>The blobs of snapshots: written block by block and sealed, read with every checksum verified. Which of them count is the manifest's to say.</summary>
internal sealed class WalSnapshots(IWalStorage storage, WalRetry retry)
{
    // Most snapshots are small, and read by an opening that somebody waits for: one call fetches them whole.
    private const int FirstReadBytes = 64 * 1024;

    /// <summary>Writes one whole. Doing so again with the same content goes on where it was, or finds all there.</summary>
    /// <returns>Length of the blob in bytes.</returns>
    /// <exception cref="WalFaultedException">The storage did not answer, or the blob holds something else.</exception>
    public async Task<long> WriteAsync(string channel, long term, long lsn, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var blob = new WalSnapshotEntry(lsn, term, 0, 0, 0).BlobName(channel);
        await retry.RunAsync("create a snapshot", token => storage.Snapshots.CreateAsync(blob, token), cancellationToken).ConfigureAwait(false);
        var appender = new WalBlobAppender(storage.Snapshots, retry, blob);
        foreach (var block in WalSnapshotCodec.Encode(channel, term, lsn, content))
        {
            if ((await appender.AppendAsync(block, cancellationToken).ConfigureAwait(false)).Outcome != AppendOutcome.Appended)
            {
                // An attempt before this one had another state at the same LSN. It may be listed yet, so it is not overwritten.
                throw new WalFaultedException($"Snapshot '{blob}' was begun with other content; a later LSN has a blob of its own.");
            }
        }

        try
        {
            await retry.RunAsync("seal a snapshot", token => storage.Snapshots.SealAsync(blob, token), cancellationToken).ConfigureAwait(false);
        }
        catch (WalBlobMissingException failure)
        {
            throw new WalFaultedException($"Snapshot '{blob}' was deleted while it was written.", failure);
        }

        return appender.Length;
    }

    /// <summary>Reads the snapshot that the manifest lists as <paramref name="entry"/>.</summary>
    /// <exception cref="WalFormatException">It is damaged, or another.</exception>
    /// <exception cref="WalBlobMissingException">It is not there.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalSnapshot> ReadAsync(string channel, WalSnapshotEntry entry, CancellationToken cancellationToken)
    {
        var blob = entry.BlobName(channel);
        var start = new byte[Math.Clamp(entry.LengthBytes, 0, FirstReadBytes)];
        await ReadAsync(blob, 0, start, default, cancellationToken).ConfigureAwait(false);
        var (header, offset) = DecodeHeader(start);
        if (!string.Equals(header.Channel, channel, StringComparison.Ordinal) || header.Term != entry.Term || header.Lsn != entry.Lsn || WalSnapshotCodec.SizeOf(header, offset) != entry.LengthBytes)
        {
            throw new WalFormatException(0, $"the header is of channel '{header.Channel}', term {header.Term}, LSN {header.Lsn} with {header.ContentLength} bytes of content");
        }

        // The whole length agrees with what was listed, so that no header asks for memory by itself.
        var content = new byte[header.ContentLength];
        var block = new byte[WalSnapshotCodec.BlockHeaderSizeBytes + Math.Min(content.Length, WalSnapshotCodec.BlockContentSizeBytes)];
        var at = offset;
        for (var filled = 0; filled < content.Length;)
        {
            var part = block.AsMemory(0, WalSnapshotCodec.BlockHeaderSizeBytes + Math.Min(content.Length - filled, WalSnapshotCodec.BlockContentSizeBytes));
            await ReadAsync(blob, at, part, start, cancellationToken).ConfigureAwait(false);
            var decoded = WalSnapshotCodec.DecodeBlock(part.Span, filled, at);
            decoded.CopyTo(content.AsSpan(filled));
            filled += decoded.Length;
            at += part.Length;
        }

        var end = new byte[WalSnapshotCodec.EndSizeBytes];
        await ReadAsync(blob, at, end, start, cancellationToken).ConfigureAwait(false);
        WalSnapshotCodec.CheckEnd(end, content, at);
        return new WalSnapshot(entry.Lsn, content);
    }

    private static (WalSnapshotHeader Header, int Size) DecodeHeader(byte[] start)
    {
        var size = WalSnapshotHeader.SizeOf(start);
        return size <= start.Length
            ? (WalSnapshotHeader.Decode(start.AsSpan(0, size)), size)
            : throw new WalFormatException(start.Length, $"the snapshot ends before its header of {size} bytes");
    }

    /// <summary>Fills <paramref name="target"/> from <paramref name="offset"/> on, out of <paramref name="start"/> where that holds all of it.</summary>
    private async Task ReadAsync(string blob, long offset, Memory<byte> target, ReadOnlyMemory<byte> start, CancellationToken cancellationToken)
    {
        if (offset + target.Length <= start.Length)
        {
            start.Slice((int)offset, target.Length).CopyTo(target);
            return;
        }

        var read = await retry.RunAsync("read a snapshot", token => storage.Snapshots.ReadAsync(blob, offset, target, token), cancellationToken).ConfigureAwait(false);
        if (read < target.Length)
        {
            throw new WalFormatException(offset + read, $"the snapshot ends {target.Length - read} bytes too early");
        }
    }
}
