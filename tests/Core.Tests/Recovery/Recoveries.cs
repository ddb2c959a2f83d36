using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Recovery;

namespace Baton.Core.Tests.Recovery;

/// <summary>Replicas, logs and endpoints to test with.</summary>
internal static class Recoveries
{
    public const string Channel = "ch0";

    public static ReplicaKey Key(string id = "n1") => new(Channel, id);

    public static ReplicaEndpoint Endpoint(string id = "n1", long version = 1) => new(new Uri($"http://{id}:9000"), new Uri($"http://{id}:9001"), version);

    public static ReplicaSender Sender(long epoch = 1, string id = "n1") => new(Key(id), Endpoint(id), epoch);

    /// <summary>A log from its tail, head and committed end.</summary>
    public static RetainedHistory Log(long tail, long head, long committed, long snapshot = 0, bool trusted = false) => new(head, tail, committed, snapshot, trusted);

    /// <summary>A log written through what is committed, of which all is retained.</summary>
    public static RetainedHistory Log(long committed) => Log(0, committed, committed);

    /// <summary>A replica whose last record is the one that the log has there.</summary>
    public static ReplicaPosition Replica(long flushed) => new(flushed, flushed == 0 ? null : Mark(flushed));

    /// <summary>The log's record at an LSN, as long as nothing diverged.</summary>
    public static RecordMark Mark(long lsn) => new(1, 1_000_000 + lsn);

    /// <summary>What a control plane that died finds in its place.</summary>
    public static T Kept<T>(T value) => JsonSerializer.Deserialize<T>(Json(value), BatonJson.Options)!;

    public static string Json<T>(T value) => JsonSerializer.Serialize(value, BatonJson.Options);

    public static AssignmentIntent Intent(long epoch, string[] replicas, params (string Id, SessionKind Kind)[] targets) =>
        Intent(epoch, [.. replicas.Select(r => new AssignedReplica(r, Endpoint(r)))], targets);

    public static AssignmentIntent Intent(long epoch, AssignedReplica[] replicas, params (string Id, SessionKind Kind)[] targets) =>
        new(Channel, epoch, replicas, targets.ToDictionary(t => t.Id, t => t.Kind, StringComparer.Ordinal));
}

/// <summary>A sender and its calls, one after the other. Every call is also made on what is left of the sender as JSON, and must lead to the same.</summary>
internal sealed class LiveSender
{
    private long _lastSessionId;

    public LiveSender(ReplicaSender? sender = null) => Now = sender ?? Recoveries.Sender();

    public ReplicaSender Now { get; private set; }

    public RecoverySession Session => Now.Session!;

    /// <summary>Makes a call.</summary>
    /// <returns>Why it was refused, or null.</returns>
    public string? Do(Func<ReplicaSender, SenderStep> call) => Step(call).Refused;

    public SenderStep Step(Func<ReplicaSender, SenderStep> call)
    {
        var step = call(Now);
        Assert.Equal(step, call(Recoveries.Kept(Now)));
        Assert.Equal(step.Sender, Recoveries.Kept(step.Sender));
        if (step.Refused is not (null or Refusals.NoHistory))
        {
            Assert.Same(Now, step.Sender);
        }

        Now = step.Sender;
        return step;
    }

    public void Become(Func<ReplicaSender, ReplicaSender> call) => Step(s => new SenderStep(call(s)));

    /// <summary>A new session.</summary>
    /// <returns>Its id.</returns>
    public long Attach(SessionKind kind = SessionKind.Catchup, RecoveryBudget? budget = null)
    {
        _lastSessionId++;
        Assert.Null(Do(s => s.Attach(_lastSessionId, s.Epoch, kind, budget)));
        return _lastSessionId;
    }

    public long Connecting(SessionKind kind = SessionKind.Catchup, RecoveryBudget? budget = null)
    {
        var id = Attach(kind, budget);
        Assert.Null(Do(s => s.BeginConnect(id)));
        return id;
    }

    public long Handshaken(long start, long target, SessionKind kind = SessionKind.Catchup, RecoveryBudget? budget = null)
    {
        var id = Connecting(kind, budget);
        Assert.Null(Do(s => s.RecordHandshake(id, start, target)));
        return id;
    }

    public long CatchingUp(long start, long target, RecoveryBudget? budget = null, long tick = 0)
    {
        var id = Handshaken(start, target, SessionKind.Catchup, budget);
        Assert.Null(Do(s => s.BeginCatchUp(id, tick)));
        return id;
    }

    /// <summary>A rebuild whose base is being transferred.</summary>
    public long Rebuilding(RetainedHistory history, RecoveryBudget? budget = null)
    {
        var id = Handshaken(0, history.CommittedLsn, SessionKind.Rebuild, budget);
        Assert.Null(Do(s => s.SelectSource(id, history)));
        Assert.Null(Do(s => s.BeginTransfer(id, 0)));
        return id;
    }
}
