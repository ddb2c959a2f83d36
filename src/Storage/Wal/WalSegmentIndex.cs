using System.Collections.Concurrent;

namespace Baton.Storage.Wal;

/// <summary>Where in its segments a log's batches begin, sparsely, so that a read starts near what it wants. Only a memory: losing it costs a longer read.</summary>
internal sealed class WalSegmentIndex
{
    private const long SpacingBytes = 128 * 1024;
    private readonly ConcurrentDictionary<string, List<WalSegmentPlace>> _places = new(StringComparer.Ordinal);

    /// <summary>Notes that a batch begins at <paramref name="place"/>.</summary>
    public void Note(string blob, WalSegmentPlace place)
    {
        var places = _places.GetOrAdd(blob, _ => []);
        lock (places)
        {
            if (place.Offset > 0 && (places.Count == 0 || place.Offset - places[^1].Offset >= SpacingBytes))
            {
                places.Add(place);
            }
        }
    }

    /// <summary>The last place known at or before <paramref name="lsn"/>; the start of <paramref name="segment"/> when none is.</summary>
    public WalSegmentPlace Find(string blob, WalSegment segment, long lsn)
    {
        var start = new WalSegmentPlace(segment.FirstLsn, 0);
        if (!_places.TryGetValue(blob, out var places))
        {
            return start;
        }

        lock (places)
        {
            var (low, high) = (0, places.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                (low, high) = places[middle].Lsn <= lsn ? (middle + 1, high) : (low, middle);
            }

            return low == 0 ? start : places[low - 1];
        }
    }
}
