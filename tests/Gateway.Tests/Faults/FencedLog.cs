using Baton.Core.Api;

namespace Baton.Gateway.Tests.Faults;

/// <summary>An entry of the log: what the client sent, under which stamp.</summary>
internal sealed record LogEntry(long Lsn, string Payload, string Producer, long Sequence);

/// <summary>
/// The log of one channel as the storage keeps it, with the rules of the real one: a term fences all lower ones, a producer's sequences only rise, the same again is answered as the first time.
/// </summary>
internal sealed class FencedLog
{
    private readonly Lock _lock = new();
    private readonly List<LogEntry> _entries = [];
    private readonly Dictionary<string, Dictionary<long, LogEntry>> _producers = new(StringComparer.Ordinal);
    private long _term = 1;

    public IReadOnlyList<LogEntry> Entries
    {
        get
        {
            lock (_lock)
            {
                return [.. _entries];
            }
        }
    }

    /// <summary>A leader of a higher term takes it over.</summary>
    public void Fence(long term)
    {
        lock (_lock)
        {
            _term = Math.Max(_term, term);
        }
    }

    /// <summary>An append by the leader of <paramref name="term"/>; null where it is fenced.</summary>
    /// <exception cref="ApiException">409: a sequence below the producer's latest that is no repeat.</exception>
    public AppendResponse? Append(long term, string payload, string producer, long sequence)
    {
        lock (_lock)
        {
            if (term < _term)
            {
                return null;
            }

            if (!_producers.TryGetValue(producer, out var writes))
            {
                _producers[producer] = writes = [];
            }

            if (!writes.TryGetValue(sequence, out var entry))
            {
                if (writes.Count > 0 && sequence < writes.Keys.Max())
                {
                    throw ApiError.Conflict($"producer {producer}: sequence {sequence} is below its latest").ToException();
                }

                entry = new LogEntry(_entries.Count + 1, payload, producer, sequence);
                _entries.Add(entry);
                writes[sequence] = entry;
            }

            return new AppendResponse(entry.Lsn, entry.Lsn, entry.Lsn, term);
        }
    }
}
