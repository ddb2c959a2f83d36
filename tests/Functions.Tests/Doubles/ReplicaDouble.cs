using Baton.Core.Api;
using Baton.Core.Recovery;

namespace Baton.Functions.Tests.Doubles;

/// <summary>What an intercepted call throws for a connection that ends before the answer.</summary>
internal sealed class LostConnectionException : Exception;

/// <summary>A channel's log as its leader tells of it: records 1 to <see cref="HeadLsn"/>, of which those from <see cref="FirstLsn"/> on are retained.</summary>
internal sealed class LogDouble
{
    public long FirstLsn { get; set; } = 1;

    public long HeadLsn { get; set; } = 100;

    public long CommittedLsn { get; set; } = 100;

    public long SnapshotLsn { get; set; }

    public bool SnapshotVerified { get; set; }

    /// <summary>A record of the log.</summary>
    public static RecordMark Record(long lsn) => new(1, 1_000 + lsn);

    /// <summary>A record that another leader wrote there and that did not become durable.</summary>
    public static RecordMark Foreign(long lsn) => new(1, 9_000 + lsn);

    public ChannelHistoryResponse Tell(long term, long? lsn, bool verify) => new(
        term,
        FirstLsn,
        HeadLsn,
        CommittedLsn,
        SnapshotLsn,
        verify && SnapshotVerified,
        lsn is { } at && at >= FirstLsn && at <= CommittedLsn ? new ReplicaPositionResponse(at, Record(at).Term, Record(at).Crc) : null);
}

