using System.Runtime.InteropServices;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>Reads one segment batch by batch, checking everything, from its start or from a batch whose place is known.</summary>
internal sealed class WalSegmentReader
{
    private readonly IWalStorage _storage;
    private readonly WalRetry _retry;
    private readonly string _channel;
    private readonly WalSegment _segment;
    private readonly string _blob;
    private WalRangeReader? _bytes;

    /// <summary>A reader at <paramref name="start"/>.</summary>
    public WalSegmentReader(IWalStorage storage, WalRetry retry, string channel, WalSegment segment, WalSegmentPlace start)
    {
        _storage = storage;
        _retry = retry;
        _channel = channel;
        _segment = segment;
        _blob = segment.BlobName(channel);
        Place = start;
    }

    /// <summary>The next batch's LSN and offset; offset 0 is before the header.</summary>
    public WalSegmentPlace Place { get; private set; }

    /// <summary>The next batch, or null at the segment's present end. May be asked again: an open segment grows.</summary>
    /// <exception cref="WalDamagedException">The next batch cannot be read.</exception>
    /// <exception cref="WalFaultedException">The storage does not answer.</exception>
    public Task<WalBatch?> NextAsync(CancellationToken cancellationToken) => _retry.RunAsync(
        "read a batch",
        async token =>
        {
            try
            {
                return await ReadNextAsync(token).ConfigureAwait(false);
            }
            catch (WalBlobMissingException failure)
            {
                throw Damaged("the blob is missing", failure);
            }
            catch (WalStorageUncertainException)
            {
                // The next attempt asks anew from the batch that was being read.
                _bytes = null;
                throw;
            }
        },
        cancellationToken);

    private async Task<WalBatch?> ReadNextAsync(CancellationToken cancellationToken)
    {
        _bytes ??= new WalRangeReader(_storage.Segments, _blob, Place.Offset);
        if (Place.Offset == 0)
        {
            await ReadHeaderAsync(_bytes, cancellationToken).ConfigureAwait(false);
        }

        var batch = await ReadBlockAsync(_bytes, 8, WalBatchCodec.SizeOf, cancellationToken).ConfigureAwait(false);
        return batch is null ? null : Accept(batch);
    }

    private WalBatch Accept(byte[] bytes)
    {
        try
        {
            var batch = WalBatchCodec.Decode(bytes);
            if (batch.FirstLsn != Place.Lsn)
            {
                throw Damaged($"the batch begins at LSN {batch.FirstLsn}, not {Place.Lsn}");
            }

            Place = new WalSegmentPlace(batch.LastLsn + 1, Place.Offset + bytes.Length);
            return batch;
        }
        catch (WalFormatException failure)
        {
            throw Damaged($"the batch is damaged: {failure.Message}", failure);
        }
    }

    private async Task ReadHeaderAsync(WalRangeReader source, CancellationToken cancellationToken)
    {
        var bytes = await ReadBlockAsync(source, WalSegmentHeader.PrefixSizeBytes, WalSegmentHeader.SizeOf, cancellationToken).ConfigureAwait(false) ?? throw Damaged("the header is missing");
        try
        {
            var header = WalSegmentHeader.Decode(bytes);
            if (!string.Equals(header.Channel, _channel, StringComparison.Ordinal) || header.Term != _segment.Term || header.FirstLsn != _segment.FirstLsn)
            {
                throw Damaged($"the header is of channel '{header.Channel}', term {header.Term}, LSN {header.FirstLsn}");
            }

            Place = Place with { Offset = bytes.Length };
        }
        catch (WalFormatException failure)
        {
            throw Damaged($"the header is damaged: {failure.Message}", failure);
        }
    }

    private delegate int SizeOf(ReadOnlySpan<byte> start);

    private async Task<byte[]?> ReadBlockAsync(WalRangeReader source, int prefixBytes, SizeOf sizeOf, CancellationToken cancellationToken)
    {
        var prefix = new byte[prefixBytes];
        var got = await source.ReadAsync(prefix, cancellationToken).ConfigureAwait(false);
        if (got == 0)
        {
            return null;
        }

        try
        {
            var block = new byte[sizeOf(prefix.AsSpan(0, got))];
            prefix.AsSpan(0, got).CopyTo(block);
            var read = got < prefixBytes ? 0 : await source.ReadAsync(block.AsMemory(prefixBytes), cancellationToken).ConfigureAwait(false);
            return got + read == block.Length ? block : throw Damaged($"the segment ends {block.Length - got - read} bytes before the block does");
        }
        catch (WalFormatException failure)
        {
            throw Damaged($"no block begins here: {failure.Message}", failure);
        }
    }

    private WalDamagedException Damaged(string problem, Exception? cause = null) => new(_channel, _blob, Place.Offset, Place.Lsn, _segment.LastLsn, problem, cause);
}

/// <summary>A place between two batches of a segment.</summary>
/// <param name="Lsn">LSN of the batch that begins there.</param>
/// <param name="Offset">Its offset in bytes; 0 for the first batch, before which the header stands.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct WalSegmentPlace(long Lsn, long Offset);
