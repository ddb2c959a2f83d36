using System.Runtime.InteropServices;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>Reads one segment batch by batch, checking everything, from its start or from a batch whose place is known. One caller at a time.</summary>
/// <remarks>Every batch has an array of its own, of which its payloads are slices: they may be kept for as long as they are wanted.</remarks>
internal sealed class WalSegmentReader : IAsyncDisposable
{
    private readonly IWalStorage _storage;
    private readonly WalRetry _retry;
    private readonly string _channel;
    private readonly WalSegment _segment;
    private readonly string _blob;
    private readonly int _rangeBytes;
    private WalRangeReader? _bytes;

    /// <summary>A reader at <paramref name="start"/>, which fetches ranges of up to <paramref name="rangeBytes"/>.</summary>
    public WalSegmentReader(
        IWalStorage storage, WalRetry retry, string channel, WalSegment segment, WalSegmentPlace start, int rangeBytes = WalOptions.DefaultReadRangeBytes)
    {
        _storage = storage;
        _retry = retry;
        _channel = channel;
        _segment = segment;
        _blob = segment.BlobName(channel);
        _rangeBytes = rangeBytes;
        Place = start;
    }

    /// <summary>The next batch's LSN and offset; offset 0 is before the header.</summary>
    public WalSegmentPlace Place { get; private set; }

    /// <summary>The next batch, or null at the segment's end, as the look that reached it found it: what is appended later is for another reader. May be asked again after a failure of the storage.</summary>
    /// <exception cref="WalDamagedException">The next batch cannot be read.</exception>
    /// <exception cref="WalFaultedException">The storage does not answer.</exception>
    public Task<WalBatch?> NextAsync(CancellationToken cancellationToken) => NextAsync(WalBatchForm.Decoded, cancellationToken);

    /// <summary>The next batch as <see cref="NextAsync(CancellationToken)"/> gives it, in another form.</summary>
    public Task<T?> NextAsync<T>(WalBatchForm<T> form, CancellationToken cancellationToken)
        where T : class => _retry.RunAsync(
        "read a batch",
        async token =>
        {
            try
            {
                return await ReadNextAsync(form, token).ConfigureAwait(false);
            }
            catch (WalBlobMissingException failure)
            {
                throw Damaged("the blob is missing", failure);
            }
            catch (WalStorageUncertainException)
            {
                // The next attempt asks anew from the batch that was being read.
                await DisposeAsync().ConfigureAwait(false);
                throw;
            }
        },
        cancellationToken);

    /// <summary>Gives memory and calls under way back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_bytes is { } bytes)
        {
            _bytes = null;
            await bytes.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Asks for the first bytes before they are needed.</summary>
    public void BeginAhead()
    {
        _bytes = Bytes();
        _bytes.BeginAhead();
    }

    private WalRangeReader Bytes() => new(_storage.Segments, _blob, Place.Offset, _rangeBytes, _segment.LengthBytes ?? long.MaxValue);

    private async Task<T?> ReadNextAsync<T>(WalBatchForm<T> form, CancellationToken cancellationToken)
        where T : class
    {
        if (Place.Lsn - 1 == _segment.LastLsn)
        {
            // Sealed and read through: there is no need to ask the storage if it goes on.
            return null;
        }

        _bytes ??= Bytes();
        if (Place.Offset == 0)
        {
            await ReadHeaderAsync(_bytes, cancellationToken).ConfigureAwait(false);
        }

        var batch = await ReadBlockAsync(_bytes, WalBatchCodec.PrefixSizeBytes, WalBatchCodec.SizeOf, cancellationToken).ConfigureAwait(false);
        return batch is null ? null : Accept(form, batch);
    }

    private T Accept<T>(WalBatchForm<T> form, byte[] bytes)
        where T : class
    {
        try
        {
            var batch = form.Open(bytes, _segment.Term);
            if (form.FirstLsn(batch) != Place.Lsn)
            {
                throw Damaged($"the batch begins at LSN {form.FirstLsn(batch)}, not {Place.Lsn}");
            }

            Place = new WalSegmentPlace(form.LastLsn(batch) + 1, Place.Offset + bytes.Length);
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
            var block = GC.AllocateUninitializedArray<byte>(sizeOf(prefix.AsSpan(0, got)));
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