/// <summary>A replica's copy, and its part in a recovery session, as a node plays it.</summary>
internal sealed class ReplicaDouble(LogDouble log)
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<long, RecordMark> _records = [];
    private long _highest;
    private long _bound;
    private long _released;
    private long _rebuiltBy;
    private long _bytes;

    /// <summary>What it says of itself in heartbeats.</summary>
    public FollowState State { get; set; } = FollowState.Following;

    /// <summary>Records that one order fetches before it answers.</summary>
    public long PerOrder { get; set; } = long.MaxValue;

    /// <summary>Bytes of a record.</summary>
    public long RecordBytes { get; set; } = 10;

    /// <summary>Puts another answer in the place of one.</summary>
    public Func<string, object, object> Doctor { get; set; } = (_, answer) => answer;

    public long FirstLsn { get; private set; } = 1;

    public long FlushedLsn
    {
        get
        {
            lock (_lock)
            {
                return Flushed;
            }
        }
    }

    /// <summary>The session that it obeys; 0 for none.</summary>
    public long Bound
    {
        get
        {
            lock (_lock)
            {
                return _bound;
            }
        }
    }

    /// <summary>Every record of it is the log's, and none that is committed is missing: what in sync must mean.</summary>
    public bool HasTheLog
    {
        get
        {
            lock (_lock)
            {
                return Flushed >= log.CommittedLsn && _records.All(r => r.Key > log.CommittedLsn || r.Value == LogDouble.Record(r.Key));
            }
        }
    }

    private long Flushed => FirstLsn - 1 + _records.Count;

    /// <summary>Gives it the log's records up to <paramref name="lsn"/>, and foreign ones behind those up to <paramref name="foreignTo"/>.</summary>
    public ReplicaDouble Holding(long lsn, long foreignTo = 0, long from = 1)
    {
        lock (_lock)
        {
            FirstLsn = from;
            _records.Clear();
            for (var at = from; at <= Math.Max(lsn, foreignTo); at++)
            {
                _records[at] = at <= lsn ? LogDouble.Record(at) : LogDouble.Foreign(at);
            }

            return this;
        }
    }

    /// <summary>Forgets the session that it is bound to, as after a silence.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _bound = 0;
        }
    }

    public object Take(string step, object order)
    {
        lock (_lock)
        {
            var answer = order switch
            {
                ReplicaConnectRequest o => Connect(o),
                ReplicaSessionRequest o when step == "release" => Release(o),
                ReplicaSessionRequest o => (object?)Refusal(o.SessionId) ?? Handshake(),
                ReplicaPositionRequest o => (object?)Refusal(o.SessionId) ?? Position(o.Lsn),
                ReplicaTruncateRequest o => (object?)Refusal(o.SessionId) ?? Truncate(o.Lsn),
                ReplicaCatchUpRequest o => (object?)Refusal(o.SessionId) ?? CatchUp(o.TargetLsn),
                ReplicaRebuildRequest o => (object?)Refusal(o.SessionId) ?? Rebuild(o),
                _ => throw new NotSupportedException(step),
            };
            return answer is ApiError ? answer : Doctor(step, answer);
        }
    }

    private static ApiError Conflict(string why) => new(ApiErrorCode.Conflict, why);

    private ApiError? Refusal(long session) => _bound == session ? null : Conflict(_bound == 0 ? Refusals.NoActiveSession : $"{Refusals.SessionIdMismatch}: session {_bound} is bound, not {session}");

    private object Connect(ReplicaConnectRequest order)
    {
        if (order.SessionId < _highest || order.SessionId == _released)
        {
            return Conflict($"{Refusals.SessionIdMismatch}: session {_highest} has been here");
        }

        _bytes = order.SessionId == _highest ? _bytes : 0;
        (_highest, _bound) = (order.SessionId, order.SessionId);
        return new ReplicaConnectResponse(State, order.Epoch, FirstLsn, Flushed);
    }

    private object Release(ReplicaSessionRequest order)
    {
        if (order.SessionId < _highest)
        {
            return Conflict(Refusals.SessionIdMismatch);
        }

        (_bound, _released) = (0, order.SessionId);
        return new ChannelStatus("", "replica", 1, Flushed, Flushed, Core.Replication.ClusterRole.Standalone, null, [], 0);
    }

    private ReplicaHandshakeResponse Handshake() =>
        _records.Count == 0 ? new ReplicaHandshakeResponse(Flushed, 0, 0, FirstLsn) : new ReplicaHandshakeResponse(Flushed, _records[Flushed].Term, _records[Flushed].Crc, FirstLsn);

    private object Position(long lsn) =>
        _records.TryGetValue(lsn, out var record) ? new ReplicaPositionResponse(lsn, record.Term, record.Crc) : new ApiError(ApiErrorCode.NotFound, $"no record at LSN {lsn}");

    private ReplicaHandshakeResponse Truncate(long lsn)
    {
        foreach (var above in _records.Keys.Where(l => l > lsn).ToList())
        {
            _records.Remove(above);
        }

        return Handshake();
    }

    private ReplicaCatchUpResponse CatchUp(long target)
    {
        Fetch(target);
        return new ReplicaCatchUpResponse(Math.Min(Flushed, target), Flushed >= target, State, _bytes);
    }

    private ReplicaRebuildResponse Rebuild(ReplicaRebuildRequest order)
    {
        var isSnapshot = order.Source == ReplicaRebuildRequest.SnapshotTail;
        if (_rebuiltBy != order.SessionId)
        {
            _rebuiltBy = order.SessionId;
            _records.Clear();
            FirstLsn = isSnapshot ? log.SnapshotLsn + 1 : log.FirstLsn;
        }

        Fetch(order.TargetLsn);
        var isDone = Flushed >= order.TargetLsn;
        return new ReplicaRebuildResponse(isDone ? "completed" : isSnapshot ? "tail_replay" : "transfer", Math.Min(Flushed, order.TargetLsn), isDone, isSnapshot ? log.SnapshotLsn : null, _bytes);
    }

    private void Fetch(long target)
    {
        for (var n = 0L; n < PerOrder && Flushed < target; n++)
        {
            _records[Flushed + 1] = LogDouble.Record(Flushed + 1);
            _bytes += RecordBytes;
        }
    }
}
