namespace Baton.Core.Recovery;

/// <summary>The replicas that a channel should have, as a value: what to keep of them between two intents.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Epoch">The highest epoch heard of; what comes at a lower one is late.</param>
/// <param name="Senders">One for each replica, by id.</param>
public sealed record ChannelReplicas(string Channel, long Epoch, IReadOnlyList<ReplicaSender> Senders)
{
    /// <summary>A channel of which nothing is known.</summary>
    public static ChannelReplicas Unknown(string channel) => new(channel, 0, []);

    /// <summary>The replica's sender, or null.</summary>
    public ReplicaSender? Find(string replicaId) => Senders.FirstOrDefault(s => s.Replica.ReplicaId == replicaId);

    /// <summary>Makes the channel what <paramref name="intent"/> says. The same intent again changes nothing: sessions that run as it wants them run on. One of an epoch that has passed has no effect at all.</summary>
    /// <param name="intent">What should be.</param>
    /// <param name="lastSessionId">The last session id given out in the cluster.</param>
    public AssignmentStep Apply(AssignmentIntent intent, long lastSessionId)
    {
        ArgumentNullException.ThrowIfNull(intent);
        if (intent.Replicas.DistinctBy(r => r.ReplicaId, StringComparer.Ordinal).Count() < intent.Replicas.Count)
        {
            throw new ArgumentException($"an intent for {Channel} lists a replica twice", nameof(intent));
        }

        var targets = intent.RecoveryTargets.OrderBy(t => t.Key, StringComparer.Ordinal).ToList();
        if (intent.Epoch < Epoch)
        {
            return new(
                this,
                lastSessionId,
                new AssignmentResult([], [], [], [], [.. targets.Select(t => t.Key)]),
                [.. targets.Select(t => Event(t.Key, 0, RecoveryEvents.SessionFailed, Refusals.StaleEpoch))]);
        }

        var reconciliation = new Reconciliation(this, intent, lastSessionId);
        reconciliation.GiveUpUnlisted();
        reconciliation.AddOrUpdateListed();
        targets.ForEach(t => reconciliation.Recover(t.Key, t.Value));
        return reconciliation.End();
    }

    /// <summary>
    /// Declares every epoch below <paramref name="epoch"/> over: its sessions end, and none can be made at it any more.
    /// </summary>
    /// <returns>The channel after it, and one event for each session that ended.</returns>
    public (ChannelReplicas After, IReadOnlyList<RecoveryEvent> Events) InvalidateEpoch(long epoch)
    {
        if (epoch <= Epoch && Senders.All(s => epoch <= s.Epoch))
        {
            return (this, []);
        }

        var events = new List<RecoveryEvent>();
        var reason = RecoveryEvents.EpochBumpTo(epoch);
        var after = Senders.Select(s => Ended(s, s.UpdateEpoch(epoch, reason), events)).ToList();
        return (this with { Epoch = Math.Max(Epoch, epoch), Senders = after }, events);
    }

    /// <summary>The channel with a sender in the place of the one of its replica.</summary>
    internal ChannelReplicas With(ReplicaSender sender) => this with
    {
        Epoch = Math.Max(Epoch, sender.Epoch),
        Senders = [.. Senders.Select(s => s.Replica == sender.Replica ? sender : s)],
    };

    private RecoveryEvent Event(string replicaId, long sessionId, string name, string detail = "") => new(Channel, replicaId, sessionId, name, detail);

    private static ReplicaSender Ended(ReplicaSender before, ReplicaSender after, List<RecoveryEvent> events)
    {
        if (before.HasActiveSession && !after.HasActiveSession && after.Session is { } session)
        {
            events.Add(RecoveryEvent.Of(after.Replica, session.Id, RecoveryEvents.SessionInvalidated, session.EndedBecause ?? ""));
        }

        return after;
    }

