namespace Baton.Storage.Wal;

/// <summary>Readers of segments in a row, of which the next few have been asked for their first bytes already. One caller at a time.</summary>
internal sealed class WalSegmentsAhead : IAsyncDisposable
{
    private readonly Queue<WalSegmentReader> _ahead = new();
    private readonly IEnumerator<WalSegmentReader> _more;

    /// <summary>Asks the first <paramref name="most"/> of <paramref name="readers"/>, which are made as they are needed, and one more whenever one is taken.</summary>
    public WalSegmentsAhead(int most, IEnumerable<WalSegmentReader> readers)
    {
        _more = readers.GetEnumerator();
        while (_ahead.Count < most && BeginNext())
        {
        }
    }

    /// <summary>The next reader, which is the caller's to dispose of.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public WalSegmentReader Next()
    {
        var next = _ahead.Dequeue();
        BeginNext();
        return next;
    }

    /// <summary>Gives back what was asked for and not taken.</summary>
    public async ValueTask DisposeAsync()
    {
        _more.Dispose();
        while (_ahead.TryDequeue(out var reader))
        {
            await reader.DisposeAsync().ConfigureAwait(false);
        }
    }

    private bool BeginNext()
    {
        if (!_more.MoveNext())
        {
            return false;
        }

        _more.Current.BeginAhead();
        _ahead.Enqueue(_more.Current);
        return true;
    }
}
