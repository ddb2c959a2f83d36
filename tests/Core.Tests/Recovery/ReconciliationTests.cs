using Baton.Core.Cluster;
using Baton.Core.Recovery;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>What an intent, an epoch and a full log do to the replicas of a channel.</summary>
public sealed class ReconciliationTests
{
    private readonly RecoveryLog _log = new();
    private readonly ReplicaRegistry _registry;

    public ReconciliationTests() => _registry = new ReplicaRegistry(_log);

    [Fact]
    public void RM1_An_intent_of_an_epoch_that_has_passed_has_no_effect_at_all()
    {
        _registry.Apply(Intent(2, ["n1", "n2"], ("n1", SessionKind.Catchup)));
        var before = Json(_registry.State);

        var result = _registry.Apply(Intent(1, [new AssignedReplica("n2", Endpoint("elsewhere")), new AssignedReplica("n3", Endpoint("n3"))], ("n3", SessionKind.Catchup), ("n2", SessionKind.Rebuild)));

        Assert.Equal(Json(new AssignmentResult([], [], [], [], ["n2", "n3"])), Json(result));
        Assert.Equal(before, Json(_registry.State));
        Assert.Equal(["session_failed stale epoch", "session_failed stale epoch"], _log.Read().TakeLast(2).Select(e => $"{e.Event.Event} {e.Event.Detail}"));
    }

    [Fact]
    public void RM2_Nothing_attaches_at_an_epoch_that_is_over()
    {
        _registry.Apply(Intent(1, ["n1", "n2"], ("n1", SessionKind.Catchup)));

        Assert.Equal(1, _registry.InvalidateEpoch(Channel, 3));

        Assert.Equal("epoch mismatch", _registry.Change(Key("n2"), s => s.Attach(9, 1, SessionKind.Catchup))!.Refused);
        Assert.Equal(["n1"], _registry.Apply(Intent(2, ["n1", "n2"], ("n1", SessionKind.Catchup))).SessionsFailed);
        Assert.Equal(["n1"], _registry.Apply(Intent(3, ["n1", "n2"], ("n1", SessionKind.Catchup))).SessionsCreated);
        Assert.All(_registry.State.Channels.Single().Senders, s => Assert.Equal(3, s.Epoch));
    }

    [Fact]
    public void RM2_An_epoch_over_for_a_channel_that_nobody_knows_yet_is_over_all_the_same()
    {
        _registry.InvalidateEpoch(Channel, 5);

        Assert.Empty(_registry.Apply(Intent(4, ["n1"])).Added);
        Assert.Equal(["n1"], _registry.Apply(Intent(5, ["n1"])).Added);
    }

    public static TheoryData<Action<ReplicaRegistry>> Changes => new()
    {
        r => r.Apply(Intent(1, [new AssignedReplica("n1", Endpoint(version: 2))])),
        r => r.Apply(Intent(2, ["n1"])),
        r => r.InvalidateEpoch(Channel, 2),
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void RM3_In_sync_is_lost_with_the_epoch_and_the_endpoint_that_it_was_said_of(Action<ReplicaRegistry> change)
    {
        _registry.Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));
        _registry.Settle(Runs.ToTheEnd(Runs.Of(_registry.Find(Key())!), new World(100, 100)));
        Assert.Single(_registry.InSync(Channel));

        change(_registry);

