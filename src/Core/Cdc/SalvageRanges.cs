using Baton.Core.Api;

namespace Baton.Core.Cdc;

/// <summary>
/// Collects the LSNs of records that a promoted cluster lacks into stretches in which every visible record is one of them. Behind the departure that is the rule, and a stretch ends only at
/// a record that the target has all the same. Before it, where bodies of transactions committed later lie among records that the target has, only neighbours are taken together.
/// </summary>
/// <param name="departureLsn">The last record that the target took.</param>
/// <param name="maxRanges">Beyond so many, the last is drawn out; the counts stay exact.</param>
public sealed class SalvageRanges(long departureLsn, int maxRanges = SalvageList.MaxRanges)
{
    private readonly List<SalvageRange> _ranges = [];
    private readonly List<long> _had = [];
    private long _count;

    /// <summary>The record at <paramref name="lsn"/> is one that the target has, although it is behind the departure. These come in rising order, each before anything behind it.</summary>
    public void Exclude(long lsn) => _had.Add(lsn);

    /// <summary>The target lacks the record at <paramref name="lsn"/>. Each once, in any order.</summary>
    public void Add(long lsn)
    {
        _count++;
        var at = After(lsn);
        if (at > 0 && (lsn <= _ranges[at - 1].LastLsn || Together(_ranges[at - 1].LastLsn, lsn)))
        {
            var grown = _ranges[at - 1] with { LastLsn = Math.Max(lsn, _ranges[at - 1].LastLsn), Count = _ranges[at - 1].Count + 1 };
            _ranges[at - 1] = grown;
            if (at < _ranges.Count && Together(grown.LastLsn, _ranges[at].FirstLsn))
            {
                Join(at - 1);
            }
        }
        else if (at < _ranges.Count && Together(lsn, _ranges[at].FirstLsn))
        {
            _ranges[at] = _ranges[at] with { FirstLsn = lsn, Count = _ranges[at].Count + 1 };
        }
        else
        {
            _ranges.Insert(at, new SalvageRange(lsn, lsn, 1));
            if (_ranges.Count > maxRanges)
            {
                Join(_ranges.Count - 2);
            }
        }
    }

    /// <summary>The list, as far as the log has been looked through.</summary>
    public SalvageList List(long throughLsn) => new(throughLsn, _count, [.. _ranges]);

    private bool Together(long lsn, long next) => next == lsn + 1 || (lsn >= departureLsn && FirstHadBehind(lsn) >= next);

    private long FirstHadBehind(long lsn)
    {
        var at = _had.BinarySearch(lsn + 1);
        at = at < 0 ? ~at : at;
        return at < _had.Count ? _had[at] : long.MaxValue;
    }

    /// <summary>Index of the first range that begins behind <paramref name="lsn"/>.</summary>
    private int After(long lsn)
    {
        var (low, high) = (0, _ranges.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _ranges[middle].FirstLsn > lsn ? (low, middle) : (middle + 1, high);
        }

        return low;
    }

    private void Join(int at)
    {
        _ranges[at] = new SalvageRange(_ranges[at].FirstLsn, _ranges[at + 1].LastLsn, _ranges[at].Count + _ranges[at + 1].Count);
        _ranges.RemoveAt(at + 1);
    }
}