    /// <summary>One intent's work, in the order in which it is done.</summary>
    private sealed class Reconciliation(ChannelReplicas before, AssignmentIntent intent, long lastSessionId)
    {
        private readonly SortedDictionary<string, ReplicaSender> _senders = new(before.Senders.ToDictionary(s => s.Replica.ReplicaId, StringComparer.Ordinal), StringComparer.Ordinal);
        private readonly List<string> _added = [];
        private readonly List<string> _removed = [];
        private readonly List<string> _created = [];
        private readonly List<string> _superseded = [];
        private readonly List<string> _failed = [];
        private readonly List<RecoveryEvent> _events = [];
        private long _lastSessionId = lastSessionId;

        public void GiveUpUnlisted()
        {
            foreach (var gone in _senders.Keys.Except(intent.Replicas.Select(r => r.ReplicaId), StringComparer.Ordinal).ToList())
            {
                Ended(_senders[gone], _senders[gone].Stop(), _events);
                _senders.Remove(gone);
                _removed.Add(gone);
                _events.Add(before.Event(gone, 0, RecoveryEvents.SenderRemoved));
            }
        }

        public void AddOrUpdateListed()
        {
            foreach (var listed in intent.Replicas.OrderBy(r => r.ReplicaId, StringComparer.Ordinal))
            {
                if (_senders.TryGetValue(listed.ReplicaId, out var known) && !known.Stopped)
                {
                    _senders[listed.ReplicaId] = Ended(known, known.UpdateEndpoint(listed.Endpoint).UpdateEpoch(intent.Epoch), _events);
                    continue;
                }

                _senders[listed.ReplicaId] = new ReplicaSender(new ReplicaKey(intent.Channel, listed.ReplicaId), listed.Endpoint, intent.Epoch);
                _added.Add(listed.ReplicaId);
                _events.Add(before.Event(listed.ReplicaId, 0, RecoveryEvents.SenderAdded));
            }
        }

        public void Recover(string replicaId, SessionKind kind)
        {
            if (!_senders.TryGetValue(replicaId, out var sender))
            {
                Fail(replicaId, Refusals.UnknownReplica);
                return;
            }

            // What runs was made at this epoch and endpoint, or it would have ended just now.
            var superseded = sender.HasActiveSession;
            if (superseded && sender.Session?.Kind == kind)
            {
                return;
            }

            var step = superseded ? sender.Supersede(_lastSessionId + 1, kind, intent.Budget) : sender.Attach(_lastSessionId + 1, intent.Epoch, kind, intent.Budget);
            if (step.Refused is { } refused)
            {
                Fail(replicaId, refused);
                return;
            }

            _senders[replicaId] = step.Sender;
            _lastSessionId++;
            (superseded ? _superseded : _created).Add(replicaId);
            var detail = $"kind={RecoveryEvents.Text(kind)}" + (superseded ? $" in place of session {sender.Session?.Id}" : "");
            _events.Add(before.Event(replicaId, _lastSessionId, superseded ? RecoveryEvents.SessionSuperseded : RecoveryEvents.SessionCreated, detail));
        }

        public AssignmentStep End() => new(
            before with { Epoch = intent.Epoch, Senders = [.. _senders.Values] },
            _lastSessionId,
            new AssignmentResult(_added, _removed, _created, _superseded, _failed),
            _events);

        private void Fail(string replicaId, string reason)
        {
            _failed.Add(replicaId);
            _events.Add(before.Event(replicaId, 0, RecoveryEvents.SessionFailed, reason));
        }
    }
}

/// <summary>What an intent led to.</summary>
/// <param name="After">The channel after it.</param>
/// <param name="LastSessionId">The last session id given out now.</param>
/// <param name="Result">What was changed.</param>
/// <param name="Events">What to write down.</param>
public sealed record AssignmentStep(ChannelReplicas After, long LastSessionId, AssignmentResult Result, IReadOnlyList<RecoveryEvent> Events);
