namespace Baton.Core.Recovery;

/// <summary>The latest events, in the order in which they happened. Any number of threads may write and read; a reader gets a copy, numbered without a gap.</summary>
/// <param name="capacity">How many are kept; older ones are forgotten.</param>
public sealed class RecoveryLog(int capacity = RecoveryLog.DefaultCapacity)
{
    /// <summary>How many events are kept unless told otherwise.</summary>
    public const int DefaultCapacity = 10_000;

    private readonly Lock _gate = new();
    private readonly Queue<RecoveryEvent> _events = new();
    private long _written;

    /// <summary>Writes events, with nothing in between.</summary>
    public void Record(IReadOnlyCollection<RecoveryEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        lock (_gate)
        {
            foreach (var entry in events)
            {
                _events.Enqueue(entry);
                _written++;
                if (_events.Count > capacity)
                {
                    _events.Dequeue();
                }
            }
        }
    }

    /// <summary>What is kept of the events behind number <paramref name="after"/>. The first ever is number 1.</summary>
    public IReadOnlyList<(long Number, RecoveryEvent Event)> Read(long after = 0)
    {
        lock (_gate)
        {
            var forgotten = _written - _events.Count;
            return [.. _events.Select((e, i) => (Number: forgotten + i + 1, Event: e)).Where(e => e.Number > after)];
        }
    }
}
