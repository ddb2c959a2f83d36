namespace Baton.Functions.Failover;

/// <summary>
/// Since when this process can be sure to have heard of every heartbeat. Silence counts from then: while no control plane was there, or its storage took nothing, every node was silent to
/// it, and a node is not to be blamed for that. It begins with the process, and anew while heartbeats come and none can be kept, and when the sweeps themselves have failed or were away.
/// <para>
/// A node whose own beat could not be kept was heard all the same. That alone excuses no other: a storage that refuses one call in a hundred loses a beat of a large cluster every second, and no
/// silence would ever count.
/// </para>
/// </summary>
internal sealed class Listening(FailoverOptions options, TimeProvider time)
{
    // A sweep comes every second; one that is half a second late is no sign of anything.
    private static readonly TimeSpan ShortestGap = TimeSpan.FromMilliseconds(1_500);

    // So many sweeps in a row that come as rarely are no absence but the schedule.
    private const int Usual = 3;

    // Anybody with a key may beat under any name.
    private const int MostHeard = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, DateTimeOffset> _heard = new(StringComparer.Ordinal);
    private readonly Queue<TimeSpan> _rounds = new();
    private DateTimeOffset _since = time.GetUtcNow();
    private DateTimeOffset _lastSweep = time.GetUtcNow();
    private DateTimeOffset _lastRound = time.GetUtcNow();
    private DateTimeOffset _lastKept = time.GetUtcNow();

    private TimeSpan Gap => options.HeartbeatTimeout / 2 > ShortestGap ? options.HeartbeatTimeout / 2 : ShortestGap;

    /// <summary>When (UTC) the node was last heard of whose last kept beat is of <paramref name="kept"/>.</summary>
    public DateTimeOffset LastHeard(string nodeId, DateTimeOffset kept)
    {
        lock (_lock)
        {
            return _heard.TryGetValue(nodeId, out var lost) && lost > kept ? lost : kept;
        }
    }

    /// <summary>From when on (UTC) the silence of a node counts whose last kept beat is of <paramref name="kept"/>.</summary>
    public DateTimeOffset SilentSince(string nodeId, DateTimeOffset kept)
    {
        lock (_lock)
        {
            var heard = LastHeard(nodeId, kept);
            return heard > _since ? heard : _since;
        }
    }

    /// <summary>A heartbeat came, and was kept.</summary>
    public void BeatKept()
    {
        lock (_lock)
        {
            _lastKept = time.GetUtcNow();
        }
    }

    /// <summary>A heartbeat came, and could not be kept. Where none could for a while, others have been lost as well, here or at another instance.</summary>
    public void BeatLost(string nodeId)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            foreach (var old in _heard.Where(h => now - h.Value > options.HeartbeatTimeout).Select(h => h.Key).ToList())
            {
                _heard.Remove(old);
            }

            if (_heard.Count < MostHeard)
            {
                _heard[nodeId] = now;
            }

            if (now - _lastKept > Gap)
            {
                _since = now;
            }
        }
    }

    /// <summary>A sweep has read the heartbeats.</summary>
    /// <param name="again">Not for the first time in its run.</param>
    public void Swept(bool again)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            var usual = _rounds.Count < Usual ? TimeSpan.Zero : _rounds.Min() * 1.5;
            if (now - _lastSweep > (usual > Gap ? usual : Gap))
            {
                _since = now;
            }

            _lastSweep = now;
            if (!again)
            {
                _rounds.Enqueue(now - _lastRound);
                _lastRound = now;
                if (_rounds.Count > Usual)
                {
                    _rounds.Dequeue();
                }
            }
        }
    }
}
