using Baton.Core.Metadata;
using Baton.Node.Channels;

namespace Baton.Node.Metadata;

/// <summary>
/// This node's copy of the catalogue: the state that durable records have led to, whoever applied them, leader or follower. It only goes forward, but for a rebuild after it was found to
/// differ. Readers take a state and keep it: states never change.
/// </summary>
internal sealed class MetadataCopy(TimeProvider time)
{
    /// <summary>The latest states kept, so that a leader's hash of a moment ago can be compared with.</summary>
    private const int Kept = 4_096;

    private readonly Lock _gate = new();
    private readonly Lock _hashing = new();
    private readonly Queue<MetadataState> _recent = new();
    private readonly DurableProgress _progress = new();
    private MetadataState _state = MetadataState.Empty;
    private long _currentAt = time.GetTimestamp();
    private bool _wasCurrent;
    private Hashed? _hashed;

    /// <summary>The state.</summary>
    public MetadataState State => Volatile.Read(ref _state);

    /// <summary>Completes at the next change. Take it before <see cref="State"/>.</summary>
    public Task Moved => _progress.Moved;

    /// <summary>How long ago this copy was known to have all that the leader had; null before the first time.</summary>
    public TimeSpan? Age
    {
        get
        {
            lock (_gate)
            {
                return _wasCurrent ? time.GetElapsedTime(_currentAt) : null;
            }
        }
    }

    /// <summary>A later state is durable. An earlier one than the present changes nothing.</summary>
    public void Publish(MetadataState state)
    {
        lock (_gate)
        {
            if (state.LastLsn <= _state.LastLsn)
            {
                return;
            }

            _recent.Enqueue(state);
            if (_recent.Count > Kept)
            {
                _recent.Dequeue();
            }

            Volatile.Write(ref _state, state);
        }

        _progress.Pulse();
    }

    /// <summary>The copy is as the leader's through <paramref name="leaderLsn"/>, which the leader has said just now to be its end.</summary>
    public void SeenLeaderAt(long leaderLsn)
    {
        lock (_gate)
        {
            if (_state.LastLsn >= leaderLsn)
            {
                (_currentAt, _wasCurrent) = (time.GetTimestamp(), true);
            }
        }
    }

    /// <summary>What the log says, in place of a copy that was found to differ from it; not where the copy has gone on meanwhile, as that of a node which has come to lead.</summary>
    public void Replace(MetadataState rebuilt)
    {
        lock (_gate)
        {
            if (rebuilt.LastLsn < _state.LastLsn)
            {
                return;
            }

            _recent.Clear();
            _recent.Enqueue(rebuilt);
            Volatile.Write(ref _state, rebuilt);
        }

        _progress.Pulse();
    }

    /// <summary>The state as it was at exactly <paramref name="lsn"/>, if it is among the latest.</summary>
    public MetadataState? At(long lsn)
    {
        lock (_gate)
        {
            return _state.LastLsn == lsn ? _state : _recent.FirstOrDefault(s => s.LastLsn == lsn);
        }
    }

    /// <summary>Hash of a state. Who asks again for the same one gets it for nothing: it takes milliseconds where there are many topics.</summary>
    public string HashOf(MetadataState state)
    {
        if (Volatile.Read(ref _hashed) is { } hashed && ReferenceEquals(hashed.State, state))
        {
            return hashed.Hash;
        }

        // One at a time, however many ask: of a large catalogue each takes a core for a while.
        lock (_hashing)
        {
            if (_hashed is { } just && ReferenceEquals(just.State, state))
            {
                return just.Hash;
            }

            var hash = state.Hash();
            Volatile.Write(ref _hashed, new Hashed(state, hash));
            return hash;
        }
    }

    /// <summary>Waits until <paramref name="holds"/>, for <paramref name="wait"/> at most. Answers whether it does.</summary>
    public async Task<bool> WaitAsync(Func<MetadataState, bool> holds, TimeSpan wait, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            var moved = Moved;
            if (holds(State))
            {
                return true;
            }

            var left = wait - time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                return false;
            }

            await moved.WaitAsync(left, time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ct.ThrowIfCancellationRequested();
        }
    }

    private sealed record Hashed(MetadataState State, string Hash);
}
