using Baton.Core.Api;

namespace Baton.Node.Replicas;

/// <summary>
/// The recovery session that a replica obeys, if any. Ids only rise: a lower one is an old message, whatever became of its session. A session that nobody
/// calls for a while binds no longer, so that a control plane that has died does not keep a replica from following.
/// </summary>
internal sealed class ReplicaSession(TimeProvider time, TimeSpan idle)
{
    private readonly Lock _gate = new();
    private long _id;
    private long _highest;
    private long _released;
    private long _calledAt;

    /// <summary>The term at which the bound session was made; 0 when none is bound.</summary>
    public long Epoch { get; private set; }

    /// <summary>How long it still binds without another call; zero when none is bound.</summary>
    public TimeSpan Left
    {
        get
        {
            lock (_gate)
            {
                return LeftInGate();
            }
        }
    }

    /// <summary>Binds a session, or notes another call of the one that is bound. True where it was not bound before.</summary>
    /// <exception cref="ApiException">Conflict: there was a higher one, or it was released: this is a late copy of its first call.</exception>
    public bool Bind(long id, long epoch)
    {
        lock (_gate)
        {
            if (id < _highest)
            {
                throw new ApiException(ApiErrorCode.Conflict, $"session ID mismatch: session {_highest} has been here, {id} is older");
            }

            if (id == _released)
            {
                throw new ApiException(ApiErrorCode.Conflict, $"no active session: session {id} was released");
            }

            var isNew = LeftInGate() == TimeSpan.Zero || id != _id || epoch != Epoch;
            (_id, _highest, Epoch, _calledAt) = (id, id, epoch, time.GetTimestamp());
            return isNew;
        }
    }

    /// <summary>Notes a call of a session.</summary>
    /// <exception cref="ApiException">Conflict: it is not the one that is bound.</exception>
    public void Call(long id)
    {
        lock (_gate)
        {
            if (LeftInGate() == TimeSpan.Zero)
            {
                throw new ApiException(ApiErrorCode.Conflict, "no active session");
            }

            if (id != _id)
            {
                throw new ApiException(ApiErrorCode.Conflict, $"session ID mismatch: session {_id} is bound, not {id}");
            }

            _calledAt = time.GetTimestamp();
        }
    }

    /// <summary>Lets go of a session. False where it had been let go of already.</summary>
    /// <exception cref="ApiException">Conflict: another one is bound, or has been.</exception>
    public bool Release(long id)
    {
        lock (_gate)
        {
            if (id != _highest)
            {
                throw new ApiException(ApiErrorCode.Conflict, _id == 0 ? "no active session" : $"session ID mismatch: session {_highest} is the last one, not {id}");
            }

            var bound = _id != 0;
            (_id, Epoch, _released) = (0, 0, id);
            return bound;
        }
    }

    /// <summary>Lets go of whatever is bound.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            (_id, Epoch) = (0, 0);
        }
    }

    private TimeSpan LeftInGate()
    {
        var left = _id == 0 ? TimeSpan.Zero : idle - time.GetElapsedTime(_calledAt);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}
