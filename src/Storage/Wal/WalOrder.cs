namespace Baton.Storage.Wal;

/// <summary>Checks what holds across a whole log: segments follow each other, terms never fall, time ticks rise.</summary>
internal sealed class WalOrder(WalManifest manifest)
{
    private WalSegment? _previous;
    private long? _lastTick;

    /// <summary>What is wrong with the place of <paramref name="segment"/> behind the one given before.</summary>
    public IEnumerable<WalScanned> Next(WalSegment segment)
    {
        var previous = _previous;
        _previous = segment;
        var expected = previous is null ? segment.FirstLsn : previous.LastLsn + 1;
        if (previous is null && segment.FirstLsn > manifest.FirstLsn)
        {
            yield return Wrong(segment, manifest.FirstLsn, missing: true, $"the log begins at LSN {manifest.FirstLsn}, this first segment only at {segment.FirstLsn}");
        }

        if (expected is null)
        {
            yield return Wrong(segment, segment.FirstLsn, missing: false, $"the segment before, from LSN {previous!.FirstLsn}, is not sealed");
        }
        else if (segment.FirstLsn > expected)
        {
            yield return Wrong(segment, expected.Value, missing: true, "the manifest has a gap before this segment");
        }
        else if (segment.FirstLsn < expected && previous is not null)
        {
            yield return Wrong(segment, segment.FirstLsn, missing: false, $"the segment begins at LSN {segment.FirstLsn}, the one before ends at {expected - 1}");
        }

        if (segment.LastLsn < segment.FirstLsn)
        {
            yield return Wrong(segment, segment.FirstLsn, missing: false, $"the segment ends at LSN {segment.LastLsn}, before it begins");
        }

        if (segment.Term < previous?.Term || segment.Term > manifest.Term)
        {
            yield return Wrong(segment, segment.FirstLsn, missing: false, segment.Term > manifest.Term ? $"term {segment.Term} is above the manifest's, {manifest.Term}" : $"term {segment.Term} follows term {previous!.Term}");
        }
    }

    /// <summary>What is wrong with the time ticks of <paramref name="scanned"/>, if anything; one report a batch.</summary>
    public WalScanned? Next(WalScanned scanned)
    {
        WalScanned? wrong = null;
        for (var i = 0; i < (scanned.Batch?.Records.Count ?? 0); i++)
        {
            var tick = scanned.Batch!.Records[i].TimeTick;
            if (tick <= _lastTick && wrong is null)
            {
                var lsn = scanned.Batch.FirstLsn + i;
                var damage = new WalDamage(
                    WalDamageKind.TimeTick, manifest.Channel, scanned.Segment.BlobName(manifest.Channel), scanned.Offset, null, null, $"LSN {lsn} has time tick {tick}, which is not above {_lastTick} before it");
                wrong = new WalScanned(scanned.Segment, lsn, scanned.Offset, 0, null, damage);
            }

            _lastTick = tick;
        }

        return wrong;
    }

    private WalScanned Wrong(WalSegment segment, long lsn, bool missing, string problem)
    {
        var damage = new WalDamage(
            missing ? WalDamageKind.Unreadable : WalDamageKind.Order, manifest.Channel, segment.BlobName(manifest.Channel), 0, missing ? lsn : null, missing ? segment.FirstLsn - 1 : null, problem);
        return new WalScanned(segment, lsn, 0, 0, null, damage);
    }
}
