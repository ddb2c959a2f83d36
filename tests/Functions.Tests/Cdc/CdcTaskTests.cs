using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Operations;
using Baton.Core.Replication;
using Baton.Functions.Cdc;
using Baton.Functions.Nodes;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Testing;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.Tests.Cdc;

public sealed class CdcTaskTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_source_has_a_task_for_each_channel_before_its_configuration_is_in_force()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        CdcTasksView? before = null;
        var written = 0;
        plane.Storage.Before = async call =>
        {
            if (call.EndsWith(" ReplicateConfig", StringComparison.Ordinal) && !call.StartsWith("GET", StringComparison.Ordinal))
            {
                plane.Storage.Before = null;
                written = (await plane.Get<CdcTaskStore>().ListAsync(default)).Count;
                before = await plane.TasksAsync();
            }
        };

        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BToA)).Status);

        var broadcast = Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default));
        var after = await plane.TasksAsync();
        Assert.Equal(2, written);
        Assert.Empty(before!.Tasks);
        Assert.Equal(1, after.Version);
        Assert.Equal(["ch1 a x1", "ch2 a x2"], after.Tasks.Select(t => $"{t.Channel} {t.TargetCluster} {t.TargetChannel}"));
        Assert.Equal([broadcast.Acks["ch1_vcontrol"].Lsn, broadcast.Acks["ch2"].Lsn], after.Tasks.Select(t => t.StartLsn));
        Assert.All(after.Tasks, t => Assert.Equal((broadcast.BroadcastId, t.StartLsn, CdcTaskState.Running, Clusters.A.Uri), (t.BroadcastId, t.ConfigLsn, t.State, t.Uri)));
    }

    [Fact]
    public async Task A_callback_that_dies_between_the_tasks_and_the_configuration_makes_the_same_tasks_again()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        plane.Storage.Before = call =>
        {
            if (call.EndsWith(" ReplicateConfig", StringComparison.Ordinal) && !call.StartsWith("GET", StringComparison.Ordinal))
            {
                plane.Storage.Before = null;
                throw new IOException("the storage is away");
            }

            return Task.CompletedTask;
        };

        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BToA)).Status);

        var view = await plane.TasksAsync();
        Assert.Equal((1, 2), (view.Version, view.Tasks.Count));
    }

    [Fact]
    public async Task A_switchover_that_arrives_by_replication_makes_tasks_at_the_records_that_arrived()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();

        await plane.ArriveAsync(500, Clusters.BToA, ["ch1_vcontrol", "ch2"], firstLsn: 70);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-500");

        var view = await plane.TasksAsync();
        Assert.Equal([(500L, 70L), (500L, 71L)], view.Tasks.Select(t => (t.BroadcastId, t.StartLsn)));
    }

    [Fact]
    public async Task A_cluster_that_is_dropped_by_what_arrives_stands_alone_without_tasks_and_can_be_configured_anew()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        await plane.PutInForceAsync(Clusters.AToBAndC);
        var withoutB = new Configuration([Clusters.A, Clusters.C], new ReplicateTopology([new ReplicateEdge("a", "c")]));

        await plane.ArriveAsync(500, withoutB, ["ch1_vcontrol", "ch2"]);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-500");

        var view = (await plane.CallAsync<ReplicateConfigurationRead>((f, r) => f.RunAsync(r, default))).Read<ReplicateConfigurationView>();
        Assert.Equal((ClusterRole.Standalone, 2L), (view.Role, view.Version));
        Assert.Empty((await plane.TasksAsync()).Tasks);
        Assert.False((await plane.Configurations.ReadStandingAsync(default)).Replicates);
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BToA)).Status);
        Assert.Equal(2, (await plane.TasksAsync()).Tasks.Count);
    }

    [Fact]
    public async Task The_former_source_gets_everything_since_the_promotion_when_it_is_attached_again()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BAlone, force: true)).Status);
        var forced = Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default)).Acks;
        Assert.Empty((await plane.TasksAsync()).Tasks);

        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BToA)).Status);

        var attached = await plane.TasksAsync();
        Assert.Equal([forced["ch1_vcontrol"].Lsn + 1, forced["ch2"].Lsn + 1], attached.Tasks.Select(t => t.StartLsn));
        Assert.All(attached.Tasks, t => Assert.True(t.ConfigLsn >= t.StartLsn));

        // Used once: what is between the promotion and this is there by now.
        await plane.ReportAsync("ch1", "a", new CdcReport(attached.Tasks[0].BroadcastId, Ended: true));
        await plane.ReportAsync("ch2", "a", new CdcReport(attached.Tasks[0].BroadcastId, Ended: true));
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BAlone)).Status);
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BToA)).Status);
        Assert.All((await plane.TasksAsync()).Tasks, t => Assert.Equal(t.ConfigLsn, t.StartLsn));
    }

    [Fact]
    public async Task Growth_adds_the_new_channel_and_leaves_the_running_tasks_alone()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        await plane.UpdateAsync(Clusters.BToA);
        var first = await plane.TasksAsync();
        await plane.AddChannelAsync("ch3");

        // V31: not while a direction changes; V27: alone.
        Assert.Equal(400, (await plane.UpdateAsync(Grown("a", "b"))).Status);
        Assert.Equal(200, (await plane.UpdateAsync(Grown("b", "a"))).Status);

        var grown = await plane.TasksAsync();
        Assert.Equal(first.Tasks, grown.Tasks.Take(2));
        var added = grown.Tasks[2];
        var broadcast = (await plane.BroadcastAsync(added.BroadcastId)).Acks;
        Assert.Equal(("ch3", "x3", broadcast["ch3"].Lsn), (added.Channel, added.TargetChannel, added.StartLsn));
    }

    [Fact]
    public async Task V27_U37_A_growing_configuration_is_in_force_on_a_secondary_when_its_new_channel_has_it_too()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        await plane.AddChannelAsync("ch3");
        var waiting = (await plane.UpdateAsync(Grown("a", "b"), waitMs: 0)).Read<OperationAccepted>().OperationId;

        await plane.ArriveAsync(500, Grown("a", "b"), ["ch1_vcontrol", "ch2", "ch3"], only: ["ch1_vcontrol", "ch2"]);
        Assert.True(ReplicateEquality.Same(Clusters.AToB, (await plane.MetaAsync()).Configuration));
        await plane.ArriveAsync(500, Grown("a", "b"), ["ch1_vcontrol", "ch2", "ch3"]);

        Assert.Equal(OperationStatus.Succeeded, (await ForcedPromotionTests.FinishedAsync(plane, waiting)).Status);
        Assert.True(ReplicateEquality.Same(Grown("a", "b"), (await plane.MetaAsync()).Configuration));
    }

    [Fact]
    public async Task A_configuration_that_lists_the_channels_in_another_order_than_they_were_created_makes_tasks_by_its_own_order()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        var turned = new Configuration([Clusters.A, Clusters.B with { PChannels = ["ch2", "ch1"] }], Clusters.BToA.Topology);

        Assert.Equal(200, (await plane.UpdateAsync(turned)).Status);

        var broadcast = Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default));
        Assert.Equal(["ch1_vcontrol", "ch2"], broadcast.Message.VChannels);
        Assert.Equal(
            [("ch1", "x2", broadcast.Acks["ch1_vcontrol"].Lsn), ("ch2", "x1", broadcast.Acks["ch2"].Lsn)],
            (await plane.TasksAsync()).Tasks.Select(t => (t.Channel, t.TargetChannel, t.StartLsn)));
    }

    [Fact]
    public async Task A_configuration_whose_control_copy_arrives_on_another_channel_than_the_first_is_put_in_force_at_its_records()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();

        // a's first channel is x2, which corresponds to ch2 here.
        await plane.ArriveAsync(500, Clusters.BToA, ["ch2_vcontrol", "ch1"], firstLsn: 70);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-500");

        Assert.Equal([("ch1", 71L), ("ch2", 70L)], (await plane.TasksAsync()).Tasks.Select(t => (t.Channel, t.StartLsn)));
    }

    [Fact]
    public async Task Tasks_of_256_channels_are_written_in_three_calls()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var store = plane.Get<CdcTaskStore>();
        string[] own = [.. Enumerable.Range(0, 256).Select(i => $"ch{i}")];
        var configuration = new Configuration([Clusters.A with { PChannels = [.. own.Select(c => $"of-{c}")] }, Clusters.B with { PChannels = own }], Clusters.BToA.Topology);
        var change = new CdcChange("b", null, configuration, null, 7, 1, own.ToDictionary(c => c, _ => 5L, StringComparer.Ordinal), DateTimeOffset.UnixEpoch);
        plane.Storage.Clear();

        await store.WriteAsync([], CdcTaskRules.Apply([], change), default);

        Assert.Equal(3, plane.Storage.Calls.Count(c => c == "POST $batch"));
        var rows = await store.ListAsync(default);
        Assert.Equal(own.Order(StringComparer.Ordinal), rows.Select(r => r.Task.Channel));
    }

    [Fact]
    public async Task Only_the_clusters_secret_opens_the_tokens()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        await plane.UpdateAsync(new Configuration([Clusters.A with { Token = "secret-of-cluster-a" }, Clusters.B], Clusters.BToA.Topology));

        Task<Answer> ReadAsync(string? bearer) => plane.CallAsync<CdcTasksRead>((f, r) => f.RunAsync(r, default), null, null, bearer);

        Assert.Contains("secret-of-cluster-a", (await ReadAsync(ControlPlane.Secret)).Body, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-of-cluster-a", (await ReadAsync(null)).Body, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-of-cluster-a", (await ReadAsync("control-secret-of-nobody")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Progress_is_what_the_present_leader_said_last_and_a_state_can_be_asked_for()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        await plane.UpdateAsync(Clusters.BToA);
        var channel = (await plane.StateAsync()).Channels["ch1"];
        var progress = new CdcProgress("a", CdcPhase.Shipping, 17, 30);

        await BeatAsync(plane, channel.Leader!, new HeartbeatChannel("ch1", channel.Term, Assignments.Leader, 20, 20, Cdc: [progress]));
        var told = await plane.TasksAsync("?state=running");
        await BeatAsync(plane, channel.Leader!, new HeartbeatChannel("ch1", channel.Term - 1, Assignments.Leader, 20, 20, Cdc: [progress]));
        var ofAnOldTerm = await plane.TasksAsync();

        Assert.Equal([progress, null], told.Tasks.Select(t => t.Progress));
        Assert.All(ofAnOldTerm.Tasks, t => Assert.Null(t.Progress));
        Assert.Empty((await plane.TasksAsync("?state=ended")).Tasks);
        Assert.Equal(400, (await plane.CallAsync<CdcTasksRead>((f, r) => f.RunAsync(r, default), null, "?state=1")).Status);
    }

    [Fact]
    public async Task A_target_that_is_gone_for_good_is_given_up_once_no_configuration_names_it()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        await plane.UpdateAsync(Clusters.BToA);

        Task<Answer> GiveUpAsync() => plane.CallAsync<CdcTasksGiveUp>((f, r) => f.RunAsync(r, default), null, ("targetCluster", "a"));

        Assert.Equal((409, "Conflict"), ((await GiveUpAsync()) is var refused ? refused.Status : 0, refused.Problem.Code));
        await plane.UpdateAsync(Clusters.BAlone);
        Assert.All((await plane.TasksAsync()).Tasks, t => Assert.Equal(CdcTaskState.Running, t.State));
        var version = (await plane.MetaAsync()).Version;

        Assert.Equal(2, (await GiveUpAsync()).Read<CdcTasksGivenUp>().Ended);

        var view = await plane.TasksAsync();
        Assert.All(view.Tasks, t => Assert.Equal(CdcTaskState.Ended, t.State));
        Assert.True(view.Version > version, "Nodes ask for their tasks when the version rises.");
        Assert.Equal(0, (await GiveUpAsync()).Read<CdcTasksGivenUp>().Ended);
    }

    private static Configuration Grown(string source, string target) => new(
        [Clusters.A with { PChannels = ["x1", "x2", "x3"] }, Clusters.B with { PChannels = ["ch1", "ch2", "ch3"] }],
        new ReplicateTopology([new ReplicateEdge(source, target)]));

    private static async Task BeatAsync(ControlPlane plane, string nodeId, params HeartbeatChannel[] channels)
    {
        var answer = await plane.CallAsync<NodeHeartbeat>(async (f, r) => (await f.RunAsync(r, default)).Answer, new HeartbeatRequest(1, channels), ("nodeId", nodeId));
        Assert.Equal(200, answer.Status);
    }
}
