using Baton.Core.Wal;

namespace Baton.Core.Cdc;

/// <summary>
/// Which part of a log is needed by readers that have got no further than a given LSN: everything behind it, and the transactions that were committed behind it, from their begin on.
/// It is told of the commits as they come. Of commits that cannot be the earliest begin for any position nothing is kept; where there are still too many, two are taken as one, which
/// holds more of the log and never less. Not thread-safe.
/// </summary>
/// <param name="knownFromLsn">LSN of the last record before the first that it is told of: of positions below, it cannot say what they need.</param>
public sealed class CommitSpans(long knownFromLsn)
{
    /// <summary>Commits kept.</summary>
    public const int MaxKept = 1_024;

    // Rising in both: of two commits the later one counts alone where it began no later.
    private readonly List<(long CommitLsn, long BeginLsn)> _kept = [];

    /// <summary>How many are kept now.</summary>
    public int Kept => _kept.Count;

    /// <summary>The next record of the log.</summary>
    public void Take(long lsn, WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.Type != WalRecordType.TxnCommit || record.TxnBeginLsn <= 0)
        {
            return;
        }

        while (_kept.Count > 0 && _kept[^1].BeginLsn >= record.TxnBeginLsn)
        {
            _kept.RemoveAt(_kept.Count - 1);
        }

        _kept.Add((lsn, record.TxnBeginLsn));
        if (_kept.Count > MaxKept)
        {
            // Of the two oldest: the earlier begin, up to the later commit.
            _kept[1] = (_kept[1].CommitLsn, _kept[0].BeginLsn);
            _kept.RemoveAt(0);
        }
    }

    /// <summary>The lowest LSN that a reader needs who has everything up to <paramref name="lsn"/>; null where that is not known.</summary>
    public long? NeededBehind(long lsn)
    {
        if (lsn < knownFromLsn)
        {
            return null;
        }

        var first = _kept.FindIndex(k => k.CommitLsn > lsn);
        return first < 0 ? lsn + 1 : Math.Min(lsn + 1, _kept[first].BeginLsn);
    }
}
