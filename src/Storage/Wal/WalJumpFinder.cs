using System.Buffers.Binary;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>Why a block is believed to begin somewhere.</summary>
internal enum WalJumpBasis
{
    /// <summary>The header's size is known.</summary>
    Header,

    /// <summary>A whole valid batch stands where one must, only of later LSNs: those between are not in the segment.</summary>
    LaterBatch,

    /// <summary>A whole valid batch stands where one must, only of earlier LSNs: it does not belong there, and is passed over.</summary>
    EarlierBatch,

    /// <summary>The damaged batch verifies with the length that its records add up to.</summary>
    Records,

    /// <summary>The length field of the damaged batch leads there; its first LSN and count agree.</summary>
    LengthAndCount,

    /// <summary>The length field alone leads there.</summary>
    LengthOnly,

    /// <summary>The damaged batch is the segment's last: nothing follows.</summary>
    SegmentEnd,
}

/// <summary>A way past one damaged block.</summary>
/// <param name="Basis">Why it is believed.</param>
/// <param name="To">The next block.</param>
/// <param name="LastMissingLsn">The last LSN that is missing before it; below the damaged block's own LSN when none is; null when nobody knows.</param>
internal sealed record WalJump(WalJumpBasis Basis, WalSegmentPlace To, long? LastMissingLsn)
{
    /// <summary>Nothing but the chain behind it speaks for it.</summary>
    public bool Uncertain => Basis is WalJumpBasis.LengthOnly or WalJumpBasis.EarlierBatch;
}

/// <summary>Finds the way past one damaged block: the rules of <see cref="WalResume"/>, which decides whether to go it.</summary>
internal sealed class WalJumpFinder(IWalStorage storage, WalRetry retry, string channel, WalSegment segment)
{
    private const int FirstLookBytes = 64 * 1024;
    private readonly string _blob = segment.BlobName(channel);

    /// <summary>Bytes of the segment's header.</summary>
    public int HeaderSizeBytes { get; } = new WalSegmentHeader(channel, segment.Term, segment.FirstLsn, DateTimeOffset.UnixEpoch).Encode().Length;

