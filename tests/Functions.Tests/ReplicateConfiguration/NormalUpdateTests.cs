using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Operations;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Functions.Broadcasts;
using Baton.Functions.ForcedPromotion;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Functions.Timeline;
using Baton.Testing;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.Tests.ReplicateConfiguration;

public sealed class NormalUpdateTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_primary_broadcasts_to_every_channel_and_persists_when_all_have_it()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();

        var answer = await plane.UpdateAsync(Clusters.AToB);

        var body = answer.Read<UpdateReplicateConfigurationResponse>();
        Assert.Equal((200, UpdateOutcome.Applied, ClusterRole.Secondary, 1L), (answer.Status, body.Outcome, body.Meta.Role, body.Meta.Version));
        Assert.Equal(["ch1_vcontrol", "ch2"], plane.Logs.Appended.Select(a => a.VChannel).Order(StringComparer.Ordinal), StringComparer.Ordinal);
        Assert.All(plane.Logs.Appended, a => Assert.False(a.Message.AlterReplicateConfig!.Forced));
        Assert.Empty(await plane.LocksAsync());
        Assert.Equal(BroadcastState.Tombstone, Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default)).State);
    }

    [Theory]
    [InlineData("BeginAlter", true)]
    [InlineData("DeliverBroadcast", false)]
    [InlineData("DeliverBroadcast", true)]
    [InlineData("KeepAlterResult", true)]
    [InlineData("FinishOperation", false)]
    public async Task Lost_at_any_step_it_is_applied_once(string activity, bool after)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        plane.Engine.LoseAt = new Loss(activity, after);

        var id = (await plane.UpdateAsync(Clusters.AToB, waitMs: 0)).Read<OperationAccepted>().OperationId;
        await plane.Engine.EndOfAsync($"{id}-1");
        await plane.SweepAsync();

        Assert.Equal(OperationStatus.Succeeded, (await ForcedPromotionTests.FinishedAsync(plane, id)).Status);
        Assert.Equal(1, (await plane.MetaAsync()).Version);
        Assert.Equal(2, plane.Logs.Appended.Count);
        Assert.Empty(await plane.LocksAsync());
    }

    [Fact]
    public async Task U36_The_same_configuration_on_a_secondary_is_unchanged_at_once()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();

        var answer = await plane.UpdateAsync(new Configuration([Clusters.B, Clusters.A], Clusters.AToB.Topology));

        Assert.Equal((200, UpdateOutcome.Unchanged), (answer.Status, answer.Read<UpdateReplicateConfigurationResponse>().Outcome));
        Assert.Empty(plane.Engine.InstanceIds);
    }

    [Fact]
    public async Task U37_Another_configuration_on_a_secondary_is_accepted_and_succeeds_when_it_arrives_by_replication()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();

        var answer = await plane.UpdateAsync(Clusters.AToBAndC, waitMs: 50);
        var accepted = answer.Read<OperationAccepted>();
        Assert.Equal(202, answer.Status);
        Assert.EndsWith($"/api/operations/{accepted.OperationId}", accepted.StatusUrl.AbsolutePath, StringComparison.Ordinal);
        Assert.Empty(plane.Nodes.SelectMany(n => n.Of("control")));
        await ArriveAsync(plane, 500, Clusters.AToBAndC, tick: 1_000);

        Assert.Equal(OperationStatus.Succeeded, (await ForcedPromotionTests.FinishedAsync(plane, accepted.OperationId)).Status);
        Assert.True(ReplicateEquality.Same(Clusters.AToBAndC, (await plane.MetaAsync()).Configuration));
    }

    [Fact]
    public async Task TRAP8_A_secondary_that_waits_holds_no_lock_and_fails_with_a_conflict_when_a_promotion_overtakes_it()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var waiting = (await plane.UpdateAsync(Clusters.AToBAndC, waitMs: 0)).Read<OperationAccepted>().OperationId;
        await Until.TrueAsync(async () => (await plane.Operations.ReadStepsAsync(waiting, default)).Any(s => s.Name == "WaitForArrival"));

        var forced = await plane.UpdateAsync(Clusters.BAlone, force: true);

        Assert.Equal(200, forced.Status);
        var head = await ForcedPromotionTests.FinishedAsync(plane, waiting);
        Assert.Equal((OperationStatus.Failed, ApiErrorCode.Conflict), (head.Status, head.Error!.Code));
        Assert.True(ReplicateEquality.Same(Clusters.BAlone, (await plane.MetaAsync()).Configuration));
    }

    [Fact]
    public async Task An_update_that_waited_on_a_secondary_is_not_carried_out_by_its_next_attempt_on_the_new_primary()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        plane.Engine.LoseAt = new Loss("CheckArrival", After: true);
        var waiting = (await plane.UpdateAsync(Clusters.AToBAndC, waitMs: 0)).Read<OperationAccepted>().OperationId;
        await plane.Engine.EndOfAsync($"{waiting}-1");
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BAlone, force: true)).Status);

        await plane.SweepAsync();

        Assert.Equal(ApiErrorCode.Conflict, (await ForcedPromotionTests.FinishedAsync(plane, waiting)).Error!.Code);
        Assert.True(ReplicateEquality.Same(Clusters.BAlone, (await plane.MetaAsync()).Configuration));
        Assert.Empty(await plane.LocksAsync());
    }

    [Fact]
    public async Task An_update_asked_of_a_secondary_during_a_promotion_is_not_carried_out_by_the_new_primary()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var bothAsked = new TaskCompletionSource();
        plane.Engine.BeforeActivity = name => name == "PersistForcedConfig" ? bothAsked.Task : Task.CompletedTask;
        var forced = plane.UpdateAsync(Clusters.BAlone, force: true);
        await Until.TrueAsync(async () => (await plane.LocksAsync()).Count > 0);
        var late = (await plane.UpdateAsync(Clusters.AToBAndC, waitMs: 0)).Read<OperationAccepted>().OperationId;
        bothAsked.SetResult();

        Assert.Equal(200, (await forced).Status);
        Assert.Equal(ApiErrorCode.Conflict, (await ForcedPromotionTests.FinishedAsync(plane, late)).Error?.Code);
        Assert.True(ReplicateEquality.Same(Clusters.BAlone, (await plane.MetaAsync()).Configuration));
        Assert.Empty(await plane.LocksAsync());
    }

    [Fact]
    public async Task U36_It_is_unchanged_at_once_also_while_the_broadcast_that_brought_it_is_not_finished()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var asked = new TaskCompletionSource();
        plane.Engine.BeforeActivity = name => name == "FinishOperation" ? asked.Task : Task.CompletedTask;
        await ArriveAsync(plane, 500, Clusters.AToBAndC, tick: 1_000);
        await Until.TrueAsync(async () => (await plane.BroadcastAsync(500)).State == BroadcastState.Tombstone);

        var answer = await plane.UpdateAsync(Clusters.AToBAndC, waitMs: 60_000);
        asked.SetResult();

        Assert.Equal(200, answer.Status);
        Assert.Equal(UpdateOutcome.Unchanged, answer.Read<UpdateReplicateConfigurationResponse>().Outcome);
    }

    [Fact]
    public async Task A_callback_that_slept_through_a_later_update_does_not_undo_it()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        await plane.UpdateAsync(Clusters.BToA);
        var first = Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default)).BroadcastId;
        var stored = (await plane.Broadcasts.ReadAsync(first, default))!;
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BAlone)).Status);

        // A worker that was paused after it had read the task; another has done its work meanwhile.
        await plane.RunAsync<ConfigurationCallback, bool>(async c =>
        {
            await c.RunAsync(stored with { Task = stored.Task with { State = BroadcastState.Pending } }, default);
            return true;
        });

        var meta = await plane.MetaAsync();
        Assert.Equal(2, meta.Version);
        Assert.True(ReplicateEquality.Same(Clusters.BAlone, meta.Configuration));
    }

    [Fact]
    public async Task A_promotion_that_slept_before_it_persisted_does_not_undo_a_later_update()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var id = (await plane.UpdateAsync(Clusters.BAlone, force: true)).Read<UpdateReplicateConfigurationResponse>().OperationId!;
        var broadcast = Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default)).BroadcastId;
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BToA)).Status);

        await plane.RunAsync<PersistForcedConfig, bool>(async f =>
        {
            await f.RunAsync(new ForcedConfigToPersist(id, Clusters.BAlone, broadcast, []), default);
            return true;
        });

        Assert.True(ReplicateEquality.Same(Clusters.BToA, (await plane.MetaAsync()).Configuration));
    }

    [Fact]
    public async Task F5_TRAP7_What_the_old_primary_still_sends_after_a_promotion_is_refused_and_told()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        await plane.UpdateAsync(Clusters.BAlone, force: true);
        var promoted = await plane.MetaAsync();

        await ArriveAsync(plane, 500, Clusters.AToBAndC, tick: long.MaxValue / 2);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-500");

        Assert.Equal(promoted, await plane.MetaAsync(), (a, b) => a!.Version == b!.Version && ReplicateEquality.Same(a.Configuration, b.Configuration));
        Assert.Contains(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.ConfigurationRefused);
        Assert.Equal(BroadcastState.Tombstone, (await plane.BroadcastAsync(500)).State);
    }

    [Fact]
    public async Task A_source_that_was_left_and_is_the_source_again_is_believed_although_its_clock_is_hours_behind()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        plane.Logs.Checkpoints["ch1"] = new ReplicateCheckpoint("a", "x1", 40, 1_000);
        plane.Logs.Checkpoints["ch2"] = new ReplicateCheckpoint("a", "x2", 50, 1_010);
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BAlone, force: true)).Status);
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.AToB)).Status);

        await ArriveAsync(plane, 500, Clusters.AToBAndC, tick: 1_010);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-500");
        Assert.True(ReplicateEquality.Same(Clusters.AToB, (await plane.MetaAsync()).Configuration));

        await ArriveAsync(plane, 501, Clusters.AToBAndC, tick: 1_011);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-501");
        Assert.True(ReplicateEquality.Same(Clusters.AToBAndC, (await plane.MetaAsync()).Configuration));
    }

    [Fact]
    public async Task F6_A_later_update_on_the_new_primary_is_accepted_and_clears_the_flag()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        await plane.UpdateAsync(Clusters.BAlone, force: true);

        var answer = await plane.UpdateAsync(Clusters.BToA);

        var body = answer.Read<UpdateReplicateConfigurationResponse>();
        Assert.Equal((UpdateOutcome.Applied, ClusterRole.Primary, false), (body.Outcome, body.Meta.Role, body.Meta.ForceUpdated));
    }

    [Fact]
    public async Task An_older_configuration_of_the_source_never_follows_a_newer_one()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        await ArriveAsync(plane, 600, Clusters.AToBAndC, tick: 2_000);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-600");

        await ArriveAsync(plane, 500, Clusters.AToB, tick: 1_000);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-500");

        Assert.True(ReplicateEquality.Same(Clusters.AToBAndC, (await plane.MetaAsync()).Configuration));
    }

    [Fact]
    public async Task An_invalid_configuration_is_refused_before_anything_is_written()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        plane.Storage.Clear();

        var answer = await plane.UpdateAsync(null);

        Assert.Equal((400, "config cannot be nil"), (answer.Status, answer.Problem.Detail));
        Assert.All(plane.Storage.Calls, call => Assert.StartsWith("GET ", call, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_is_never_shown()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        var configuration = new Configuration([Clusters.A with { Token = "not-for-eyes" }, Clusters.B], Clusters.AToB.Topology);

        var updated = await plane.UpdateAsync(configuration);
        var read = await plane.CallAsync<ReplicateConfigurationRead>((f, r) => f.RunAsync(r, default));

        Assert.Equal((200, 200), (updated.Status, read.Status));
        Assert.DoesNotContain("not-for-eyes", updated.Body + read.Body, StringComparison.Ordinal);
        Assert.Equal("not-for-eyes", (await plane.MetaAsync()).Configuration!.Find("a")!.Token);
    }

    /// <summary>A configuration of the source becomes durable on both channels, and their nodes ack it.</summary>
    private static async Task ArriveAsync(ControlPlane plane, long broadcastId, Configuration configuration, long tick)
    {
        var message = new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, ["ch1_vcontrol", "ch2"], ResourceLocks.ExclusiveCluster, AlterReplicateConfig: new AlterReplicateConfig(configuration));
        foreach (var (vchannel, source) in new[] { ("ch1_vcontrol", "x1"), ("ch2", "x2") })
        {
            var ack = new BroadcastAckRequest(vchannel, new BroadcastAck(9, 9, tick), message, new SourcePosition("a", source, 9, tick));
            var answer = await plane.CallAsync<BroadcastAckReceive>((f, r) => f.RunAsync(r, plane.Engine, default), ack, ("id", $"{broadcastId}"));
            Assert.Equal(200, answer.Status);
        }
    }
}
