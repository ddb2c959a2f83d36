using System.Collections.Concurrent;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.Reconcile;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>Which replicas get a session, and how its end reaches the cluster's state.</summary>
public sealed class RecoverySweepTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Only_replicas_that_live_follow_and_are_not_in_sync_get_a_session()
    {
        await using var plane = await azurite.StartRecoveriesAsync(["ch1"], replicas: 7);
        foreach (var node in plane.Nodes.Skip(1))
        {
            node.Replicas["ch1"].Holding(100);
        }

        await plane.ChangeNodeAsync("n3", n => n with { Failed = true });
        await plane.ChangeNodeAsync("n4", n => n with { Draining = true });
        await plane.ChangeNodeAsync("n5", n => n with { RemovedAt = plane.Time.GetUtcNow() });
        plane.Node("n6").Replicas.Clear();
        plane.Time.Advance(TimeSpan.FromSeconds(700));
        foreach (var node in plane.Nodes.Where(n => n.NodeId != "n7"))
        {
            await plane.BeatRecoveriesAsync(node);
        }

        await plane.RecoverAsync();

        Assert.Equal(["n2", "n8"], (await plane.EventsAsync()).Where(e => e.Event == RecoveryEvents.SessionCreated).Select(e => e.Replica).Order(StringComparer.Ordinal));
        Assert.Null(await plane.SenderAsync("n5"));
        Assert.All(plane.Nodes.Where(n => n.NodeId is "n1" or "n3" or "n4" or "n5" or "n6" or "n7"), n => Assert.Empty(n.Of("connect")));
    }

    [Fact]
    public async Task While_every_replica_is_in_sync_a_sweep_reads_twice_and_does_nothing_else()
    {
        await using var plane = await InSyncAsync();
        plane.ForgetCalls();

        await plane.SweepRecoveriesAsync();

        Assert.Equal(["GET ClusterState", "GET Nodes"], plane.Storage.Calls);
        Assert.Empty(plane.Nodes.SelectMany(n => n.Calls));
    }

    [Fact]
    public async Task The_end_of_a_session_is_in_the_clusters_state_by_the_pass_that_the_next_sweep_asks_for()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(70);
        await plane.BeatRecoveriesAsync();
        await plane.RecoverAsync();
        Assert.NotEqual(ReplicaProgress.InSync, await plane.ReadinessAsync());

        await plane.BeatRecoveriesAsync();
        await plane.RecoverAsync();

        Assert.Equal(ReplicaProgress.InSync, await plane.ReadinessAsync());
        Assert.Single(await plane.PassesAsync());
        Assert.Single(await plane.EventsAsync(), e => e.Event == RecoveryEvents.SessionCreated);
    }

    [Fact]
    public async Task The_same_again_while_a_session_runs_changes_nothing()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        await plane.BeatRecoveriesAsync();
        var (asked, letGo) = plane.Node("n2").HangAt("catch-up");
        await plane.SweepRecoveriesAsync();
        await asked;
        var (before, events) = (await plane.SenderAsync(), await plane.EventsAsync());
        plane.Storage.Clear();

        await plane.SweepRecoveriesAsync();
        await Task.WhenAll(plane.SweepRecoveriesAsync(), plane.SweepRecoveriesAsync());

        Assert.All(plane.Storage.Calls, c => Assert.StartsWith("GET", c, StringComparison.Ordinal));
        Assert.Equal(before, await plane.SenderAsync());
        Assert.Equal(events, await plane.EventsAsync());
        letGo.SetResult();
        await plane.RecoveriesAreOverAsync();
        Assert.True((await plane.SenderAsync())!.IsInSync);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task No_more_sessions_are_under_way_than_may_be_and_all_replicas_have_their_turn()
    {
        string[] channels = ["ch1", "ch2", "ch3", "ch4", "ch5"];
        await using var plane = await azurite.StartRecoveriesAsync(channels, replicas: 1, ("Recovery:SessionsAtOnce", "2"));
        for (var turn = 1; turn <= 3; turn++)
        {
            await plane.SweepRecoveriesAsync();
            Assert.Equal(Math.Min(2 * turn, 5), (await plane.EventsAsync()).Count(e => e.Event == RecoveryEvents.SessionCreated));
            await plane.RecoveriesAreOverAsync();

            // Nothing is in the state yet: a pass would not make these sweeps other ones.
            await plane.BeatRecoveriesAsync();
        }

        Assert.All(channels, c => Assert.True(plane.Replica("n2", c).HasTheLog));
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_hundred_sessions_at_once_end_in_sync_within_their_budgets_and_none_waits_for_another()
    {
        string[] channels = [.. Enumerable.Range(1, 100).Select(n => $"ch{n}")];
        await using var plane = await azurite.StartRecoveriesAsync(channels, replicas: 1, ("Recovery:SessionsAtOnce", "100"), ("Recovery:MaxEntries", "30"));
        foreach (var channel in channels)
        {
            plane.Replica("n2", channel).Holding(70).PerOrder = 7;
        }

        // No replica fetches anything before all of them have been told to.
        var told = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        plane.Node("n2").Intercept = async call =>
        {
            if (call.Verb == "catch-up" && told.TryAdd(call.Channel, true) && told.Count == channels.Length)
            {
                all.SetResult();
            }

            await (call.Verb == "catch-up" ? all.Task : Task.CompletedTask);
            return null;
        };
        await plane.BeatRecoveriesAsync();
        await plane.RecoverAsync();

        var events = await plane.EventsAsync();
        Assert.Equal(channels.Order(StringComparer.Ordinal), events.Where(e => e.Event == RecoveryEvents.SessionCreated).Select(e => e.Channel).Order(StringComparer.Ordinal));
        Assert.Equal(channels.Order(StringComparer.Ordinal), events.Where(e => e.Event == RecoveryEvents.Completed).Select(e => e.Channel).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(events, e => e.Event == RecoveryEvents.BudgetEscalated);
        Assert.All(channels, c => Assert.True(plane.Replica("n2", c).HasTheLog));
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_replica_that_falls_too_far_behind_is_not_ready_any_more_and_gets_another_session()
    {
        await using var plane = await InSyncAsync(("Recovery:ReadyLag", "10"));
        var ready = plane.Replica();

        (plane.Log().HeadLsn, plane.Log().CommittedLsn) = (110, 110);
        await plane.BeatRecoveriesAsync();
        await plane.RecoverAsync();
        await plane.PassAsync();
        Assert.Equal(ReplicaProgress.InSync, await plane.ReadinessAsync());
        Assert.Single(await plane.EventsAsync(), e => e.Event == RecoveryEvents.SessionCreated);

        (plane.Log().HeadLsn, plane.Log().CommittedLsn) = (111, 111);
        await plane.BeatRecoveriesAsync();
        await plane.PassAsync();
        Assert.Equal(ReplicaProgress.CatchingUp, await plane.ReadinessAsync());
        await plane.RecoverAsync();

        Assert.Equal("session_created kind=catchup", (await plane.EventTextsAsync(2))[0]);
        Assert.Equal(111, ready.FlushedLsn);
        await plane.BeatRecoveriesAsync();
        await plane.PassAsync();
        Assert.Equal(ReplicaProgress.InSync, await plane.ReadinessAsync());
        await plane.AssertSoundAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task RM3_A_replica_is_in_sync_no_more_when_its_leader_or_its_process_is_another(bool term)
    {
        await using var plane = await InSyncAsync();

        if (term)
        {
            await plane.RaiseTermAsync();
        }
        else
        {
            await plane.JoinAsync("n2", plane.Node("n2").Endpoint, "another-process");
        }

        await plane.BeatRecoveriesAsync();
        await plane.PassAsync();
        Assert.NotEqual(ReplicaProgress.InSync, await plane.ReadinessAsync());
        await plane.RecoverAsync();
        await plane.RecoverAsync();

        Assert.Equal("session_created kind=reassign", (await plane.EventTextsAsync(2))[0]);
        Assert.Equal(ReplicaProgress.InSync, await plane.ReadinessAsync());
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_replica_whose_session_failed_rests_before_it_gets_another_but_a_rebuild_that_it_needs_comes_at_once()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(70);
        await plane.BeatRecoveriesAsync();
        plane.Node("n2").Intercept = call => Task.FromResult(call.Verb == "handshake" ? new ApiError(ApiErrorCode.Conflict, "never") : null);
        await plane.RecoverAsync();
        await plane.RecoverAsync();
        await plane.RecoverAsync();

        // A bootstrap, then a catch-up: another kind, which may fare otherwise.
        Assert.Equal(2, (await plane.EventsAsync()).Count(e => e.Event == RecoveryEvents.SessionCreated));
        plane.Time.Advance(RecoveryScene.Rest);
        await plane.BeatRecoveriesAsync();
        await plane.RecoverAsync();
        Assert.Equal(3, (await plane.EventsAsync()).Count(e => e.Event == RecoveryEvents.SessionCreated));

        plane.Node("n2").Intercept = _ => Task.FromResult<ApiError?>(null);
        plane.Log().FirstLsn = 90;
        plane.Time.Advance(RecoveryScene.Rest);
        await plane.BeatRecoveriesAsync();
        await plane.RecoverAsync();
        Assert.Equal(ReplicaProgress.NeedsRebuild, (await plane.SenderAsync())!.State);
        await plane.RecoverAsync();
        Assert.True((await plane.SenderAsync())!.IsInSync);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_replica_never_becomes_ready_by_its_own_word()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(100);
        await plane.BeatRecoveriesAsync();

        await plane.PassAsync();

        Assert.Equal(ReplicaProgress.CatchingUp, await plane.ReadinessAsync());
        Assert.Empty(await plane.EventsAsync());
    }

    private async Task<ControlPlane> InSyncAsync(params (string Name, string Value)[] settings)
    {
        var plane = await azurite.StartRecoveriesAsync(settings);
        plane.Replica().Holding(70);
        for (var sweep = 0; sweep < 2; sweep++)
        {
            await plane.BeatRecoveriesAsync();
            await plane.RecoverAsync();
        }

        Assert.Equal(ReplicaProgress.InSync, await plane.ReadinessAsync());
        return plane;
    }
}
