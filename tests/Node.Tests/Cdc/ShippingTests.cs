using Baton.Core.Api;
using Baton.Core.Time;
using Baton.Core.Wal;
using Baton.Node.Cdc;
using Baton.Node.Channels;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Cdc;

/// <summary>Two clusters of real nodes: what one acknowledges, the other gets, in order and once, whoever goes away meanwhile.</summary>
public sealed class ShippingTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task Everything_since_the_configuration_arrives_in_order_and_once_and_then_nothing_lags()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.Source.AppendAsync(scene.SourceChannel, "before");
        await scene.ConfigureSourceAsync(scene.AloneA);
        var early = await scene.BeginAsync();
        await scene.AppendToAsync(early, "t1");
        await scene.ReplicateAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, "p1", "p2");
        await scene.AppendToAsync(early, "t2");
        var dropped = await scene.BeginAsync();
        await scene.AppendToAsync(dropped, "dropped");
        await scene.EndAsync(early, "commit");
        await scene.EndAsync(dropped, "rollback");
        await CdcScene.BroadcastAsync(scene.Source, scene.SourceChannel, 77);
        await scene.ConfigureSourceAsync(scene.AloneA, ignored: true);
        var open = await scene.BeginAsync();
        await scene.AppendToAsync(open, "never shown");
        await scene.Source.AppendAsync(scene.SourceChannel, "p3");

        await scene.AreSameAsync();
        string[] all = ["p1", "p2", "t1", "t2", "p3"];
        Assert.Equal(all, await CdcScene.TextsAsync(scene.Target, scene.TargetChannel));
        var last = (await scene.Source.StatusAsync(scene.SourceChannel)).LastLsn;
        await Eventually.HoldsAsync(() => scene.Progress() is { Phase: CdcPhase.Shipping, LagMs: 0, Reason: null } p && p.AckedLsn == last, "all is delivered");
        Assert.DoesNotContain(scene.Door.Lsns, lsn => lsn < scene.ConfigLsn - 2);
        Assert.Contains(77L, (await scene.Target.ReadAsync(scene.TargetChannel)).Messages.Select(m => m.BroadcastId ?? 0));
        await Eventually.HoldsAsync(() => scene.SourcePlane.Heartbeats.TryGetValue("a-1", out var beat) && beat.Channels.Single().Cdc is [{ TargetCluster: "b", LagMs: 0 }], "the heartbeat says so");
        var metrics = await scene.Source.Client.GetStringAsync(new Uri("metrics", UriKind.Relative));
        Assert.Contains($"baton_cdc_lag_ms{{channel=\"{scene.SourceChannel}\",target=\"b\"}} 0", metrics, StringComparison.Ordinal);
        Assert.Contains("baton_cdc_tasks{phase=\"shipping\"} 1", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transaction_larger_than_a_request_survives_a_move_of_the_targets_leader_between_its_parts()
    {
        await using var scene = await CdcScene.SetAsync(fixture, ("Cdc:MaxRecords", "4"), ("Cdc:KeptBytes", "8"));
        await scene.ReplicateAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, "p1");
        await scene.AreSameAsync();

        // The second part finds nobody.
        scene.Door.Decides = r => r.Records.Any(m => m.TxnId is not null && m.Lsn > 7) ? Fate.Lost : Fate.Through;
        var txn = await scene.BeginAsync();
        await scene.AppendToAsync(txn, [.. Enumerable.Range(0, 11).Select(i => $"t{i}")]);
        await scene.EndAsync(txn, "commit");
        await scene.Source.AppendAsync(scene.SourceChannel, "p2");
        await scene.StandsAsync(CdcPhase.Connecting);
        Assert.True(scene.Progress()!.LagMs > 0);
        await scene.Target.StopAsync();
        scene.Door.Decides = _ => Fate.Through;
        await scene.LeadTargetAsync(2);

        await scene.AreSameAsync();
        string[] all = ["p1", .. Enumerable.Range(0, 11).Select(i => $"t{i}"), "p2"];
        Assert.Equal(all, await CdcScene.TextsAsync(scene.Target, scene.TargetChannel));
        Assert.All(scene.Door.Came, r => Assert.True(r.Records.Count <= 4));
    }

    [Fact]
    public async Task Another_leader_of_the_source_carries_on_where_the_target_is()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ReplicateAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, "p1", "p2");
        await scene.AreSameAsync();
        scene.Door.Decides = r => r.Records.Count > 0 ? Fate.Lost : Fate.Through;
        await scene.Source.AppendAsync(scene.SourceChannel, "p3");
        await scene.StandsAsync(CdcPhase.Connecting);
        await scene.Source.StopAsync();
        scene.Door.Decides = _ => Fate.Through;
        scene.Door.Came.Clear();
        await scene.LeadSourceAsync(2);
        await scene.Source.AppendAsync(scene.SourceChannel, "p4");

        await scene.AreSameAsync();
        Assert.Equal([scene.ConfigLsn + 3, scene.ConfigLsn + 4], scene.Door.Lsns.Distinct());
    }

    [Fact]
    public async Task A_leader_that_was_replaced_sends_no_more()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ReplicateAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, "p1");
        await scene.AreSameAsync();
        var old = scene.Source;
        await scene.LeadSourceAsync(2);
        await scene.Source.AppendAsync(scene.SourceChannel, "p2");
        await TestNode.ProblemAsync(old.PostAsync($"channels/{scene.SourceChannel}/messages", new AppendRequest([new MessageBody([1])])), ApiErrorCode.NotLeader);

        await scene.AreSameAsync();
        await Eventually.HoldsAsync(
            async () => (await old.Client.GetStringAsync(new Uri("metrics", UriKind.Relative))).Contains("baton_cdc_tasks{phase=\"shipping\"} 0", StringComparison.Ordinal), "the old leader has no task");
    }

    [Fact]
    public async Task Tasks_that_are_heard_of_when_the_channel_is_closed_already_change_nothing()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ReplicateAsync();
        await scene.StandsAsync(CdcPhase.Shipping);
        var services = scene.Source.Services;
        var table = (ChannelTable)services.GetService(typeof(ChannelTable))!;
        var led = table.Find(scene.SourceChannel)!;
        await table.CloseAsync(scene.SourceChannel, led.Term);

        // As by an answer that was long on its way: whoever asked for it takes the node along when this throws.
        var around = (CdcSurroundings)services.GetService(typeof(CdcSurroundings))!;
        await led.Cdc.FollowAsync([], around);
        await led.Cdc.FollowAsync([scene.TaskAs(CdcTaskState.Running)], around);
        Assert.Empty(led.Cdc.Progress());
    }

    [Fact]
    public async Task A_target_that_has_more_than_this_log_is_not_taken_for_one_that_has_everything()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ConfigureTargetAsync(scene.ToB);
        var beyond = new ReadMessage(1_000, TimeTicks.FromInstant(DateTimeOffset.UtcNow), WalRecordType.Message, null, null, [1], null, null, null);
        await TestNode.OkAsync<ReplicateResponse>(scene.Target.PostAsync(
            $"channels/{scene.TargetChannel}/replicate", new ReplicateRequest("a", scene.SourceChannel, [beyond]), scene.Target.Control));

        await scene.ConfigureAndRunAsync();
        await scene.StandsAsync(CdcPhase.Refused);
        Assert.Contains("LSN 1000", scene.Progress()!.Reason, StringComparison.Ordinal);
        Assert.True(scene.Progress()!.LagMs > 0);
    }

    [Fact]
    public async Task Records_whose_answer_was_lost_are_not_there_twice()
    {
        await using var scene = await CdcScene.SetAsync(fixture, ("Cdc:MaxRecords", "3"));
        var lose = new HashSet<long>();
        scene.Door.Decides = r => r.Records.Count > 0 && lose.Add(r.Records[0].Lsn) ? Fate.AnswerLost : Fate.Through;
        await scene.ReplicateAsync();
        var txn = await scene.BeginAsync();
        await scene.AppendToAsync(txn, "t1", "t2", "t3", "t4", "t5", "t6", "t7");
        await scene.Source.AppendAsync(scene.SourceChannel, "p1", "p2", "p3", "p4");
        await scene.EndAsync(txn, "commit");

        await scene.AreSameAsync();
        await scene.StandsAsync(CdcPhase.Shipping);
        Assert.True(lose.Count > 3);
    }

    [Fact]
    public async Task A_target_that_was_away_catches_up()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        (scene.Door.Decides, scene.TargetPlane.ShowsRoute) = (_ => Fate.Lost, false);
        await scene.ReplicateAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, [.. Enumerable.Range(0, 40).Select(i => $"p{i}")]);
        await Eventually.HoldsAsync(() => scene.TargetPlane.RoutesAsked > 4, "it is asked again");
        Assert.True(scene.Progress() is { Phase: CdcPhase.Connecting, LagMs: > 0, Reason: not null }, $"{scene.Progress()}");

        (scene.Door.Decides, scene.TargetPlane.ShowsRoute) = (_ => Fate.Through, true);
        await scene.AreSameAsync();
        var asked = scene.TargetPlane.RoutesAsked;

        // Its control plane is not needed while its leader answers.
        scene.TargetPlane.ShowsRoute = false;
        await scene.Source.AppendAsync(scene.SourceChannel, "last");
        await scene.AreSameAsync();
        Assert.Equal(asked, scene.TargetPlane.RoutesAsked);
    }

    [Fact]
    public async Task A_target_that_refuses_is_asked_again_until_it_is_configured()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ConfigureTargetAsync(scene.AloneB);
        await scene.ConfigureAndRunAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, "p1");
        await scene.StandsAsync(CdcPhase.Refused);
        Assert.Contains("is not secondary", scene.Progress()!.Reason, StringComparison.Ordinal);

        await scene.ConfigureTargetAsync(scene.ToB);
        await scene.AreSameAsync();
        await scene.StandsAsync(CdcPhase.Shipping);
    }

    [Fact]
    public async Task A_target_that_was_never_configured_takes_its_configuration_from_the_source()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ConfigureAndRunAsync();
        await scene.Source.AppendAsync(scene.SourceChannel, "p1");

        await scene.AreSameAsync();
        Assert.Equal("a", (await scene.Target.StatusAsync(scene.TargetChannel)).Checkpoint?.ClusterId);
    }

    [Fact]
    public async Task History_that_is_gone_is_said_and_not_passed_over()
    {
        await using var scene = await CdcScene.SetAsync(fixture, Trimming);
        foreach (var _ in Enumerable.Range(0, 3))
        {
            await scene.Source.AppendAsync(scene.SourceChannel, [.. Enumerable.Repeat("m", 100)]);
        }

        await Eventually.HoldsAsync(async () => await FirstAsync(scene) > 1, "the beginning is deleted");
        await scene.ConfigureTargetAsync(scene.ToB);
        await scene.ConfigureSourceAsync(scene.ToB);
        scene.Run(scene.TaskAs(CdcTaskState.Running) with { StartLsn = 1, ConfigLsn = 1 });

        await scene.StandsAsync(CdcPhase.HistoryGone);
        Assert.Empty(scene.Door.Lsns);
        Assert.True(scene.Progress()!.LagMs > 0);
    }

    [Fact]
    public async Task Nothing_is_deleted_that_a_target_lacks_and_what_it_has_is()
    {
        await using var scene = await CdcScene.SetAsync(fixture, Trimming);
        scene.Door.Decides = r => r.Records.Count > 0 ? Fate.Lost : Fate.Through;
        await scene.ReplicateAsync();
        await GrowAsync(scene, 4);
        Assert.Equal(1, await FirstAsync(scene));

        scene.Door.Decides = _ => Fate.Through;
        await scene.AreSameAsync();
        await Eventually.HoldsAsync(
            async () =>
            {
                await scene.Source.AppendAsync(scene.SourceChannel, [.. Enumerable.Repeat("n", 100)]);
                return await FirstAsync(scene) > 100;
            },
            "what the target has is deleted");
    }

    [Fact]
    public async Task Tasks_of_an_older_version_are_asked_for_again_and_one_that_is_gone_stops()
    {
        await using var scene = await CdcScene.SetAsync(fixture);
        await scene.ConfigureTargetAsync(scene.ToB);
        scene.SourcePlane.CdcTasksVersion = 0;
        await scene.ConfigureAndRunAsync();
        await Eventually.HoldsAsync(() => scene.SourcePlane.CdcTasksAsked > 2, "it is asked again");
        Assert.Null(scene.Progress());

        scene.SourcePlane.CdcTasksVersion = null;
        await scene.StandsAsync(CdcPhase.Shipping);
        scene.Run();
        await Eventually.HoldsAsync(() => scene.Progress() is null, "it stops");
    }

    internal static (string, string)[] Trimming => [("Node:SnapshotEveryRecords", "100"), ("Wal:MaxSegmentBlocks", "3"), ("Wal:RetainMs", "0"), ("Wal:SnapshotsKept", "1")];

    private static async Task GrowAsync(CdcScene scene, int snapshots)
    {
        foreach (var i in Enumerable.Range(1, snapshots))
        {
            await scene.Source.AppendAsync(scene.SourceChannel, [.. Enumerable.Repeat("m", 100)]);
            await Eventually.HoldsAsync(
                async () => (await scene.Source.Client.GetStringAsync(new Uri("metrics", UriKind.Relative))).Split('\n')
                    .Any(l => l.StartsWith("baton_wal_snapshots_total{status=\"written\"} ", StringComparison.Ordinal) && int.Parse(l.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture) >= i),
                "a snapshot is written");
        }
    }

    private static async Task<long> FirstAsync(CdcScene scene)
    {
        using var answer = await scene.Source.Client.GetAsync(new Uri($"channels/{scene.SourceChannel}/messages?from=1&max=1&isolation=all", UriKind.Relative));
        return answer.IsSuccessStatusCode ? 1 : System.Text.Json.JsonSerializer.Deserialize<Problem>(await answer.Content.ReadAsStringAsync(), BatonJson.Options)!.FirstAvailable!.Value;
    }
}
