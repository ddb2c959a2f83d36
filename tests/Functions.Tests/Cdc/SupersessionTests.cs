using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Functions.Broadcasts;
using Baton.Functions.Cdc;
using Baton.Functions.Nodes;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;
using Baton.Testing;

namespace Baton.Functions.Tests.Cdc;

/// <summary>Cluster b is the source of a, and a is promoted in its place.</summary>
public sealed class SupersessionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly SalvageList Two = new(80, 2, [new SalvageRange(71, 72, 2)]);

    [Fact]
    public async Task The_first_report_of_a_promoted_target_supersedes_the_cluster_and_nodes_hear_of_it_at_the_same_version()
    {
        await using var plane = await SourceAsync();
        Assert.Equal(new ReplicateStanding(1, Replicates: true), await BeatAsync(plane));

        await plane.ReportAsync("ch1", "a", await DepartedAsync(plane, "ch1"));
        await plane.ReportAsync("ch1", "a", await DepartedAsync(plane, "ch1"));
        await plane.ReportAsync("ch2", "a", await DepartedAsync(plane, "ch2"));

        var standing = await BeatAsync(plane);
        Assert.Equal((1, true, "a", 900L, true), (standing!.Version, standing.Replicates, standing.Superseded!.By, standing.Superseded.BroadcastId, standing.Superseded.RefusesWrites));
        Assert.All((await plane.TasksAsync()).Tasks, t => Assert.Equal(CdcTaskState.Superseded, t.State));
        Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Superseded);
        Assert.Equal("a", (await plane.CallAsync<ReplicateConfigurationRead>((f, r) => f.RunAsync(r, default))).Read<ReplicateConfigurationView>().Superseded!.By);
        var joined = (await plane.CallAsync<NodeJoin>(async (f, r) => (await f.RunAsync(r, default)).Answer, new JoinNodeRequest(plane.Nodes[0].Endpoint), ("nodeId", "n1"))).Read<JoinNodeResponse>();
        Assert.Equal(standing, joined.Replication);
        Assert.Null(await BeatAsync(plane));
    }

    [Fact]
    public async Task A_report_that_died_behind_the_row_is_completed_by_its_repeat()
    {
        await using var plane = await SourceAsync();
        plane.Storage.Before = call =>
        {
            if (call.EndsWith(" ReplicateConfig", StringComparison.Ordinal) && !call.StartsWith("GET", StringComparison.Ordinal))
            {
                plane.Storage.Before = null;
                throw new IOException("the storage is away");
            }

            return Task.CompletedTask;
        };
        var report = await DepartedAsync(plane, "ch1");
        await Assert.ThrowsAnyAsync<Exception>(() => plane.ReportAsync("ch1", "a", report));
        Assert.Null((await plane.Configurations.ReadAsync(default)).Superseded);

        await plane.ReportAsync("ch1", "a", report);

        Assert.Equal("a", (await plane.Configurations.ReadAsync(default)).Superseded!.By);
        Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Superseded);
    }

    [Fact]
    public async Task Broadcasts_are_refused_by_whoever_refuses_writes_and_go_on_where_the_setting_says_so()
    {
        var body = new CreateBroadcastRequest("drop", ["ch1_v1"]);
        await using var refusing = await SourceAsync();
        await refusing.ReportAsync("ch1", "a", await DepartedAsync(refusing, "ch1"));
        var refused = await refusing.CallAsync<BroadcastCreate>((f, r) => f.RunAsync(r, refusing.Engine, default), body);

        await using var writing = await SourceAsync(("Replication:RefuseWritesWhenSuperseded", "false"));
        await writing.ReportAsync("ch1", "a", await DepartedAsync(writing, "ch1"));
        var taken = await writing.CallAsync<BroadcastCreate>((f, r) => f.RunAsync(r, writing.Engine, default), body);

        Assert.Equal(409, refused.Status);
        Assert.Contains("Cluster a was promoted in place of this one", refused.Body, StringComparison.Ordinal);
        Assert.Equal(202, taken.Status);
        Assert.False((await writing.Configurations.ReadAsync(default)).Superseded!.RefusesWrites);
    }

    [Fact]
    public async Task Attached_again_it_is_superseded_no_longer_and_a_late_report_does_not_bring_that_back()
    {
        await using var plane = await SourceAsync();
        var report = await DepartedAsync(plane, "ch1") with { Salvage = Two };
        await plane.ReportAsync("ch1", "a", report);

        Assert.Equal(200, (await plane.UpdateAsync(Clusters.AToB)).Status);
        await plane.ReportAsync("ch1", "a", report);
        await plane.ReportAsync("ch2", "a", await DepartedAsync(plane, "ch2"));

        Assert.Null((await plane.Configurations.ReadAsync(default)).Superseded);
        Assert.Equal(CdcTaskState.Ended, (await plane.TasksAsync()).Tasks[0].State);
        var salvage = await SalvageAsync(plane);
        Assert.Null(salvage.Superseded);
        Assert.Equal(2, salvage.Channels.Single(c => c.Channel == "ch1").Salvage!.Count);
    }

    [Fact]
    public async Task Kept_and_given_the_same_target_again_it_has_new_tasks_and_reports_of_the_old_ones_are_refused()
    {
        await using var plane = await SourceAsync();
        var report = await DepartedAsync(plane, "ch1");
        await plane.ReportAsync("ch1", "a", report);

        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BAlone)).Status);
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BToA)).Status);
        var late = await plane.CallReportAsync("ch1", "a", report);

        Assert.Equal((409, "Conflict"), (late.Status, late.Body.Contains("\"Conflict\"", StringComparison.Ordinal) ? "Conflict" : ""));
        Assert.Null((await plane.Configurations.ReadAsync(default)).Superseded);
        Assert.All((await plane.TasksAsync()).Tasks, t => Assert.Equal(CdcTaskState.Running, t.State));
    }

    [Fact]
    public async Task A_report_that_an_operators_configuration_overtakes_does_not_supersede_the_cluster()
    {
        await using var plane = await SourceAsync();
        var report = await DepartedAsync(plane, "ch1");
        plane.Storage.Before = async call =>
        {
            // Between the task's row and the configuration's.
            if (call.EndsWith(" ReplicateConfig", StringComparison.Ordinal) && !call.StartsWith("GET", StringComparison.Ordinal))
            {
                plane.Storage.Before = null;
                Assert.Equal(200, (await plane.UpdateAsync(Clusters.BAlone)).Status);
            }
        };

        await plane.ReportAsync("ch1", "a", report);

        Assert.Null((await plane.Configurations.ReadAsync(default)).Superseded);
        Assert.Equal(CdcTaskState.Ended, (await plane.TasksAsync()).Tasks[0].State);
    }

    [Fact]
    public async Task A_departure_that_is_not_the_targets_own_is_not_believed()
    {
        await using var plane = await SourceAsync();
        var report = await DepartedAsync(plane, "ch1");

        var ofAnother = await plane.CallReportAsync("ch1", "a", report with { Departure = report.Departure! with { By = "c" } });
        var ofAnotherChannel = await plane.CallReportAsync("ch2", "a", report);
        var unknown = await plane.CallReportAsync("ch1", "c", report);

        Assert.Equal((400, 400, 404), (ofAnother.Status, ofAnotherChannel.Status, unknown.Status));
        Assert.Null((await plane.Configurations.ReadAsync(default)).Superseded);
    }

    [Fact]
    public async Task Salvage_lists_every_channel_of_a_superseded_cluster_looked_at_or_not()
    {
        await using var plane = await SourceAsync();
        Assert.Empty((await SalvageAsync(plane)).Channels);

        await plane.ReportAsync("ch1", "a", await DepartedAsync(plane, "ch1"));
        await plane.ReportAsync("ch1", "a", await DepartedAsync(plane, "ch1") with { Salvage = Two });

        var salvage = await SalvageAsync(plane);
        Assert.Equal("a", salvage.Superseded!.By);
        Assert.Equal([("ch1", 60L, 2L), ("ch2", null, null)], salvage.Channels.Select(c => (c.Channel, c.TakenLsn, c.Salvage?.Count)));
    }

    [Theory]
    [InlineData("the-secret-of-replication", 200)]
    [InlineData("the-secret-of-replicatioN", 401)]
    [InlineData(ControlPlane.Secret, 401)]
    [InlineData(null, 401)]
    public async Task The_replication_secret_alone_opens_the_route(string? bearer, int status)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, ("Cluster:ReplicationSecret", "the-secret-of-replication"));
        await using var without = await ControlPlane.StartAsync(plane.Account);

        Assert.Equal(status, (await RouteAsync(plane, bearer)).Status);
        Assert.Equal(401, (await RouteAsync(without, bearer)).Status);
    }

    private static Task<Answer> RouteAsync(ControlPlane plane, string? bearer) =>
        plane.CallAsync<ReplicationRouteRead>((f, r) => f.RunAsync(r, default), null, null, bearer);

    private async Task<ControlPlane> SourceAsync(params (string Name, string Value)[] settings)
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, settings);
        await plane.WithTwoNodesAsync();
        Assert.Equal(200, (await plane.UpdateAsync(Clusters.BToA)).Status);
        return plane;
    }

    private static async Task<CdcReport> DepartedAsync(ControlPlane plane, string channel)
    {
        var task = (await plane.TasksAsync()).Tasks.Single(t => t.Channel == channel);
        return new CdcReport(task.BroadcastId, Departure: new ReplicateDeparture("a", 900, new ReplicateCheckpoint("b", channel, 60, 600)));
    }

    private static async Task<ReplicateStanding?> BeatAsync(ControlPlane plane) =>
        (await plane.CallAsync<NodeHeartbeat>(async (f, r) => (await f.RunAsync(r, default)).Answer, new HeartbeatRequest(1, []), ("nodeId", "n1"))).Read<HeartbeatResponse>().Replication;

    private static async Task<SalvageView> SalvageAsync(ControlPlane plane) => (await plane.CallAsync<SalvageRead>((f, r) => f.RunAsync(r, default))).Read<SalvageView>();
}
