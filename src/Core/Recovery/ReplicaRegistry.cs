namespace Baton.Core.Recovery;

/// <summary>All that a registry knows, as a value.</summary>
/// <param name="LastSessionId">The last session id given out.</param>
/// <param name="Channels">The channels, by name.</param>
public sealed record RegistryState(long LastSessionId, IReadOnlyList<ChannelReplicas> Channels);

/// <summary>
/// The replicas of a cluster. Any number of threads may call it: each change is one step, written to the log before the next begins, and what a reader gets are values that nothing changes any more.
/// </summary>
public sealed class ReplicaRegistry
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, ChannelReplicas> _channels = new(StringComparer.Ordinal);
    private readonly RecoveryLog _log;
    private long _lastSessionId;

    /// <summary>A registry that goes on from <paramref name="state"/>, or begins with nothing.</summary>
    public ReplicaRegistry(RecoveryLog log, RegistryState? state = null)
    {
        ArgumentNullException.ThrowIfNull(log);
        _log = log;
        _lastSessionId = state?.LastSessionId ?? 0;
        foreach (var channel in state?.Channels ?? [])
        {
            _channels.Add(channel.Channel, channel);
        }
    }

    /// <summary>All that it knows now.</summary>
    public RegistryState State
    {
        get
        {
            lock (_gate)
            {
                return new RegistryState(_lastSessionId, [.. _channels.Values]);
            }
        }
    }

    /// <summary>A replica's sender, or null.</summary>
    public ReplicaSender? Find(ReplicaKey replica)
    {
        ArgumentNullException.ThrowIfNull(replica);
        lock (_gate)
        {
            return Of(replica.Channel).Find(replica.ReplicaId);
        }
    }

    /// <summary>The replicas of a channel that may lead it.</summary>
    public IReadOnlyList<ReplicaSender> InSync(string channel)
    {
        lock (_gate)
        {
            return [.. Of(channel).Senders.Where(s => s.IsInSync)];
        }
    }

    /// <summary>See <see cref="ChannelReplicas.Apply"/>.</summary>
    public AssignmentResult Apply(AssignmentIntent intent)
    {
        ArgumentNullException.ThrowIfNull(intent);
        lock (_gate)
        {
            var step = Of(intent.Channel).Apply(intent, _lastSessionId);
            _lastSessionId = step.LastSessionId;
            _channels[intent.Channel] = step.After;
            _log.Record(step.Events);
            return step.Result;
        }
    }

    /// <summary>See <see cref="ChannelReplicas.InvalidateEpoch"/>.</summary>
    /// <returns>How many sessions ended.</returns>
    public int InvalidateEpoch(string channel, long epoch)
    {
        lock (_gate)
        {
            var (after, events) = Of(channel).InvalidateEpoch(epoch);
            _channels[channel] = after;
            _log.Record(events);
            return events.Count;
        }
    }

    /// <summary>Takes over what a session came to. The end of one that is not the replica's any more changes nothing.</summary>
    public SenderStep? Settle(RecoveryRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return Change(run.Sender.Replica, s => s.Refusal(run.SessionId) is { } refused
            ? new(s, refused)
            : new(s with { State = run.Sender.State, Session = run.Sender.Session }));
    }

    /// <summary>Ends a session that is not to go on.</summary>
    /// <returns>What it led to; null where no such replica is known.</returns>
    public SenderStep? Invalidate(ReplicaKey replica, long sessionId, string reason)
    {
        lock (_gate)
        {
            var step = Change(replica, s => s.Invalidate(sessionId, reason));
            if (step is { Refused: null })
            {
                _log.Record([RecoveryEvent.Of(replica, sessionId, RecoveryEvents.SessionInvalidated, reason)]);
            }

            return step;
        }
    }

    /// <summary>Has a call made on a replica's sender.</summary>
    /// <returns>What it led to; null where no such replica is known.</returns>
    public SenderStep? Change(ReplicaKey replica, Func<ReplicaSender, SenderStep> call)
    {
        ArgumentNullException.ThrowIfNull(replica);
        ArgumentNullException.ThrowIfNull(call);
        lock (_gate)
        {
            var channel = Of(replica.Channel);
            if (channel.Find(replica.ReplicaId) is not { } sender)
            {
                return null;
            }

            var step = call(sender);
            _channels[replica.Channel] = channel.With(step.Sender);
            return step;
        }
    }

    private ChannelReplicas Of(string channel) => _channels.GetValueOrDefault(channel) ?? ChannelReplicas.Unknown(channel);
}
