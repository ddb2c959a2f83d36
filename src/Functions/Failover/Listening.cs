namespace Baton.Functions.Failover;

/// <summary>
/// Since when this process can be sure to have heard of every heartbeat. Silence counts from then: while no control plane was there, or its storage took nothing, every node was silent to
/// it, and a node is not to be blamed for that. It begins with the process, and anew when a heartbeat could not be kept, and when the sweeps themselves have failed or were away for longer
/// than half of the timeout.
/// </summary>
internal sealed class Listening(FailoverOptions options, TimeProvider time)
{
    // A sweep comes every second; one that is half a second late is no sign of anything.
    private static readonly TimeSpan ShortestGap = TimeSpan.FromMilliseconds(1_500);

    private readonly Lock _lock = new();
    private DateTimeOffset _since = time.GetUtcNow();
    private DateTimeOffset _lastSweep = time.GetUtcNow();

    /// <summary>UTC.</summary>
    public DateTimeOffset Since
    {
        get
        {
            lock (_lock)
            {
                return _since;
            }
        }
    }

    /// <summary>A heartbeat came, and the storage could not keep it: others may have been lost as well, here or at another instance.</summary>
    public void BeatLost()
    {
        lock (_lock)
        {
            _since = time.GetUtcNow();
        }
    }

    /// <summary>A sweep has read the heartbeats.</summary>
    public void Swept()
    {
        var gap = options.HeartbeatTimeout / 2 > ShortestGap ? options.HeartbeatTimeout / 2 : ShortestGap;
        lock (_lock)
        {
            var now = time.GetUtcNow();
            if (now - _lastSweep > gap)
            {
                _since = now;
            }

            _lastSweep = now;
        }
    }
}
