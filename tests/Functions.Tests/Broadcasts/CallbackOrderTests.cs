using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Wal;
using Baton.Functions.Broadcasts;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Testing;

namespace Baton.Functions.Tests.Broadcasts;

/// <summary>Case B60: callbacks in the order of the control vchannel's time tick.</summary>
public sealed class CallbackOrderTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private const string Control = "ch1_vcontrol";

    [Fact]
    public async Task B60_A_replicated_broadcast_waits_for_one_whose_control_record_is_before_its_own_and_says_so()
    {
        await using var plane = await StartAsync();
        await plane.PutInForceAsync(Clusters.AToB);
        await AckAsync(plane, 11, Control, tick: 5);
        await AckAsync(plane, 11, "ch1_v1", tick: 5);
        foreach (var vchannel in new[] { "ch1_v1", "ch2_v2", Control })
        {
            await AckAsync(plane, 10, vchannel, tick: 9);
        }

        await SaysAsync(plane, "broadcast-10", "broadcast 10 waits for the callback of broadcast 11");
        Assert.Equal(BroadcastState.Replicated, (await plane.BroadcastAsync(10)).State);
        await AckAsync(plane, 11, "ch2_v2", tick: 9);

        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-10");
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-11");
        Assert.True((await plane.BroadcastAsync(11)).TombstonedAt < (await plane.BroadcastAsync(10)).TombstonedAt);
    }

    [Fact]
    public async Task B60_A_broadcast_waits_for_one_that_holds_its_locks_and_is_not_acked_on_the_control_vchannel()
    {
        await using var plane = await StartAsync();
        var hold = new TaskCompletionSource();
        foreach (var node in plane.Nodes)
        {
            node.Intercept = async call =>
            {
                if (call.Control is { BroadcastId: 21, VChannel: Control })
                {
                    await hold.Task;
                }

                return null;
            };
        }

        await CreateAsync(plane, 21, "orders");
        await Until.TrueAsync(() => Task.FromResult(plane.Logs.Appended.Count == 2));
        await CreateAsync(plane, 22, "items");

        await SaysAsync(plane, "broadcast-22", "broadcast 22 waits for the callback of broadcast 21");
        hold.SetResult();
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-21");
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-22");

        // Their order is the log's, in which 22 came first.
        var (first, second) = (await plane.BroadcastAsync(22), await plane.BroadcastAsync(21));
        Assert.True(first.TombstonedAt <= second.TombstonedAt, $"{first.TombstonedAt:O} {first.Acks[Control].TimeTick} {second.TombstonedAt:O} {second.Acks[Control].TimeTick}");
        Assert.Empty(await plane.LocksAsync());
    }

    [Fact]
    public async Task B60_Of_many_complete_at_once_one_look_carries_out_all_that_are_before_it()
    {
        await using var plane = await StartAsync();
        await plane.PutInForceAsync(Clusters.AToB);
        var message = new BroadcastMessage("drop", [Control], []);
        for (var i = 0; i < 30; i++)
        {
            await plane.Broadcasts.AckAsync(100 - i, Control, new BroadcastAck(i + 1, i + 1, i + 1), message, Source, default);
        }

        var progress = await DeliverAsync(plane, 71);

        Assert.True(progress.Done);
        var tasks = await plane.Broadcasts.ListAsync(null, 100, default);
        Assert.All(tasks, t => Assert.Equal(BroadcastState.Tombstone, t.State));
        Assert.Equal(Enumerable.Range(71, 30).Select(i => (long)i).Reverse(), tasks.OrderBy(t => t.TombstonedAt).Select(t => t.BroadcastId));
        plane.Storage.Clear();
        Assert.True((await DeliverAsync(plane, 100)).Done);
        Assert.Equal(["GET BroadcastTasks"], plane.Storage.Calls, StringComparer.Ordinal);
    }

    [Fact]
    public async Task Broadcasts_without_the_control_vchannel_wait_for_nobody()
    {
        await using var plane = await StartAsync();
        await plane.PutInForceAsync(Clusters.AToB);
        await AckAsync(plane, 9, Control, tick: 1);
        var message = new BroadcastMessage("drop", ["ch2_v2"], []);
        await plane.Broadcasts.AckAsync(10, "ch2_v2", new BroadcastAck(5, 5, 5), message, Source, default);

        Assert.True((await DeliverAsync(plane, 10)).Done);
    }

    [Fact]
    public async Task What_a_promotion_left_incomplete_is_passed_by_once_the_cluster_is_a_primary()
    {
        await using var plane = await StartAsync();
        await plane.PutInForceAsync(Clusters.AToB);
        await AckAsync(plane, 9, Control, tick: 1);
        await plane.PutInForceAsync(Clusters.BAlone);

        await CreateAsync(plane, 21, "orders");
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-21");

        Assert.Equal(BroadcastState.Tombstone, (await plane.BroadcastAsync(21)).State);
        Assert.Equal(BroadcastState.Replicated, (await plane.BroadcastAsync(9)).State);
        Assert.Empty(await plane.Broadcasts.ListPlacesBeforeAsync(new CallbackPlace(long.MaxValue, 0), 10, default));
    }

    [Fact]
    public async Task A_half_delivered_broadcast_on_a_cluster_that_became_a_secondary_lets_its_promotion_through()
    {
        await using var plane = await StartAsync();
        foreach (var node in plane.Nodes)
        {
            node.Intercept = async call => call.Control is { BroadcastId: 21, VChannel: "ch2_v2" } && (await plane.MetaAsync()).ForceUpdated == false
                ? ApiError.ReplicateViolation("a secondary")
                : null;
        }

        await CreateAsync(plane, 21, "orders");
        await Until.TrueAsync(() => Task.FromResult(plane.Logs.Appended.Count == 2));
        await plane.PutInForceAsync(Clusters.AToB);
        await SaysAsync(plane, "broadcast-21", "waiting for this cluster to be a primary again, or to be promoted");

        var answer = await plane.UpdateAsync(Clusters.BAlone, force: true);

        Assert.Equal((200, 1), (answer.Status, answer.Read<UpdateReplicateConfigurationResponse>().Promotion!.BroadcastsSupplemented));
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-21");
        Assert.Equal(BroadcastState.Tombstone, (await plane.BroadcastAsync(21)).State);
    }

    [Fact]
    public async Task However_many_were_given_up_half_delivered_nobody_waits_for_them()
    {
        await using var plane = await StartAsync();
        for (var id = 1; id <= 101; id++)
        {
            var givenUp = BroadcastRules.Create(id, Scenes.Drop, DateTimeOffset.UtcNow);
            await plane.Broadcasts.AddAsync(BroadcastRules.Ack(givenUp, id, Control, new BroadcastAck(id, id, id), Scenes.Drop, DateTimeOffset.UtcNow), default);
        }

        await CreateAsync(plane, 200, "orders");

        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-200");
        Assert.Equal(BroadcastState.Pending, (await plane.BroadcastAsync(1)).State);
        Assert.Empty(await plane.LocksAsync());
    }

    [Fact]
    public async Task A_change_of_configuration_does_not_wait_for_one_that_was_given_up_half_delivered()
    {
        await using var plane = await StartAsync();
        var givenUp = new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, [Control, "ch2"], ResourceLocks.ExclusiveCluster, AlterReplicateConfig: new AlterReplicateConfig(Clusters.AToB));
        await plane.Broadcasts.AddAsync(BroadcastRules.Create(9, givenUp, DateTimeOffset.UtcNow), default);
        await plane.Broadcasts.AddAsync(BroadcastRules.Create(10, givenUp, DateTimeOffset.UtcNow), default);
        await plane.Broadcasts.AckAsync(9, Control, new BroadcastAck(5, 5, 5), givenUp, null, default);

        var answer = await plane.UpdateAsync(Clusters.BToA);

        Assert.Equal(200, answer.Status);
        Assert.Empty(await plane.LocksAsync());
    }

    [Fact]
    public async Task B60_A_broadcast_waits_for_the_change_of_configuration_under_way()
    {
        await using var plane = await StartAsync();
        await plane.PutInForceAsync(Clusters.AToB);
        var hold = new TaskCompletionSource();
        foreach (var node in plane.Nodes)
        {
            node.Intercept = async call =>
            {
                if (call.Control is { VChannel: Control })
                {
                    await hold.Task;
                }

                return null;
            };
        }

        var promotion = plane.UpdateAsync(Clusters.BAlone, force: true);
        await Until.TrueAsync(() => Task.FromResult(plane.Logs.Appended.Count == 1));
        var id = plane.Logs.Appended.Single().BroadcastId;
        foreach (var vchannel in Scenes.Drop.VChannels)
        {
            await AckAsync(plane, 10, vchannel, tick: 9);
        }

        await SaysAsync(plane, "broadcast-10", $"broadcast 10 waits for the callback of broadcast {id}");
        hold.SetResult();
        Assert.Equal(200, (await promotion).Status);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-10");
    }

    private static SourcePosition Source => new("a", "x1", 5, 5);

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        return plane;
    }

    private static Task SaysAsync(ControlPlane plane, string operationId, string detail) =>
        Until.TrueAsync(async () => (await plane.Operations.ReadStepsAsync(operationId, default)).Any(s => s.Detail == detail));

    private static Task<DeliveryProgress> DeliverAsync(ControlPlane plane, long id) =>
        plane.RunAsync<DeliverBroadcast, DeliveryProgress>(f => f.RunAsync(new BroadcastDelivery(BroadcastViews.OperationId(id), id), default));

    private static Task<Answer> CreateAsync(ControlPlane plane, long id, string key) =>
        plane.CallAsync<BroadcastCreate>(
            (f, r) => f.RunAsync(r, plane.Engine, default),
            new CreateBroadcastRequest(Scenes.Drop.Kind, Scenes.Drop.VChannels, Scenes.Drop.Payload, [new ResourceKey(ResourceDomain.Collection, key)], id));

    private static async Task AckAsync(ControlPlane plane, long id, string vchannel, long tick)
    {
        var answer = await plane.CallAsync<BroadcastAckReceive>(
            (f, r) => f.RunAsync(r, plane.Engine, default), new BroadcastAckRequest(vchannel, new BroadcastAck(tick, tick, tick), Scenes.Drop, Source), ("id", $"{id}"));
        Assert.Equal(200, answer.Status);
    }
}
