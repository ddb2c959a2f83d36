using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Operations;
using Baton.Core.Replication;
using Baton.Core.Time;
using Baton.Functions.Broadcasts;
using Baton.Functions.Operations;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Timeline;
using Baton.Testing;

namespace Baton.Functions.Tests.ForcedPromotion;

public sealed class ForcedPromotionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_promotion_makes_every_channel_writable_persists_once_and_reports_what_it_did()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var before = await plane.MetaAsync();
        var lastTick = TimeTicks.FromInstant(DateTimeOffset.UtcNow.AddSeconds(-5));
        plane.Logs.OpenTransactions["ch1"] = [18, 19];
        plane.Logs.Checkpoints["ch1"] = new ReplicateCheckpoint("a", "x1", 7, lastTick);

        var answer = await plane.UpdateAsync(Clusters.BAlone, force: true);

        var body = answer.Read<UpdateReplicateConfigurationResponse>();
        Assert.Equal((200, UpdateOutcome.Applied), (answer.Status, body.Outcome));
        Assert.Equal((ClusterRole.Standalone, before.Version + 1, true), (body.Meta.Role, body.Meta.Version, body.Meta.ForceUpdated));
        Assert.NotNull(body.Meta.ForceUpdateTimestamp);

        var report = body.Promotion!;
        Assert.Equal((2, 2, 0), (report.Channels, report.TransactionsRolledBack, report.BroadcastsSupplemented));
        Assert.Equal(new LastReplicated("ch1", lastTick, TimeTicks.ToInstant(lastTick)), report.LastReplicated.Single(l => l.Channel == "ch1"));
        Assert.Equal(new LastReplicated("ch2", 0, null), report.LastReplicated.Single(l => l.Channel == "ch2"));
        Assert.InRange(report.EstimatedLossWindowMs!.Value, 4_900, 60_000);
        Assert.Equal(["FenceIn", "Append", "Persist", "Supplement", "Report"], report.Steps.Select(s => s.Name), StringComparer.Ordinal);

        Assert.Equal(["ch1_vcontrol", "ch2"], plane.Logs.Appended.Select(a => a.VChannel).Order(StringComparer.Ordinal), StringComparer.Ordinal);
        Assert.All(plane.Logs.Appended, a => Assert.True(a.Message.AlterReplicateConfig!.Forced));
        await AssertDoneAsync(plane, body.OperationId!);
        Assert.Equal(
            [TimelineKinds.PromotionFinished, TimelineKinds.PromotionStarted],
            (await plane.TimelineAsync()).Where(e => e.OperationId == body.OperationId).Select(e => e.Kind), StringComparer.Ordinal);
    }

    [Fact]
    public async Task F1_Two_force_updates_at_once_are_one_promotion_with_two_equal_answers()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();

        // Held before it persists until both have asked, and before its end for a third that finds the configuration in force already.
        var bothAsked = new TaskCompletionSource();
        var allAsked = new TaskCompletionSource();
        plane.Engine.BeforeActivity = name => name switch
        {
            "PersistForcedConfig" => bothAsked.Task,
            "ReportPromotion" => allAsked.Task,
            _ => Task.CompletedTask,
        };
        var first = plane.UpdateAsync(Clusters.BAlone, force: true);
        var second = plane.UpdateAsync(Clusters.BAlone, force: true);
        await Until.TrueAsync(async () => (await plane.Operations.ListRunningAsync(default)).Any(h => h.Requests == 2));
        bothAsked.SetResult();
        await Until.TrueAsync(async () => (await plane.MetaAsync()).ForceUpdated);
        var third = await plane.UpdateAsync(Clusters.BAlone, force: true, waitMs: 0);
        allAsked.SetResult();

        var answers = await Task.WhenAll(first, second);
        Assert.All(answers, a => Assert.Equal(UpdateOutcome.Applied, a.Read<UpdateReplicateConfigurationResponse>().Outcome));
        Assert.Equal(answers[0].Body, answers[1].Body);
        Assert.Equal(answers[0].Read<UpdateReplicateConfigurationResponse>().OperationId, third.Read<OperationAccepted>().OperationId);
        Assert.Single(plane.Engine.InstanceIds);
        Assert.Equal(2, plane.Logs.Appended.Count);
        Assert.Equal(2, (await plane.MetaAsync()).Version);
    }

    [Fact]
    public async Task F3_A_caller_that_hangs_up_changes_nothing()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var hold = new TaskCompletionSource();
        plane.Engine.BeforeActivity = _ => hold.Task;
        using var caller = new CancellationTokenSource();
        var request = new UpdateReplicateConfigurationRequest(Clusters.BAlone, ForceUpdate: true, WaitMs: 60_000);
        var call = plane.CallAsync<Functions.ReplicateConfiguration.ReplicateConfigurationUpdate>((f, r) => f.RunAsync(r, plane.Engine, caller.Token), request);
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.InstanceIds.Count == 1));

        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        hold.SetResult();

        await AssertDoneAsync(plane, plane.Engine.InstanceIds.Single()[..^2]);
    }

    [Fact]
    public async Task F4_After_a_restart_the_meta_is_still_forced_and_the_same_again_is_unchanged()
    {
        var account = azurite.NewAccount();
        ReplicateConfigurationMeta before;
        await using (var plane = await ControlPlane.StartAsync(account))
        {
            await plane.WithSourceAsync();
            Assert.Equal(200, (await plane.UpdateAsync(Clusters.BAlone, force: true)).Status);
            before = await plane.MetaAsync();
        }

        await using var restarted = await ControlPlane.StartAsync(account);
        restarted.Storage.Clear();
        var answer = await restarted.UpdateAsync(Clusters.BAlone, force: true);

        var body = answer.Read<UpdateReplicateConfigurationResponse>();
        Assert.Equal((200, UpdateOutcome.Unchanged, true), (answer.Status, body.Outcome, body.Meta.ForceUpdated));
        Assert.Equal((before.Version, before.ForceUpdateTimestamp), (body.Meta.Version, body.Meta.ForceUpdateTimestamp));
        Assert.All(restarted.Storage.Calls, call => Assert.StartsWith("GET ", call, StringComparison.Ordinal));
        Assert.Empty(restarted.Engine.InstanceIds);
    }

    [Fact]
    public async Task A_channel_that_fails_is_shown_and_retried_while_those_done_stay_done()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var broken = true;
        Break(plane, "ch2", () => broken);

        var accepted = await plane.UpdateAsync(Clusters.BAlone, force: true, waitMs: 0);
        var id = accepted.Read<OperationAccepted>().OperationId;
        Assert.Equal(202, accepted.Status);
        await Until.TrueAsync(async () => (await plane.Operations.ReadStepsAsync(id, default)).Any(s => s.Name == "Append" && s.Detail!.Contains("waiting for ch2", StringComparison.Ordinal)));
        Assert.False((await plane.MetaAsync()).ForceUpdated);
        broken = false;

        await FinishedAsync(plane, id);
        Assert.Single(plane.Nodes.SelectMany(n => n.Of("control")), c => c.Channel == "ch1");
        Assert.Equal(2, plane.Logs.Appended.Count);
        await AssertDoneAsync(plane, id);
    }

    [Fact]
    public async Task More_rounds_than_a_history_should_hold_begin_it_afresh_and_lose_nothing()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var failures = 0;
        Break(plane, "ch2", () => Interlocked.Increment(ref failures) <= Backoff.RoundsPerExecution + 3);

        var answer = await plane.UpdateAsync(Clusters.BAlone, force: true, waitMs: 60_000);

        Assert.Equal(UpdateOutcome.Applied, answer.Read<UpdateReplicateConfigurationResponse>().Outcome);
        Assert.Single(plane.Engine.InstanceIds);
        Assert.Single(plane.Nodes.SelectMany(n => n.Of("control")), c => c.Channel == "ch1");
    }

    [Fact]
    public async Task A_channel_whose_leader_is_dead_is_failed_over_first()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var state = await plane.StateAsync();
        var dead = plane.Nodes.Single(n => n.NodeId == state.Channels["ch2"].Leader);
        var alive = plane.Nodes.Single(n => n != dead);
        await dead.KillAsync();

        var answer = await plane.UpdateAsync(Clusters.BAlone, force: true);

        Assert.Equal(UpdateOutcome.Applied, answer.Read<UpdateReplicateConfigurationResponse>().Outcome);
        var after = await plane.StateAsync();
        Assert.Equal((alive.NodeId, state.Channels["ch2"].Term + 1), (after.Channels["ch2"].Leader, after.Channels["ch2"].Term));
        Assert.Equal(after.Channels["ch2"].Term, alive.Open["ch2"]);
    }

    [Fact]
    public async Task A_held_lock_is_waited_for_and_the_checks_run_again_under_it()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        Assert.Null(await plane.Get<LockStore>().TryAcquireAsync("somebody-else", ResourceLocks.ExclusiveCluster, default));

        var accepted = await plane.UpdateAsync(Clusters.BAlone, force: true, waitMs: 0);
        var id = accepted.Read<OperationAccepted>().OperationId;
        await Until.TrueAsync(async () => (await plane.Operations.ReadStepsAsync(id, default)).Any(s => s.Detail == "waiting for somebody-else"));
        await plane.PutInForceAsync(Clusters.BToA);
        await plane.Get<LockStore>().ReleaseAsync("somebody-else", default);

        var head = await FinishedAsync(plane, id);
        Assert.Equal(OperationStatus.Failed, head.Status);
        Assert.Equal("force_update can only be used on secondary clusters, current cluster is primary", head.Error!.Detail);
        Assert.Empty(await plane.LocksAsync());
        Assert.Empty(plane.Logs.Appended);
    }

    [Theory]
    [InlineData("FenceIn", false)]
    [InlineData("FenceIn", true)]
    [InlineData("RecordStep", true)]
    [InlineData("AppendForcedConfig", false)]
    [InlineData("AppendForcedConfig", true)]
    [InlineData("PersistForcedConfig", false)]
    [InlineData("PersistForcedConfig", true)]
    [InlineData("PlanSupplement", true)]
    [InlineData("SupplementBroadcasts", false)]
    [InlineData("SupplementBroadcasts", true)]
    [InlineData("ReportPromotion", false)]
    [InlineData("ReportPromotion", true)]
    [InlineData("FinishOperation", false)]
    public async Task F2_Lost_at_any_step_the_next_attempt_enters_the_lock_again_and_ends_the_same(string activity, bool after)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        plane.Logs.OpenTransactions["ch1"] = [18];
        await plane.AddIncompleteAsync(10, acked: ["ch1_vcontrol"]);
        plane.Engine.LoseAt = new Loss(activity, after);

        var accepted = await plane.UpdateAsync(Clusters.BAlone, force: true, waitMs: 0);
        var id = accepted.Read<OperationAccepted>().OperationId;
        await plane.Engine.EndOfAsync($"{id}-1");
        Assert.Null(plane.Engine.LoseAt);
        await plane.SweepAsync();
        await plane.Engine.EndOfAsync($"{id}-2");

        var again = await plane.UpdateAsync(Clusters.BAlone, force: true);
        Assert.Equal(UpdateOutcome.Unchanged, again.Read<UpdateReplicateConfigurationResponse>().Outcome);
        await AssertDoneAsync(plane, id);
        Assert.Equal(2, (await plane.MetaAsync()).Version);
        Assert.Equal(2, plane.Logs.Appended.Count(a => a.Message.AlterReplicateConfig is not null));
        Assert.Equal(["ch1_v1", "ch2_v2"], plane.Logs.Appended.Where(a => a.BroadcastId == 10).Select(a => a.VChannel).Order(StringComparer.Ordinal), StringComparer.Ordinal);
        var report = (await plane.Operations.ReadResultAsync<Functions.ReplicateConfiguration.UpdateResult>(id, default))!.Promotion!;
        Assert.Equal((1, 1), (report.TransactionsRolledBack, report.BroadcastsSupplemented));
        Assert.Equal(2, (await plane.TimelineAsync()).Count(e => e.OperationId == id));
    }

    [Fact]
    public async Task An_attempt_lost_after_its_end_does_not_undo_what_came_later()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        plane.Engine.LoseAt = new Loss("ReportPromotion", After: true);
        var id = (await plane.UpdateAsync(Clusters.BAlone, force: true, waitMs: 0)).Read<OperationAccepted>().OperationId;
        await plane.Engine.EndOfAsync($"{id}-1");

        // The lock is gone (as after a crash between its release and the end), and the new primary is configured anew.
        await plane.Get<LockStore>().ReleaseAsync(id, default);
        Assert.Equal(UpdateOutcome.Applied, (await plane.UpdateAsync(Clusters.BToA)).Read<UpdateReplicateConfigurationResponse>().Outcome);
        await plane.SweepAsync();
        await plane.Engine.EndOfAsync($"{id}-2");

        var meta = await plane.MetaAsync();
        Assert.True(ReplicateEquality.Same(Clusters.BToA, meta.Configuration));
        Assert.False(meta.ForceUpdated);
        Assert.Equal(OperationStatus.Succeeded, (await plane.Operations.ReadHeadAsync(id, default))!.Status);
    }

    internal static async Task<OperationHead> FinishedAsync(ControlPlane plane, string id)
    {
        var head = await plane.Get<OperationWait>().WaitAsync(id, TimeSpan.FromSeconds(60), default);
        Assert.False(head.Running);
        return head;
    }

    private static void Break(ControlPlane plane, string channel, Func<bool> broken)
    {
        foreach (var node in plane.Nodes)
        {
            node.Intercept = call => Task.FromResult(call.Verb == "control" && call.Channel == channel && broken() ? new ApiError(ApiErrorCode.Unavailable, "not now") : null);
        }
    }

    private static async Task AssertDoneAsync(ControlPlane plane, string id)
    {
        Assert.Equal(OperationStatus.Succeeded, (await FinishedAsync(plane, id)).Status);
        Assert.True((await plane.MetaAsync()).ForceUpdated);
        Assert.Empty(await plane.LocksAsync());
        Assert.DoesNotContain(await plane.Broadcasts.ListAsync(null, 100, default), t => t.State is BroadcastState.Pending or BroadcastState.Replicated);
        Assert.Equal(["FenceIn", "Append", "Persist", "Supplement", "Report"], (await plane.Operations.ReadStepsAsync(id, default)).Select(s => s.Name), StringComparer.Ordinal);
    }
}