    /// <summary>The way past the block at <paramref name="at"/>, or null.</summary>
    public async Task<WalJump?> FindAsync(WalSegmentPlace at, CancellationToken cancellationToken)
    {
        if (at.Offset == 0)
        {
            return await PastHeaderAsync(cancellationToken).ConfigureAwait(false);
        }

        var start = await ReadAsync(at.Offset, WalBatchCodec.HeaderSizeBytes, cancellationToken).ConfigureAwait(false);
        if (start.Length < WalBatchCodec.HeaderSizeBytes)
        {
            return null;
        }

        var header = BatchStart.Of(start);
        return await PastOtherBatchAsync(at, header, cancellationToken).ConfigureAwait(false)
            ?? await PastDamagedBatchAsync(at, header, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether the blob has <paramref name="length"/> bytes or more.</summary>
    public async Task<bool> ReachesAsync(long length, CancellationToken cancellationToken) => length <= 0 || (await ReadAsync(length - 1, 1, cancellationToken).ConfigureAwait(false)).Length == 1;

    // A header that can be read but is of another channel, term or LSN says that the whole blob is.
    private async Task<WalJump?> PastHeaderAsync(CancellationToken cancellationToken)
    {
        var bytes = await ReadAsync(0, HeaderSizeBytes, cancellationToken).ConfigureAwait(false);
        try
        {
            WalSegmentHeader.Decode(bytes);
            return null;
        }
        catch (WalFormatException)
        {
            return bytes.Length == HeaderSizeBytes ? new WalJump(WalJumpBasis.Header, new WalSegmentPlace(segment.FirstLsn, HeaderSizeBytes), segment.FirstLsn - 1) : null;
        }
    }

    private async Task<WalJump?> PastOtherBatchAsync(WalSegmentPlace at, BatchStart header, CancellationToken cancellationToken)
    {
        if (header.SizeBytes is not { } size || header.FirstLsn == at.Lsn || await ReadBatchAsync(at.Offset, cancellationToken).ConfigureAwait(false) is not { } batch)
        {
            return null;
        }

        if (batch.FirstLsn > at.Lsn)
        {
            return batch.LastLsn > segment.LastLsn ? null : new WalJump(WalJumpBasis.LaterBatch, at with { Lsn = batch.FirstLsn }, batch.FirstLsn - 1);
        }

        return batch.LastLsn < at.Lsn ? new WalJump(WalJumpBasis.EarlierBatch, at with { Offset = at.Offset + size }, at.Lsn - 1) : null;
    }

    // A damaged length field may lead into a payload that holds a crafted batch. So where count and records lead elsewhere, and to the batch that would follow, neither place is believed.
    private async Task<WalJump?> PastDamagedBatchAsync(WalSegmentPlace at, BatchStart header, CancellationToken cancellationToken)
    {
        if (await MeasureAsync(at, header, cancellationToken).ConfigureAwait(false) is { } size && size != header.SizeBytes)
        {
            var last = at.Lsn + header.Count - 1;
            var bytes = await ReadAsync(at.Offset, size, cancellationToken).ConfigureAwait(false);
            if (bytes.Length == size && WalBatchLength.VerifiesWithout(bytes))
            {
                return await BehindAsync(WalJumpBasis.Records, last, at.Offset + size, cancellationToken).ConfigureAwait(false);
            }

            var there = await ReadBatchAsync(at.Offset + size, cancellationToken).ConfigureAwait(false);
            if (there?.FirstLsn == last + 1)
            {
                return null;
            }
        }

        return await ByLengthAsync(at, header, cancellationToken).ConfigureAwait(false);
    }

    // Bytes of the batch by its count and the lengths of its records; null when they make no batch of this place.
    private async Task<int?> MeasureAsync(WalSegmentPlace at, BatchStart header, CancellationToken cancellationToken)
    {
        for (var wanted = FirstLookBytes; header.FirstLsn == at.Lsn; wanted = Math.Min(wanted * 2, WalBatchCodec.MaxSizeBytes))
        {
            var bytes = await ReadAsync(at.Offset, wanted, cancellationToken).ConfigureAwait(false);
            if (WalBatchLength.TryMeasure(bytes, out var size))
            {
                return at.Lsn + header.Count - 1 > segment.LastLsn ? null : size;
            }

            if (size == 0 || bytes.Length < wanted || wanted == WalBatchCodec.MaxSizeBytes)
            {
                return null;
            }
        }

        return null;
    }

    private async Task<WalJump?> ByLengthAsync(WalSegmentPlace at, BatchStart header, CancellationToken cancellationToken)
    {
        if (header.SizeBytes is not { } size || at.Offset + size > segment.LengthBytes)
        {
            return null;
        }

        var next = at.Offset + size;
        var start = await ReadAsync(next, WalBatchCodec.HeaderSizeBytes, cancellationToken).ConfigureAwait(false);
        if (next == segment.LengthBytes || start.Length == 0)
        {
            return await BehindAsync(WalJumpBasis.SegmentEnd, segment.LastLsn, next, cancellationToken).ConfigureAwait(false);
        }

        if (start.Length < WalBatchCodec.HeaderSizeBytes)
        {
            return null;
        }

        // A batch has no more records than its bytes have room for.
        var found = BatchStart.Of(start);
        var missing = found.FirstLsn - at.Lsn;
        if (found.SizeBytes is null || found.FirstLsn <= at.Lsn || missing > (size - WalBatchCodec.HeaderSizeBytes) / WalBatchCodec.MinRecordSizeBytes || found.FirstLsn > segment.LastLsn)
        {
            return null;
        }

        var basis = header.FirstLsn == at.Lsn && header.Count == missing ? WalJumpBasis.LengthAndCount : WalJumpBasis.LengthOnly;
        return new WalJump(basis, new WalSegmentPlace(found.FirstLsn, next), found.FirstLsn - 1);
    }

    // Turns into the segment's end where that is.
    private async Task<WalJump?> BehindAsync(WalJumpBasis basis, long? lastMissing, long next, CancellationToken cancellationToken)
    {
        if (next > segment.LengthBytes || !await ReachesAsync(next, cancellationToken).ConfigureAwait(false))
        {
            return null;
        }

        var ended = next == segment.LengthBytes || !await ReachesAsync(next + 1, cancellationToken).ConfigureAwait(false);
        return ended
            ? segment.LastLsn is null || lastMissing == segment.LastLsn ? new WalJump(WalJumpBasis.SegmentEnd, new WalSegmentPlace(lastMissing + 1 ?? 0, next), lastMissing) : null
            : new WalJump(basis, new WalSegmentPlace(lastMissing!.Value + 1, next), lastMissing);
    }

    private async Task<WalBatch?> ReadBatchAsync(long offset, CancellationToken cancellationToken)
    {
        var start = await ReadAsync(offset, WalBatchCodec.HeaderSizeBytes, cancellationToken).ConfigureAwait(false);
        try
        {
            return start.Length == WalBatchCodec.HeaderSizeBytes && BatchStart.Of(start).SizeBytes is { } size
                ? WalBatchCodec.Decode(await ReadAsync(offset, size, cancellationToken).ConfigureAwait(false))
                : null;
        }
        catch (WalFormatException)
        {
            // That no batch is here is the answer.
            return null;
        }
    }

    private async Task<byte[]> ReadAsync(long offset, int length, CancellationToken cancellationToken)
    {
        var target = new byte[length];
        var read = await retry.RunAsync(
            "read a part of a segment",
            async token =>
            {
                try
                {
                    return await storage.Segments.ReadAsync(_blob, offset, target, token).ConfigureAwait(false);
                }
                catch (WalBlobMissingException)
                {
                    // Deleted since the damage was met: then there is nothing behind it.
                    return 0;
                }
            },
            cancellationToken).ConfigureAwait(false);
        return read == length ? target : target[..read];
    }

    /// <summary>The header of a batch, unchecked.</summary>
    /// <param name="SizeBytes">Bytes of the whole batch by its length field; null when no batch has that length.</param>
    /// <param name="FirstLsn">LSN of its first record.</param>
    /// <param name="Count">How many records it has.</param>
    private sealed record BatchStart(int? SizeBytes, long FirstLsn, uint Count)
    {
        public static BatchStart Of(ReadOnlySpan<byte> bytes)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            var plausible = length is >= WalBatchCodec.HeaderSizeBytes + WalBatchCodec.MinRecordSizeBytes - 8 and <= WalBatchCodec.MaxSizeBytes - 8;
            return new BatchStart(plausible ? (int)length + 8 : null, BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]));
        }
    }
}
