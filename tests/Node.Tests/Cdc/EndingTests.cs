using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Node.Channels;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Cdc;

/// <summary>How sending ends: because the configuration says so and the target knows it, or because the target was promoted.</summary>
public sealed class EndingTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly string[] OnlyP1 = ["p1"];

    [Fact]
    public async Task A_task_ends_when_the_target_has_the_configuration_without_it_and_nothing_behind_that_is_sent()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        scene.SourcePlane.ReportStatus = 503;
        await scene.ReplicateAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, "p1");
        await scene.AreSameAsync();
        scene.Door.Decides = r => r.Records.Any(m => m.Type == WalRecordType.AlterReplicateConfig) ? Fate.Lost : Fate.Through;
        var end = (await scene.ConfigureSourceAsync(scene.AloneA)).Ack.Lsn;
        await scene.Source.AppendAsync(scene.SourceChannel, "behind");
        await Eventually.HoldsAsync(() => scene.Door.Lsns.Count(lsn => lsn == end) > 1, "the end is sent again");
        Assert.Equal(0, scene.SourcePlane.ReportsRefused);

        scene.Door.Decides = _ => Fate.Through;
        await Eventually.HoldsAsync(() => scene.SourcePlane.ReportsRefused > 1, "the end is reported again");
        scene.SourcePlane.ReportStatus = 200;
        await Eventually.HoldsAsync(() => scene.Progress() is null, "it is over");
        var (channel, target, report) = Assert.Single(scene.SourcePlane.Reports);
        Assert.Equal((scene.SourceChannel, "b", new CdcReport(1, Ended: true)), (channel, target, report));
        Assert.Equal(end, scene.Door.Lsns[^1]);
        var led = ((ChannelTable)scene.Source.Services.GetService(typeof(ChannelTable))!).Find(scene.SourceChannel)!;
        Assert.Equal(long.MaxValue, led.Cdc.NeededFromLsn(scene.AloneA));

        // A configuration that makes the direction anew is in force on the channel before its task is heard of.
        Assert.Null(led.Cdc.NeededFromLsn(scene.ToB));
        Assert.Equal(ClusterRole.Standalone, (await scene.Target.StatusAsync(scene.TargetChannel)).ReplicateRole);
    }

    [Fact]
    public async Task An_end_whose_answer_was_lost_is_learnt_and_reported_by_the_next_leader()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ReplicateAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, "p1");
        await scene.AreSameAsync();
        scene.Door.Decides = r => r.Records.Any(m => m.Type == WalRecordType.AlterReplicateConfig) ? Fate.AnswerLost : Fate.Lost;
        await scene.ConfigureSourceAsync(scene.AloneA);
        await scene.Source.AppendAsync(scene.SourceChannel, "behind");
        await Eventually.HoldsAsync(async () => (await scene.Target.StatusAsync(scene.TargetChannel)).ReplicateRole == ClusterRole.Standalone, "the target has the end");
        await scene.Source.StopAsync();
        Assert.Empty(scene.SourcePlane.Reports);

        scene.Door.Decides = _ => Fate.Through;
        await scene.LeadSourceAsync(2);
        await Eventually.HoldsAsync(() => !scene.SourcePlane.Reports.IsEmpty, "the end is reported");
        Assert.True(Assert.Single(scene.SourcePlane.Reports).Report.Ended);
        Assert.Equal(OnlyP1, await CdcScene.TextsAsync(scene.Target, scene.TargetChannel));
    }

    [Fact]
    public async Task A_target_that_was_promoted_gets_nothing_more_and_what_it_lacks_is_listed()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ReplicateAsync();
        var astride = await scene.BeginAsync();
        var first = (await scene.AppendToAsync(astride, "t1")).LastLsn;
        var taken = (await scene.Source.AppendAsync(scene.SourceChannel, "p1")).LastLsn;
        await scene.AreSameAsync();
        await Eventually.HoldsAsync(() => scene.Progress()!.AckedLsn == taken, "all is delivered");

        // While the target cannot be reached, it is promoted, and this cluster goes on.
        scene.Door.Decides = _ => Fate.Lost;
        var second = (await scene.AppendToAsync(astride, "t2")).LastLsn;
        var commit = (await scene.EndAsync(astride, "commit")).LastLsn;
        await CdcScene.BroadcastAsync(scene.Source, scene.SourceChannel, 77);
        await CdcScene.BroadcastAsync(scene.Source, scene.SourceChannel, 78);
        var last = (await scene.Source.AppendAsync(scene.SourceChannel, "p2")).LastLsn;
        var dropped = await scene.BeginAsync();
        await scene.AppendToAsync(dropped, "dropped");
        await scene.EndAsync(dropped, "rollback");
        await scene.ConfigureTargetAsync(scene.AloneB, forced: true);
        await CdcScene.BroadcastAsync(scene.Target, scene.TargetChannel, 77);
        scene.Door.Decides = _ => Fate.Through;

        await scene.StandsAsync(CdcPhase.Superseded);
        await Eventually.HoldsAsync(() => scene.SourcePlane.Reports.Any(r => r.Report.Salvage is not null), "what it lacks is reported");
        Assert.Null(scene.SourcePlane.Reports.First().Report.Salvage);
        var departure = scene.SourcePlane.Reports.First().Report.Departure!;
        Assert.Equal(("b", "a", scene.SourceChannel, taken), (departure.By, departure.From.ClusterId, departure.From.Channel, departure.From.Lsn));
        var salvage = scene.SourcePlane.Reports.Last().Report.Salvage!;

        // The broadcast 77, at commit + 1, is there all the same.
        Assert.Equal([new SalvageRange(first, first, 1), new SalvageRange(second, second, 1), new SalvageRange(commit + 2, last, 2)], salvage.Ranges);
        Assert.Equal(4, salvage.Count);
        Assert.True(scene.Progress() is { LagMs: 0, Reason: not null });

        // It goes on as the log grows, and shrinks when the other broadcast has come.
        var late = (await scene.Source.AppendAsync(scene.SourceChannel, "late")).LastLsn;
        await Eventually.HoldsAsync(() => scene.SourcePlane.Reports.Last().Report.Salvage is { Count: 5 } s && s.Ranges[^1].LastLsn == late, "the growth is reported");
        await CdcScene.BroadcastAsync(scene.Target, scene.TargetChannel, 78);
        await Eventually.HoldsAsync(() => scene.SourcePlane.Reports.Last().Report.Salvage is { Count: 4 } s && s.Ranges[^1].FirstLsn == last, "the broadcast is not lacking any more");
        Assert.Equal(OnlyP1, await CdcScene.TextsAsync(scene.Target, scene.TargetChannel));
    }

    [Fact]
    public async Task What_comes_from_the_promoted_cluster_is_not_listed_as_lacking_there()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ConfigureTargetAsync(scene.ToB);
        var config = (await scene.ConfigureSourceAsync(scene.ToB)).Ack.Lsn;
        var only = (await scene.Source.AppendAsync(scene.SourceChannel, "only here")).LastLsn;

        // It is attached to the promoted cluster, and gets its records before it hears that the task has ended.
        var back = new ReplicateConfiguration([scene.ClusterA, scene.ClusterB], new ReplicateTopology([new ReplicateEdge("b", "a")]));
        await scene.ConfigureSourceAsync(back);
        var taken = new ReadMessage(5, 50, WalRecordType.Message, null, null, [1], null, null, null);
        await TestNode.OkAsync<ReplicateResponse>(scene.Source.PostAsync(
            $"channels/{scene.SourceChannel}/replicate", new ReplicateRequest("b", scene.TargetChannel, [taken]), scene.Source.Control));
        var departure = new ReplicateDeparture("b", 9, new ReplicateCheckpoint("a", scene.SourceChannel, config, 1));
        scene.Run(scene.TaskAs(CdcTaskState.Superseded) with { StartLsn = config, ConfigLsn = config, Departure = departure });

        await Eventually.HoldsAsync(() => !scene.SourcePlane.Reports.IsEmpty, "what it lacks is reported");
        Assert.Equal([new SalvageRange(only, only, 1)], Assert.Single(scene.SourcePlane.Reports).Report.Salvage!.Ranges);
    }

    [Fact]
    public async Task A_task_that_is_superseded_already_goes_on_listing_and_sends_nothing()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ConfigureTargetAsync(scene.ToB);
        var config = (await scene.ConfigureSourceAsync(scene.ToB)).Ack.Lsn;
        var last = (await scene.Source.AppendAsync(scene.SourceChannel, "p1", "p2")).LastLsn;
        var departure = new ReplicateDeparture("b", 9, new ReplicateCheckpoint("a", scene.SourceChannel, config, 1));
        scene.Run(scene.TaskAs(CdcTaskState.Superseded) with { StartLsn = config, ConfigLsn = config, Departure = departure });

        await Eventually.HoldsAsync(() => !scene.SourcePlane.Reports.IsEmpty, "what it lacks is reported");
        var report = Assert.Single(scene.SourcePlane.Reports).Report;
        Assert.Equal(departure, report.Departure);
        Assert.Equal([new SalvageRange(config + 1, last, 2)], report.Salvage!.Ranges);
        Assert.Empty(scene.Door.Came);
    }
}
