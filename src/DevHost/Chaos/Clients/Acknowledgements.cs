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
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Acknowledgement> _newest = new(StringComparer.Ordinal);
    private readonly List<(string Channel, long Term, TaskCompletionSource<Acknowledgement> Came)> _awaited = [];

    /// <summary>How many each writer has.</summary>
    public IReadOnlyDictionary<string, int> Counts => _byWriter.ToDictionary(w => w.Key, w => w.Value.Count, StringComparer.Ordinal);

    /// <summary>Takes note of one. Those of one writer come in order.</summary>
    public void Add(Acknowledgement acknowledgement)
    {
        ArgumentNullException.ThrowIfNull(acknowledgement);
        _byWriter.GetOrAdd(acknowledgement.Writer, _ => new()).Enqueue(acknowledgement);
        lock (_lock)
        {
            if (_newest.TryGetValue(acknowledgement.Channel, out var newest) && newest.Term >= acknowledgement.Term)
            {
                return;
            }

            _newest[acknowledgement.Channel] = acknowledgement;
            foreach (var awaited in _awaited.Where(a => a.Channel == acknowledgement.Channel && a.Term < acknowledgement.Term).ToList())
            {
                awaited.Came.SetResult(acknowledgement);
                _awaited.Remove(awaited);
            }
        }
    }

    /// <summary>The first write that is acknowledged on a channel above a term.</summary>
    public Task<Acknowledgement> FirstAboveAsync(string channel, long term)
    {
        lock (_lock)
        {
            if (_newest.TryGetValue(channel, out var newest) && newest.Term > term)
            {
                return Task.FromResult(newest);
            }

            var came = new TaskCompletionSource<Acknowledgement>(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited.Add((channel, term, came));
            return came.Task;
        }
    }

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
}
