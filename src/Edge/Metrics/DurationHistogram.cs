using System.Globalization;

namespace Baton.Edge.Metrics;

/// <summary>How long something took, in buckets. Recording takes no lock and allocates nothing.</summary>
/// <param name="boundsSeconds">Upper ends of the buckets, rising; one more has no end.</param>
public sealed class DurationHistogram(params double[] boundsSeconds)
{
    private readonly long[] _boundTicks = [.. boundsSeconds.Select(b => TimeSpan.FromSeconds(b).Ticks)];
    private readonly long[] _buckets = new long[boundsSeconds.Length + 1];
    private long _sumTicks;

    /// <summary>For calls to the storage and requests: from under a millisecond to a long poll.</summary>
    public static DurationHistogram OfCalls() => new(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60);

    /// <summary>One more.</summary>
    public void Record(TimeSpan elapsed)
    {
        var bucket = 0;
        while (bucket < _boundTicks.Length && elapsed.Ticks > _boundTicks[bucket])
        {
            bucket++;
        }

        Interlocked.Add(ref _sumTicks, elapsed.Ticks);
        Interlocked.Increment(ref _buckets[bucket]);
    }

    /// <summary>Prints it as one series of the family that <paramref name="text"/> stands at. What is recorded meanwhile may be in the sum and not yet in the count.</summary>
    public void PrintTo(MetricText text, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        ArgumentNullException.ThrowIfNull(text);
        var count = 0L;
        for (var i = 0; i < _buckets.Length; i++)
        {
            count += Volatile.Read(ref _buckets[i]);
            var end = i < boundsSeconds.Length ? boundsSeconds[i].ToString("R", CultureInfo.InvariantCulture) : "+Inf";
            text.Sample("_bucket", count, [.. labels, ("le", end)]);
        }

        text.Sample("_sum", TimeSpan.FromTicks(Volatile.Read(ref _sumTicks)).TotalSeconds, labels);
        text.Sample("_count", count, labels);
    }
}
