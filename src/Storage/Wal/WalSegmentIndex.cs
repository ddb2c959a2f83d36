namespace Baton.Storage.Wal;

/// <summary>Where in its segments a log's batches begin, sparsely, so that a read starts near what it wants. Only a memory: losing it costs a longer read.</summary>
/// <remarks>
/// The newest place of a segment is always among them: who polls a tail starts where it ends. At most two places fall into 128 KiB, so a segment of 256 MiB takes 64 KiB here.
/// </remarks>
/// <param name="maxSegments">Of how many segments places are remembered; those not used for longest are forgotten first.</param>
internal sealed class WalSegmentIndex(int maxSegments = WalSegmentIndex.DefaultMaxSegments)
{
    private const int DefaultMaxSegments = 1_024;
    private const long SpacingBytes = 128 * 1024;
    private readonly RecentlyUsed<List<WalSegmentPlace>> _places = new(maxSegments);

    /// <summary>How many segments have a place here.</summary>
    public int Segments => _places.Count;

    /// <summary>Notes that a batch begins at <paramref name="place"/>.</summary>
    public void Note(string blob, WalSegmentPlace place)
    {
        if (place.Offset == 0)
        {
            return;
        }

        var places = _places.TryGet(blob, out var known) ? known : _places.Put(blob, raced => raced ?? []);
        lock (places)
        {
            var after = FirstAfter(places, place.Lsn);
            if (after < places.Count)
            {
                InsertWhereNoneIsNear(places, after, place);
            }
            else if (after == 0 || places[^1].Offset < place.Offset)
            {
                // The last one only stands in for a later one until there is a spacing between its neighbours.
                if (after > 1 && place.Offset - places[^2].Offset < SpacingBytes)
                {
                    places.RemoveAt(after - 1);
                }

                places.Add(place);
            }
        }
    }

    /// <summary>The last place known at or before <paramref name="lsn"/>; the start of <paramref name="segment"/> when none is.</summary>
    public WalSegmentPlace Find(string blob, WalSegment segment, long lsn)
    {
        var start = new WalSegmentPlace(segment.FirstLsn, 0);
        if (!_places.TryGet(blob, out var places))
        {
            return start;
        }

        lock (places)
        {
            var after = FirstAfter(places, lsn);
            return after == 0 ? start : places[after - 1];
        }
    }

    private static void InsertWhereNoneIsNear(List<WalSegmentPlace> places, int at, WalSegmentPlace place)
    {
        if (places[at].Offset - place.Offset >= SpacingBytes && (at == 0 || place.Offset - places[at - 1].Offset >= SpacingBytes))
        {
            places.Insert(at, place);
        }
    }

    private static int FirstAfter(List<WalSegmentPlace> places, long lsn)
    {
        var (low, high) = (0, places.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = places[middle].Lsn <= lsn ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
