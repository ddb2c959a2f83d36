using System.Collections.Concurrent;

namespace Baton.Edge.Metrics;

/// <summary>A counter for each of a few values of its labels. The values come from the code, never from a request, so that they are few.</summary>
public sealed class LabelledCounts<TLabels>
    where TLabels : notnull
{
    private readonly ConcurrentDictionary<TLabels, Count> _counts = new();

    /// <summary>One more.</summary>
    public void Add(TLabels labels) => Add(labels, 1);

    /// <summary>So many more.</summary>
    public void Add(TLabels labels, long more) => _counts.GetOrAdd(labels, static _ => new Count()).Add(more);

    /// <summary>Where all stand.</summary>
    public IEnumerable<(TLabels Labels, long Value)> Read() => _counts.Select(c => (c.Key, c.Value.Value));

    private sealed class Count
    {
        private long _value;

        public long Value => Volatile.Read(ref _value);

        public void Add(long more) => Interlocked.Add(ref _value, more);
    }
}
