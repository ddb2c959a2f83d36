using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.ForcedPromotion;

/// <summary>Half-delivered broadcasts at a promotion: cases B47 to B53. Vchannels cc, v1 and v2 are ch1_vcontrol, ch1_v1 and ch2_v2.</summary>
public sealed class SupplementTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task B47_Nothing_incomplete_appends_nothing()
    {
        await using var plane = await StartAsync();

        var report = await PromoteAsync(plane);

        Assert.Equal(0, report.BroadcastsSupplemented);
        Assert.All(plane.Logs.Appended, a => Assert.NotNull(a.Message.AlterReplicateConfig));
    }

    [Fact]
    public async Task B48_A_broadcast_acked_by_one_is_sent_to_the_others_under_its_own_id_and_tombstoned()
    {
        await using var plane = await StartAsync();
        await plane.AddIncompleteAsync(10, acked: ["ch1_vcontrol"]);

        var report = await PromoteAsync(plane);

        Assert.Equal(1, report.BroadcastsSupplemented);
        Assert.Equal(["ch1_v1", "ch2_v2"], AppendedOf(plane, 10), StringComparer.Ordinal);
        var task = await plane.BroadcastAsync(10);
        Assert.Equal(BroadcastState.Tombstone, task.State);
        Assert.Empty(task.PendingVChannels);
    }

    [Fact]
    public async Task B50_An_append_that_fails_first_is_retried_and_shown_until_it_succeeds()
    {
        await using var plane = await StartAsync();
        await plane.AddIncompleteAsync(10, acked: ["ch1_vcontrol", "ch1_v1"]);
        var failures = 0;
        foreach (var node in plane.Nodes)
        {
            node.Intercept = call => Task.FromResult(
                call.Control?.BroadcastId == 10 && Interlocked.Increment(ref failures) == 1 ? new ApiError(ApiErrorCode.Unavailable, "not now") : null);
        }

        var report = await PromoteAsync(plane);

        Assert.Equal(["ch2_v2"], AppendedOf(plane, 10), StringComparer.Ordinal);
        Assert.Contains("ch2_v2", report.Steps.Single(s => s.Name == "Supplement").Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task B51_A_broadcast_that_nobody_acked_is_appended_three_times()
    {
        await using var plane = await StartAsync();
        await plane.AddIncompleteAsync(10, acked: []);

        await PromoteAsync(plane);

        Assert.Equal(["ch1_v1", "ch1_vcontrol", "ch2_v2"], AppendedOf(plane, 10), StringComparer.Ordinal);
    }

    [Fact]
    public async Task B53_Fully_acked_and_tombstoned_broadcasts_are_left_alone()
    {
        await using var plane = await StartAsync();
        await plane.AddIncompleteAsync(10, acked: ["ch1_vcontrol", "ch1_v1", "ch2_v2"]);
        await plane.AddIncompleteAsync(11, acked: ["ch1_v1"]);
        await plane.Broadcasts.UpdateAsync(11, t => BroadcastRules.Tombstone(t, DateTimeOffset.UtcNow), default);

        var report = await PromoteAsync(plane);

        Assert.Equal(0, report.BroadcastsSupplemented);
        Assert.Empty(AppendedOf(plane, 10));
        Assert.Empty(AppendedOf(plane, 11));
    }

    [Fact]
    public async Task Broadcasts_are_completed_in_the_order_of_their_ids()
    {
        await using var plane = await StartAsync();
        await plane.AddIncompleteAsync(12, acked: ["ch1_vcontrol", "ch1_v1"]);
        await plane.AddIncompleteAsync(11, acked: ["ch1_vcontrol", "ch1_v1"]);

        await PromoteAsync(plane);

        Assert.Equal([11L, 12L], plane.Logs.Appended.Where(a => a.VChannel == "ch2_v2").Select(a => a.BroadcastId));
    }

    [Fact]
    public async Task A_stale_change_of_configuration_is_stored_as_ignored_before_anything_of_it_is_appended()
    {
        await using var plane = await StartAsync();
        var stale = new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, ["ch1_vcontrol", "ch2"], ResourceLocks.ExclusiveCluster, AlterReplicateConfig: new AlterReplicateConfig(Clusters.AToBAndC));
        await plane.Broadcasts.AckAsync(10, "ch1_vcontrol", new BroadcastAck(5, 5, 5), stale, new("a", "x1", 5, 5), default);
        bool? storedFirst = null;
        foreach (var node in plane.Nodes)
        {
            node.Intercept = async call =>
            {
                if (call.Control?.BroadcastId == 10)
                {
                    storedFirst = (await plane.BroadcastAsync(10)).Message.AlterReplicateConfig!.Ignored;
                }

                return null;
            };
        }

        await PromoteAsync(plane);

        Assert.True(storedFirst);
        Assert.True(plane.Logs.Appended.Single(a => a.BroadcastId == 10).Message.AlterReplicateConfig!.Ignored);
        Assert.Equal(BroadcastState.Tombstone, (await plane.BroadcastAsync(10)).State);
        Assert.Equal(["b"], (await plane.MetaAsync()).Configuration!.Clusters!.Select(c => c!.ClusterId), StringComparer.Ordinal);
    }

    [Fact]
    public async Task Switched_off_by_setting_the_report_lists_what_stays_incomplete()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, ("ForceUpdate:Supplement", "false"));
        await plane.WithSourceAsync();
        await plane.AddIncompleteAsync(10, acked: ["ch1_vcontrol"]);

        var report = await PromoteAsync(plane);

        Assert.Equal(0, report.BroadcastsSupplemented);
        Assert.Equal([10L], report.BroadcastsIncomplete);
        Assert.Equal(BroadcastState.Replicated, (await plane.BroadcastAsync(10)).State);
        Assert.Empty(AppendedOf(plane, 10));
    }

    [Fact]
    public async Task Copies_for_channels_that_only_the_old_primary_had_grown_by_hold_no_promotion_up()
    {
        await using var plane = await StartAsync();
        var grown = new Core.Replication.ReplicateConfiguration(
            [Clusters.A with { PChannels = ["x1", "x2", "x3"] }, Clusters.B with { PChannels = ["ch1", "ch2", "ch3"] }], Clusters.AToB.Topology);
        await plane.ArriveAsync(10, grown, ["ch1_vcontrol", "ch2", "ch3"], only: ["ch1_vcontrol", "ch2"]);
        var drop = Scenes.Drop with { VChannels = ["ch1_vcontrol", "ch2_v2", "ch3_v1"] };
        await plane.Broadcasts.AckAsync(11, "ch1_vcontrol", new BroadcastAck(5, 5, 5), drop, new("a", "x1", 5, 5), default);
        await plane.AddIncompleteAsync(12, acked: ["ch1_vcontrol"]);

        var report = await PromoteAsync(plane);

        Assert.Equal(1, report.BroadcastsSupplemented);
        Assert.Equal([10L, 11L], report.BroadcastsIncomplete);
        Assert.Empty(AppendedOf(plane, 10));
        Assert.Equal(["ch2_v2"], AppendedOf(plane, 11), StringComparer.Ordinal);
        Assert.Equal(["ch1_v1", "ch2_v2"], AppendedOf(plane, 12), StringComparer.Ordinal);
        Assert.Empty(await plane.Broadcasts.ListIncompleteAsync(default));
        Assert.Empty(await plane.LocksAsync());
    }

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        return plane;
    }

    private static async Task<PromotionReport> PromoteAsync(ControlPlane plane)
    {
        var answer = await plane.UpdateAsync(Clusters.BAlone, force: true);
        Assert.True(answer.Status == 200, answer.Body);
        return answer.Read<UpdateReplicateConfigurationResponse>().Promotion!;
    }

    private static IEnumerable<string> AppendedOf(ControlPlane plane, long broadcastId) =>
        plane.Logs.Appended.Where(a => a.BroadcastId == broadcastId).Select(a => a.VChannel).Order(StringComparer.Ordinal);
}
