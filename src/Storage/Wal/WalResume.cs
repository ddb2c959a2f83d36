namespace Baton.Storage.Wal;

/// <summary>Finds out where a segment goes on behind damage, without ever taking a payload for the log.</summary>
/// <remarks>
/// Never does this look for batches byte by byte: a client chooses its payloads, and may put the bytes of a whole valid batch into one. Only these places count:
/// <list type="number">
/// <item>behind the header, whose size is known from the channel's name;</item>
/// <item>the block itself, when it is a whole valid batch of other LSNs: where it stands was settled by the batch before it;</item>
/// <item>where the damaged batch ends by its own records, when its CRC agrees: then its length field alone is damaged;</item>
/// <item>where its length field points, if a batch begins there with an LSN that fits.</item>
/// </list>
/// A length field may be damaged, and so point into a payload with a crafted batch in it. So a place counts only if the log goes on from it, batch by batch, to the segment's
/// known end: a payload would have to continue the log exactly, LSNs included. And where records and length field of a batch lead to different batches, it counts as lost with all behind it. Further damage on that way is passed by the same rules, but at most one uncertain jump is made.
/// What was found to lead to the end is kept, so that a segment is followed once, however many of its batches are damaged.
/// </remarks>
internal sealed class WalResume(IWalStorage storage, WalRetry retry, string channel, WalSegment segment)
{
    private readonly Dictionary<long, WalJump> _accepted = [];
    private readonly WalJumpFinder _finder = new(storage, retry, channel, segment);

    /// <summary>Bytes of the segment's header.</summary>
    public int HeaderSizeBytes => _finder.HeaderSizeBytes;

    /// <summary>Where the log goes on behind the block at <paramref name="damaged"/>; null when that is not certain.</summary>
    public async Task<WalJump?> BehindAsync(WalSegmentPlace damaged, CancellationToken cancellationToken)
    {
        if (!_accepted.ContainsKey(damaged.Offset))
        {
            foreach (var (offset, jump) in await FollowAsync(damaged, cancellationToken).ConfigureAwait(false))
            {
                _accepted[offset] = jump;
            }
        }

        return _accepted.GetValueOrDefault(damaged.Offset);
    }

    /// <summary>Whether the blob has <paramref name="length"/> bytes or more.</summary>
    public Task<bool> ReachesAsync(long length, CancellationToken cancellationToken) => _finder.ReachesAsync(length, cancellationToken);

    /// <summary>The jumps from <paramref name="damaged"/> to the segment's end; none when it is not reached. Ends, because every jump but one kind moves on, and that one cannot be made twice.</summary>
    private async Task<IReadOnlyList<(long Offset, WalJump Jump)>> FollowAsync(WalSegmentPlace damaged, CancellationToken cancellationToken)
    {
        var jumps = new List<(long Offset, WalJump Jump)>();
        var uncertainLeft = 1;
        for (var at = damaged; ;)
        {
            var jump = await _finder.FindAsync(at, cancellationToken).ConfigureAwait(false);
            if (jump is null || (jump.Uncertain && uncertainLeft-- == 0))
            {
                return [];
            }

            jumps.Add((at.Offset, jump));
            if (jump.Basis == WalJumpBasis.SegmentEnd)
            {
                return jumps;
            }

            var (end, whole) = await ChainAsync(jump.To, cancellationToken).ConfigureAwait(false);
            if (whole)
            {
                return IsEnd(end, jumps) ? jumps : [];
            }

            at = end;
        }
    }

    private bool IsEnd(WalSegmentPlace end, List<(long Offset, WalJump Jump)> jumps)
    {
        if (segment.LastLsn is not { } last)
        {
            return true;
        }

        // A batch that was taken out or put in moves the end, but whole batches in a row need no length to show where they stand.
        var atLength = segment.LengthBytes is not { } length || end.Offset == length || jumps.TrueForAll(j => j.Jump.Basis is WalJumpBasis.LaterBatch or WalJumpBasis.EarlierBatch);
        return end.Lsn == last + 1 && atLength;
    }

    private async Task<(WalSegmentPlace End, bool Whole)> ChainAsync(WalSegmentPlace from, CancellationToken cancellationToken)
    {
        var reader = new WalSegmentReader(storage, retry, channel, segment with { LengthBytes = null }, from);
        await using var closing = reader.ConfigureAwait(false);
        try
        {
            while (segment.LastLsn is not { } last || reader.Place.Lsn <= last)
            {
                if (await reader.NextAsync(cancellationToken).ConfigureAwait(false) is null)
                {
                    break;
                }
            }

            return (reader.Place, true);
        }
        catch (WalDamagedException)
        {
            // The next jump starts from here.
            return (reader.Place, false);
        }
    }
}
