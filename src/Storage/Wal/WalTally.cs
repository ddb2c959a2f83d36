namespace Baton.Storage.Wal;

/// <summary>Adds up what a verification meets.</summary>
internal sealed class WalTally(WalManifest manifest)
{
    private readonly List<WalDamage> _damages = [];
    private long _notListed;
    private long _batches;
    private long _records;
    private long _bytes;
    private long? _first;
    private long? _last;
    private WalSegment? _segment;
    private int _segments;

    /// <summary>How far it is.</summary>
    public WalVerifyProgress Progress => new(_segments, manifest.Segments.Count, _bytes);

    /// <summary>What it came to.</summary>
    public WalVerification Result => new(manifest)
    {
        Damages = _damages,
        DamagesNotListed = _notListed,
        Batches = _batches,
        Records = _records,
        Bytes = _bytes,
        FirstReadableLsn = _first,
        LastReadableLsn = _last,
    };

    /// <summary>Adds what was met in a segment.</summary>
    public void Add(WalScanned scanned)
    {
        if (!ReferenceEquals(_segment, scanned.Segment))
        {
            (_segment, _segments) = (scanned.Segment, _segments + 1);
        }

        if (scanned.Damage is { } damage)
        {
            Add(damage);
        }
        else if (scanned.Batch is { } batch)
        {
            _batches++;
            _records += batch.Records.Count;
            _bytes += scanned.SizeBytes;
            _first ??= batch.FirstLsn;
            _last = batch.LastLsn;
        }
    }

    /// <summary>Adds a damage.</summary>
    public void Add(WalDamage damage)
    {
        if (_damages.Count < WalVerification.MaxListed)
        {
            _damages.Add(damage);
        }
        else
        {
            _notListed++;
        }
    }
}
