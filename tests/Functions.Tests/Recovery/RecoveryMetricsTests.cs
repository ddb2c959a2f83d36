using System.Diagnostics.Metrics;
using Baton.Core.Recovery;
using Baton.Functions.Recovery;

namespace Baton.Functions.Tests.Recovery;

public sealed class RecoveryMetricsTests
{
    private static readonly ReplicaKey Replica = new("ch0", "n2");
    private static readonly ReplicaEndpoint Here = new(new Uri("http://127.0.0.1:1"), new Uri("http://127.0.0.1:1"), 1);

    [Fact]
    public void A_session_that_is_made_counts_once_by_its_kind()
    {
        var registry = new ReplicaRegistry(new RecoveryLog());

        Assert.Equal(["created kind=bootstrap"], Counted(registry, r => r.Apply(Intent(SessionKind.Bootstrap))));
        Assert.Empty(Counted(registry, r => r.Apply(Intent(SessionKind.Bootstrap))));
        Assert.Empty(Counted(registry, r => r.Change(Replica, s => s.BeginConnect(s.Session!.Id))));
    }

    public static TheoryData<string, string> Ends => new()
    {
        { "completed", "completed" },
        { "gap", "escalated" },
        { "budget", "escalated" },
        { "retention", "escalated" },
        { RecoveryEvents.ConnectFailed, "failed" },
        { RecoveryEvents.CatchupProgressFailed, "failed" },
        { RecoveryEvents.Cancelled, "withdrawn" },
        { "epoch", "withdrawn" },
        { "moved", "withdrawn" },
        { "dropped", "withdrawn" },
        { TakeRecovery.RunLost, "lost" },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void A_session_that_ends_counts_by_what_came_of_it(string end, string outcome)
    {
        var registry = new ReplicaRegistry(new RecoveryLog());
        registry.Apply(Intent(SessionKind.Bootstrap));

        Assert.Equal([$"ended outcome={outcome}"], Counted(registry, r => End(r, end)));
        Assert.Empty(Counted(registry, r => End(r, end)));
    }

    [Fact]
    public void A_session_that_gives_way_to_another_counts_as_an_end_and_a_beginning()
    {
        var registry = new ReplicaRegistry(new RecoveryLog());
        registry.Apply(Intent(SessionKind.Catchup));

        Assert.Equal(["created kind=rebuild", "ended outcome=withdrawn"], Counted(registry, r => r.Apply(Intent(SessionKind.Rebuild))));
    }

    private static void End(ReplicaRegistry registry, string how)
    {
        var sender = registry.Find(Replica);
        var id = sender?.Session?.Id ?? 1;
        switch (how)
        {
            case "completed":
                registry.Change(Replica, s => s.BeginConnect(id));
                registry.Change(Replica, s => s.RecordHandshake(id, 5, 5));
                registry.Change(Replica, s => s.CompleteSession(id));
                break;
            case "gap":
                registry.Change(Replica, s => s.BeginConnect(id));
                registry.Change(Replica, s => s.RecordHandshake(id, new ReplicaPosition(5, new RecordMark(1, 1), 1), new RetainedHistory(10, 8, 10, 0, false), 5));
                break;
            case "budget":
                registry.Change(Replica, s => s.BeginConnect(id));
                registry.Change(Replica, s => s.RecordHandshake(id, 5, 10));
                registry.Change(Replica, s => s.BeginCatchUp(id, 0));
                registry.Change(Replica, s => s.CheckBudget(id, 1_000_000));
                break;
            case "retention":
                registry.Change(Replica, s => new SenderStep(s.ReleaseRetention()));
                break;
            case "epoch":
                registry.InvalidateEpoch(Replica.Channel, 2);
                break;
            case "moved":
                registry.Change(Replica, s => new SenderStep(s.UpdateEndpoint(Here with { Version = 2 })));
                break;
            case "dropped":
                registry.Apply(Intent(SessionKind.Catchup) with { Replicas = [], RecoveryTargets = new Dictionary<string, SessionKind>() });
                break;
            default:
                registry.Invalidate(Replica, id, how);
                break;
        }
    }

    private static AssignmentIntent Intent(SessionKind kind) => new(
        Replica.Channel,
        1,
        [new AssignedReplica(Replica.ReplicaId, Here)],
        new Dictionary<string, SessionKind> { [Replica.ReplicaId] = kind },
        new RecoveryBudget(MaxDuration: 1_000));

    // Measurements are taken where they are made: what other tests count at the same time is on other threads.
    private static List<string> Counted(ReplicaRegistry registry, Action<ReplicaRegistry> change)
    {
        var here = Environment.CurrentManagedThreadId;
        var counted = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == "Baton.Recovery")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (Environment.CurrentManagedThreadId == here)
            {
                var name = instrument.Name.Replace("baton_recovery_sessions_", "", StringComparison.Ordinal).Replace("_total", "", StringComparison.Ordinal);
                counted.AddRange(Enumerable.Repeat($"{name} {tags[0].Key}={tags[0].Value}", (int)value));
            }
        });
        listener.Start();
        var before = registry.State.Channels;
        change(registry);
        RecoveryMetrics.Count(before, registry.State.Channels);
        return counted;
    }
}
