using Baton.Core.Cluster;
using Baton.Core.Recovery;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>Who may do what to a session, and when it stops meaning anything.</summary>
public sealed class OwnershipTests
{
    private readonly RecoveryLog _log = new();
    private readonly ReplicaRegistry _registry;

    public OwnershipTests() => _registry = new ReplicaRegistry(_log);

    public static TheoryData<string, ReplicaEndpoint> OtherEndpoints => new()
    {
        { "RC1", Endpoint() with { DataAddress = new Uri("http://elsewhere:9000") } },
        { "RC2", Endpoint() with { ControlAddress = new Uri("http://elsewhere:9001") } },
        { "RC3", Endpoint() with { Version = 2 } },
    };

    [Theory]
    [MemberData(nameof(OtherEndpoints))]
    public void A_replica_that_moves_keeps_its_sender_loses_its_session_and_gets_another_with_the_next_intent(string id, ReplicaEndpoint moved)
    {
        Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));
        var before = Find("n1");

        Assert.Empty(Apply(Intent(1, [new AssignedReplica("n1", moved)])).Added);
        Assert.Equal((moved, "endpoint_changed", false), (Find("n1").Endpoint, Find("n1").Session!.EndedBecause, Find("n1").HasActiveSession));
        Assert.Equal(("session_invalidated", "endpoint_changed"), (Last.Event, Last.Detail));

        Assert.Equal(["n1"], Apply(Intent(1, [new AssignedReplica("n1", moved)], ("n1", SessionKind.Catchup))).SessionsCreated);
        Assert.True(Find("n1").Session!.Id > before.Session!.Id, id);
    }

    [Fact]
    public void RC4_An_endpoint_that_is_what_it_was_keeps_the_session()
    {
        Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));
        var before = Find("n1");

        Apply(Intent(1, [new AssignedReplica("n1", Endpoint())]));

        Assert.Same(before, Find("n1"));
    }

    [Fact]
    public void RC5_After_a_higher_epoch_every_call_with_the_old_id_is_refused()
    {
        var sender = new LiveSender();
        var old = sender.CatchingUp(0, 10);

        sender.Become(s => s.UpdateEpoch(2));

        Assert.Equal((ReplicaProgress.Disconnected, "epoch_advanced_to_2"), (sender.Now.State, sender.Session.EndedBecause));
        Assert.All(EveryCall(old), call => Assert.Equal($"session {old} not active", sender.Do(call)));

        sender.Attach();
        Assert.All(EveryCall(old), call => Assert.Equal("session ID mismatch", sender.Do(call)));
    }

    [Fact]
    public void RC6_A_completion_that_comes_too_late_leaves_the_new_session_active()
    {
        var sender = new LiveSender();
        var old = sender.CatchingUp(0, 10);
        Assert.Null(sender.Do(s => s.RecordProgress(old, 10)));
        sender.Become(s => s.UpdateEpoch(2));
        var current = sender.Attach();

        Assert.Equal("session ID mismatch", sender.Do(s => s.CompleteSession(old)));
        Assert.Equal((true, current, ReplicaProgress.Disconnected), (sender.Now.HasActiveSession, sender.Session.Id, sender.Now.State));
    }

    [Fact]
    public void RC7_An_epoch_that_is_over_ends_the_sessions_made_at_it()
    {
        Apply(Intent(1, ["n1", "n2"], ("n1", SessionKind.Catchup), ("n2", SessionKind.Catchup)));

        Assert.Equal(2, _registry.InvalidateEpoch(Channel, 2));

        Assert.Equal(["epoch_bump_to_2", "epoch_bump_to_2"], _log.Read(4).Select(e => e.Event.Detail));
        Assert.All(_registry.State.Channels.Single().Senders, s => Assert.False(s.HasActiveSession));
        Assert.Equal(0, _registry.InvalidateEpoch(Channel, 2));
    }

    [Fact]
    public void RC8_Sessions_of_the_current_epoch_stay()
    {
        Apply(Intent(2, ["n1"], ("n1", SessionKind.Catchup)));
        var before = Find("n1");

        Assert.Equal(0, _registry.InvalidateEpoch(Channel, 2));
        Assert.Equal(0, _registry.InvalidateEpoch(Channel, 1));
        Assert.Same(before, Find("n1"));
    }

    [Fact]
    public void RC10_A_target_that_is_no_replica_fails()
    {
        var result = Apply(Intent(1, ["n1"], ("n9", SessionKind.Catchup)));

        Assert.Equal(["n9"], result.SessionsFailed);
        Assert.Equal((0, "session_failed", "unknown replica"), (Last.SessionId, Last.Event, Last.Detail));
    }

    [Fact]
    public void RC11_Two_replicas_and_one_target_make_two_senders_and_one_session()
    {
        var result = Apply(Intent(1, ["n2", "n1"], ("n2", SessionKind.Bootstrap)));

        Assert.Equal(Json(new AssignmentResult(["n1", "n2"], [], ["n2"], [], [])), Json(result));
        Assert.Null(Find("n1").Session);
    }

    [Fact]
    public void RC12_A_rebuild_takes_the_place_of_a_catch_up()
    {
        Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));
        var result = Apply(Intent(1, ["n1"], ("n1", SessionKind.Rebuild)));

        Assert.Equal(Json(new AssignmentResult([], [], [], ["n1"], [])), Json(result));
        Assert.Equal((2, 1, SessionKind.Rebuild, SessionPhase.Init), (Find("n1").Session!.Id, Find("n1").Session!.Epoch, Find("n1").Session!.Kind, Find("n1").Session!.Phase));
        Assert.Equal((2, "session_superseded", "kind=rebuild in place of session 1"), (Last.SessionId, Last.Event, Last.Detail));
        Assert.Equal("session ID mismatch", Find("n1").CompleteSession(1).Refused);
    }

    [Fact]
    public void RC13_One_intent_adds_removes_and_moves()
    {
        Apply(Intent(1, ["n2", "n1"], ("n1", SessionKind.Catchup), ("n2", SessionKind.Catchup)));

        var result = Apply(Intent(1, [new AssignedReplica("n3", Endpoint("n3")), new AssignedReplica("n2", Endpoint("n2", version: 2))], ("n2", SessionKind.Reassign)));

        Assert.Equal(Json(new AssignmentResult(["n3"], ["n1"], ["n2"], [], [])), Json(result));
        Assert.Null(_registry.Find(Key("n1")));
        Assert.Equal(
            ["n1 session_invalidated sender_stopped", "n1 sender_removed", "n2 session_invalidated endpoint_changed", "n3 sender_added", "n2 session_created kind=reassign"],
            _log.Read(4).Select(e => $"{e.Event.Replica} {e.Event.Event} {e.Event.Detail}".TrimEnd()));
    }

    [Fact]
    public void RC16_A_second_session_beside_an_active_one_is_refused()
    {
        var sender = new LiveSender();
        sender.Attach();

        Assert.Equal("session already active", sender.Do(s => s.Attach(2, 1, SessionKind.Catchup)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void RC17_A_session_at_another_epoch_is_refused(long epoch) => Assert.Equal("epoch mismatch", new LiveSender().Do(s => s.Attach(1, epoch, SessionKind.Catchup)));

    [Fact]
    public void RC18_The_first_reason_for_which_a_session_ended_stays()
    {
        var sender = new LiveSender();
        var id = sender.Connecting();

        Assert.Null(sender.Do(s => s.Invalidate(id, "first")));
        Assert.Equal("session 1 not active", sender.Do(s => s.Invalidate(id, "second")));
        sender.Become(s => s.UpdateEpoch(2));

        Assert.Equal("first", sender.Session.EndedBecause);
    }

    [Fact]
    public void RC19_A_replica_that_reconnects_again_and_again_is_in_sync_each_time()
    {
        var sender = new LiveSender();
        for (var i = 0; i < 5; i++)
        {
            var id = sender.CatchingUp(0, 10);
            Assert.Equal(ReplicaProgress.CatchingUp, sender.Now.State);
            Assert.Null(sender.Do(s => s.RecordProgress(id, 10)));
            Assert.Null(sender.Do(s => s.CompleteSession(id)));
            Assert.Equal((ReplicaProgress.InSync, null, Key()), (sender.Now.State, sender.Now.Session, sender.Now.Replica));
        }
    }

    [Fact]
    public void RC20_What_a_reader_does_with_what_it_got_changes_nothing_inside()
    {
        Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup)));
        var (before, read) = (Json(_registry.State), Find("n1"));

        read = read.BeginConnect(1).Sender.Stop() with { Endpoint = Endpoint("other") };
        Assert.True(read.Stopped);

        Assert.Equal(before, Json(_registry.State));
    }

    [Fact]
    public void A_sender_that_was_stopped_refuses_everything_and_counts_as_nothing()
    {
        var sender = new LiveSender();
        var id = sender.CatchingUp(0, 10);
        sender.Become(s => s.Stop());

        Assert.Equal("sender_stopped", sender.Session.EndedBecause);
        Assert.All(EveryCall(id), call => Assert.Equal("sender stopped", sender.Do(call)));
        Assert.Equal("sender stopped", sender.Do(s => s.Attach(9, 1, SessionKind.Catchup)));
        Assert.Equal("sender stopped", sender.Do(s => s.Supersede(9, SessionKind.Catchup)));
        var stopped = sender.Now;
        Assert.All([stopped.UpdateEpoch(9), stopped.UpdateEndpoint(Endpoint("n9")), stopped.Stop(), stopped.ReleaseRetention()], s => Assert.Same(stopped, s));
        Assert.False((stopped with { State = ReplicaProgress.InSync }).IsInSync);
    }

    [Fact]
    public void A_sender_that_was_stopped_and_is_listed_again_is_a_new_one()
    {
        Apply(Intent(1, ["n1"]));
        _registry.Change(Key(), s => new SenderStep(s.Stop()));

        Assert.Equal(["n1"], Apply(Intent(1, ["n1"], ("n1", SessionKind.Catchup))).Added);
        Assert.True(Find("n1").HasActiveSession);
    }

    [Fact]
    public void Without_a_session_every_call_of_one_is_refused()
    {
        var sender = new LiveSender();

        Assert.All(EveryCall(1), call => Assert.Equal("no active session", sender.Do(call)));
    }

    [Fact]
    public void A_session_takes_the_place_of_an_active_one_at_the_same_epoch()
    {
        var sender = new LiveSender();
        sender.CatchingUp(0, 10);

        Assert.Equal("session ID mismatch", sender.Do(s => s.Supersede(1, SessionKind.Reassign)));
        Assert.Null(sender.Do(s => s.Supersede(2, SessionKind.Reassign)));
        Assert.Equal((2, 1, SessionPhase.Init, ReplicaProgress.Disconnected), (sender.Session.Id, sender.Session.Epoch, sender.Session.Phase, sender.Now.State));
    }

    /// <summary>Every call that belongs to a session.</summary>
    internal static IReadOnlyList<Func<ReplicaSender, SenderStep>> EveryCall(long id) =>
    [
        s => s.Invalidate(id, "reason"),
        s => s.BeginConnect(id),
        s => s.RecordHandshake(id, 0, 10),
        s => s.RecordHandshake(id, Replica(0), Log(10), 0),
        s => s.BeginCatchUp(id, 1),
        s => s.RecordProgress(id, 10, 1),
        s => s.RecordTruncation(id, 10),
        s => s.CompleteSession(id),
        s => s.CheckBudget(id, 1),
        s => s.SelectSource(id, Log(10)),
        s => s.BeginTransfer(id, 1),
        s => s.RecordTransfer(id, 10, 1),
        s => s.BeginTailReplay(id),
        s => s.RecordTail(id, 10, 1),
        s => s.CompleteRebuild(id),
    ];

    private RecoveryEvent Last => _log.Read()[^1].Event;

    private ReplicaSender Find(string id) => _registry.Find(Key(id))!;

    private AssignmentResult Apply(AssignmentIntent intent) => _registry.Apply(intent);
}
