using System.Collections.Concurrent;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>A write that a client was told is durable.</summary>
/// <param name="Channel">Where it went.</param>
/// <param name="Writer">Whose it is.</param>
/// <param name="Term">The term it was written at.</param>
/// <param name="SentAt">When it was sent, once (UTC).</param>
/// <param name="At">When the answer was there (UTC).</param>
public sealed record Acknowledgement(string Channel, string Writer, long Term, DateTimeOffset SentAt, DateTimeOffset At);

/// <summary>When which writer was answered: what a failover looks like to those who write.</summary>
public sealed class Acknowledgements
{
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Acknowledgement>> _byWriter = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Channel, long Term), TaskCompletionSource<Acknowledgement>> _first = new();

    /// <summary>How many each writer has.</summary>
    public IReadOnlyDictionary<string, int> Counts => _byWriter.ToDictionary(w => w.Key, w => w.Value.Count, StringComparer.Ordinal);

    /// <summary>Takes note of one. Those of one writer come in order.</summary>
    public void Add(Acknowledgement acknowledgement)
    {
        ArgumentNullException.ThrowIfNull(acknowledgement);
        _byWriter.GetOrAdd(acknowledgement.Writer, _ => new()).Enqueue(acknowledgement);
        First(acknowledgement.Channel, acknowledgement.Term).TrySetResult(acknowledgement);
    }

    /// <summary>The first write that is acknowledged on a channel at a term.</summary>
    public Task<Acknowledgement> FirstAsync(string channel, long term) => First(channel, term).Task;

    /// <summary>The longest that any writer waited between two acknowledgements of which the second came at or after <paramref name="since"/>, and who that was.</summary>
    public (TimeSpan Gap, string Writer) LongestGap(DateTimeOffset since)
    {
        var longest = (Gap: TimeSpan.Zero, Writer: string.Empty);
        foreach (var (writer, acknowledgements) in _byWriter)
        {
            DateTimeOffset? before = null;
            foreach (var at in acknowledgements.Select(a => a.At))
            {
                if (before is { } last && at >= since && at - last > longest.Gap)
                {
                    longest = (at - last, writer);
                }

                before = at;
            }
        }

        return longest;
    }

    private TaskCompletionSource<Acknowledgement> First(string channel, long term) => _first.GetOrAdd((channel, term), _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