        Assert.Empty(_registry.InSync(Channel));
        Assert.Equal(ReplicaProgress.Disconnected, _registry.Find(Key())!.State);
    }

    [Fact]
    public void The_same_intent_again_changes_nothing()
    {
        var intent = Intent(1, ["n2", "n1"], ("n1", SessionKind.Catchup), ("n2", SessionKind.Rebuild));
        _registry.Apply(intent);
        var before = Json(_registry.State);

        Assert.Equal(Json(new AssignmentResult([], [], [], [], [])), Json(_registry.Apply(intent)));
        Assert.Equal(before, Json(_registry.State));
    }

    [Fact]
    public void An_intent_that_lists_a_replica_twice_is_none() => Assert.Throws<ArgumentException>(() => _registry.Apply(Intent(1, ["n1", "n1"])));

    [Fact]
    public void Both_a_new_endpoint_and_a_new_epoch_end_a_session_once()
    {
        _registry.Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));
        _registry.Apply(Intent(2, [new AssignedReplica("n1", Endpoint(version: 2))], ("n1", SessionKind.Catchup)));

        Assert.Equal(["endpoint_changed"], _log.Read().Where(e => e.Event.Event == "session_invalidated").Select(e => e.Event.Detail));
        Assert.Equal((2, 2, 2), (_registry.Find(Key())!.Epoch, _registry.Find(Key())!.Session!.Epoch, _registry.Find(Key())!.Session!.Id));
    }

    [Fact]
    public void Channels_have_their_own_epochs_and_one_row_of_session_ids()
    {
        _registry.Apply(Intent(5, ["n1"], ("n1", SessionKind.Catchup)));
        _registry.Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)) with { Channel = "ch1" });

        Assert.Equal((1, 2), (_registry.Find(Key())!.Session!.Id, _registry.Find(new ReplicaKey("ch1", "n1"))!.Session!.Id));
    }

    [Fact]
    public void A_replica_that_needs_a_rebuild_gets_no_other_session()
    {
        _registry.Apply(Intent(1, ["n1"]));
        _registry.Change(Key(), s => new SenderStep(s.ReleaseRetention()));

        Assert.Equal(["n1"], _registry.Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup))).SessionsFailed);
        Assert.Equal(["n1"], _registry.Apply(Intent(1, ["n1"], ("n1", SessionKind.Rebuild))).SessionsCreated);
    }

    [Fact]
    public void A_registry_goes_on_from_its_state_as_JSON()
    {
        _registry.Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));

        var next = new ReplicaRegistry(new RecoveryLog(), Kept(_registry.State));

        Assert.Equal(Json(_registry.State), Json(next.State));
        next.Apply(Intent(2, ["n1"], ("n1", SessionKind.Catchup)));
        Assert.Equal(2, next.Find(Key())!.Session!.Id);
    }

    [Fact]
    public void The_end_of_a_session_that_is_no_longer_the_replicas_settles_nothing()
    {
        _registry.Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));
        var run = Runs.ToTheEnd(Runs.Of(_registry.Find(Key())!), new World(100, 70));
        Assert.Equal(ReplicaProgress.InSync, run.Sender.State);
        _registry.Apply(Intent(2, ["n1"], ("n1", SessionKind.Catchup)));

        Assert.Equal("session ID mismatch", _registry.Settle(run)!.Refused);
        Assert.Equal(ReplicaProgress.Disconnected, _registry.Find(Key())!.State);

        _registry.Apply(Intent(2, Array.Empty<string>()));
        Assert.Null(_registry.Settle(run));
    }

    [Fact]
    public async Task RM11_Readers_see_whole_values_and_a_log_without_gaps_while_others_write()
    {
        var log = new RecoveryLog(capacity: 64);
        var registry = new ReplicaRegistry(log);
        using var done = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            long last = 0;
            do
            {
                var state = registry.State;
                Assert.All(state.Channels, c => Assert.All(c.Senders, s => Assert.True(s.Epoch <= c.Epoch && s.Session is null or { IsActive: false } or { Phase: SessionPhase.Init })));
                Assert.True(state.LastSessionId >= last);
                last = state.LastSessionId;
                var read = log.Read();
                Assert.Equal(read.Select((_, i) => read[0].Number + i), read.Select(e => e.Number));
                Assert.True(read.Count <= 64);
                Assert.Empty(registry.InSync(Channel));
            }
            while (!done.IsCancellationRequested);
        })).ToList();

        await Task.WhenAll(Enumerable.Range(0, 3).Select(w => Task.Run(() =>
        {
            for (var epoch = 1; epoch <= 200; epoch++)
            {
                registry.Apply(Intent(epoch, [.. Enumerable.Range(0, 1 + (epoch + w) % 4).Select(i => $"n{i}")], ("n0", SessionKind.Catchup)));
                registry.InvalidateEpoch(Channel, epoch);
            }
        })));
        await done.CancelAsync();
        await Task.WhenAll(readers);

        Assert.Equal(200, registry.State.Channels.Single().Epoch);
        Assert.Equal(64, log.Read().Count);
    }

    [Fact]
    public void The_log_numbers_events_from_1_forgets_the_oldest_and_reads_on_from_any()
    {
        var log = new RecoveryLog(capacity: 3);
        log.Record([.. Enumerable.Range(1, 5).Select(i => new RecoveryEvent(Channel, "n1", i, "connected", ""))]);

        Assert.Equal([(3, 3), (4, 4), (5, 5)], log.Read().Select(e => (e.Number, e.Event.SessionId)));
        Assert.Equal([5L], log.Read(after: 4).Select(e => e.Number));
        Assert.Empty(log.Read(after: 5));
    }

    [Fact]
    public void RM13_A_replica_for_which_too_much_is_kept_is_released_to_a_rebuild_with_an_event()
    {
        var slow = new LiveSender(Sender(id: "slow"));
        slow.CatchingUp(10, 1_000);
        var slower = Sender(id: "slower");

        var released = RetentionBound.Release([new(Sender(id: "fast"), 900, 100), new(slow.Now, 11, 101), new(slower, 5, 300)], maxRetainedBytes: 100);

        Assert.Equal(["slower", "slow"], released.Select(r => r.Sender.Replica.ReplicaId));
        Assert.All(released, r => Assert.Equal((ReplicaProgress.NeedsRebuild, false), (r.Sender.State, r.Sender.HasActiveSession)));
        Assert.Equal("retention_released", released[1].Sender.Session!.EndedBecause);
        Assert.Equal(new RecoveryEvent(Channel, "slow", 0, "escalated", "needs_rebuild: retention_released, 101 bytes from LSN 11 are above 100"), released[1].Event);
    }

    [Fact]
    public void RM13_A_replica_is_released_once_and_its_hold_is_named_until_it_is_gone()
    {
        var once = Assert.Single(RetentionBound.Release([new(Sender(), 5, 300)], 100));
        var twice = Assert.Single(RetentionBound.Release([new(once.Sender, 5, 300)], 100));

        Assert.Equal((once.Sender, null), (twice.Sender, twice.Event));
        Assert.Empty(RetentionBound.Release([new(Sender(), 5, long.MaxValue)], 0));
    }
}
