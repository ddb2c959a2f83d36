using Baton.Core.Api;
using Baton.Functions.Failover;
using Baton.Functions.Tests.Doubles;
using Baton.Storage.Tests.Wal;
using Baton.Testing;

namespace Baton.Functions.Tests.Failover;

/// <summary>When the sweep reports a node, to the millisecond. Timeout 3 s, a sweep a second.</summary>
public sealed class HeartbeatSweepTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_silence_that_ends_before_the_next_sweep_is_reported_when_it_has_lasted_long_enough()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2");
        await SecondsAsync(plane, time, 1, "n2");
        time.Advance(TimeSpan.FromMilliseconds(400));
        await BeatAsync(plane, "n1", "n2");
        time.Advance(TimeSpan.FromMilliseconds(600));
        Assert.Empty(await plane.SweepBeatsAsync());
        await SecondsAsync(plane, time, 1, "n2");
        time.Advance(Second);

        // It is 4.0 s, and n1 was last heard of at 1.4 s.
        var sweep = plane.SweepBeatsAsync();
        var wait = await time.NextWaitAsync();
        Assert.Equal(401, wait.TotalMilliseconds);
        Assert.False(sweep.IsCompleted);
        time.Advance(wait);

        var report = Assert.Single(await sweep);
        Assert.Equal(("n1", 1L, HeartbeatSweep.Observer), (report.NodeId, report.Incarnation, report.ObservedBy));
        Assert.Equal(DateTimeOffset.UnixEpoch.AddMilliseconds(4_401), report.ObservedAt);
    }

    [Fact]
    public async Task A_heartbeat_that_comes_while_the_sweep_waits_is_heard()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1");
        time.Advance(TimeSpan.FromMilliseconds(400));
        await BeatAsync(plane, "n1");
        time.Advance(TimeSpan.FromMilliseconds(600));
        await plane.SweepBeatsAsync();
        await SecondsAsync(plane, time, 1);
        time.Advance(Second);

        var sweep = plane.SweepBeatsAsync();
        var wait = await time.NextWaitAsync();
        time.Advance(wait / 2);
        await BeatAsync(plane, "n1");
        time.Advance(wait);

        Assert.Empty(await sweep);
    }

    [Theory]
    [InlineData(100, 200, 2)]
    [InlineData(100, 900, 1)]
    public async Task Nodes_that_fall_silent_one_after_the_other_are_reported_together_where_that_is_sooner_for_both(int firstMs, int secondMs, int inFirstSweep)
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2");
        time.Advance(TimeSpan.FromMilliseconds(firstMs));
        await BeatAsync(plane, "n1");
        time.Advance(TimeSpan.FromMilliseconds(secondMs - firstMs));
        await BeatAsync(plane, "n2");
        time.Advance(TimeSpan.FromMilliseconds(1_000 - secondMs));
        await plane.SweepBeatsAsync();
        await SecondsAsync(plane, time, 1);
        time.Advance(Second);

        var sweep = plane.SweepBeatsAsync();
        for (var i = 0; i < inFirstSweep; i++)
        {
            time.Advance(await time.NextWaitAsync());
        }

        Assert.Equal(inFirstSweep, (await sweep).Count);
    }

    [Fact]
    public async Task A_second_sweep_repeats_the_reports_under_the_same_ids_and_leaves_out_who_has_failed_since()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2");
        await SecondsAsync(plane, time, 2);
        time.Advance(Second);
        var first = await plane.SweepBeatsAsync();
        time.Advance(Second);
        var second = await plane.SweepBeatsAsync();

        Assert.Equal(2, first.Count);
        Assert.Equal(first.Select(r => (r.NodeId, r.EventId)), second.Select(r => (r.NodeId, r.EventId)));
        await plane.HandleAsync(second[0]);
        Assert.Equal(second[1].NodeId, Assert.Single(await plane.SweepBeatsAsync()).NodeId);
    }

    [Fact]
    public async Task Healthy_nodes_cost_a_sweep_one_read_of_the_state_and_one_of_the_heartbeats()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2");
        await SecondsAsync(plane, time, 1, "n1", "n2");
        plane.Storage.Clear();

        Assert.Empty(await plane.SweepBeatsAsync());

        Assert.Equal(["GET ClusterState", "GET Nodes"], plane.Storage.Calls);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public async Task TRAP12_While_the_storage_is_away_and_after_it_nodes_that_live_are_not_reported(int seconds)
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2");
        await SecondsAsync(plane, time, 2, "n1", "n2");
        plane.Storage.Refuse = _ => 503;
        for (var i = 0; i < seconds; i++)
        {
            time.Advance(Second);
            await Assert.ThrowsAnyAsync<Exception>(() => BeatAsync(plane, "n1"));
            await Assert.ThrowsAnyAsync<Exception>(() => BeatAsync(plane, "n2"));
            await Assert.ThrowsAnyAsync<Exception>(plane.SweepBeatsAsync);
        }

        plane.Storage.Refuse = _ => null;

        // The sweep is back before the nodes are, and n2 stays away.
        Assert.Empty(await plane.SweepBeatsAsync());
        await SecondsAsync(plane, time, 2, "n1");
        time.Advance(Second);
        await BeatAsync(plane, "n1");
        Assert.Equal("n2", Assert.Single(await plane.SweepBeatsAsync()).NodeId);
    }

    [Fact]
    public async Task TRAP12_A_heartbeat_that_could_not_be_kept_excuses_all_even_where_the_sweep_can_read()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2");
        plane.Storage.Refuse = call => call == "PUT Nodes" ? 503 : null;
        for (var i = 0; i < 5; i++)
        {
            time.Advance(Second);
            await Assert.ThrowsAnyAsync<Exception>(() => BeatAsync(plane, "n1"));
            Assert.Empty(await plane.SweepBeatsAsync());
        }
    }

    [Fact]
    public async Task TRAP12_A_node_that_gives_up_waiting_for_a_storage_that_hangs_was_heard()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1");
        for (var i = 0; i < 5; i++)
        {
            time.Advance(Second);
            using var gone = new CancellationTokenSource();
            plane.Storage.Before = async call =>
            {
                if (call == "PUT Nodes")
                {
                    await gone.CancelAsync();
                    gone.Token.ThrowIfCancellationRequested();
                }
            };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => plane.CallAsync<Functions.Nodes.NodeHeartbeat>(
                async (f, r) => (await f.RunAsync(r, gone.Token)).Answer, new HeartbeatRequest(1, []), ("nodeId", "n1")));
            Assert.Empty(await plane.SweepBeatsAsync());
        }
    }

    [Fact]
    public async Task TRAP12_Beats_and_sweeps_try_each_call_once_since_the_next_of_them_comes_sooner_than_a_retry()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1");
        foreach (var call in (string[])["GET ClusterState", "GET Nodes"])
        {
            plane.Storage.Clear();
            plane.Storage.Refuse = c => c == call ? 503 : null;
            await Assert.ThrowsAnyAsync<Exception>(plane.SweepBeatsAsync);
            Assert.Single(plane.Storage.Calls, call);
        }

        foreach (var call in (string[])["GET ClusterState", "PUT Nodes"])
        {
            plane.Storage.Clear();
            plane.Storage.Refuse = c => c == call ? 503 : null;
            await Assert.ThrowsAnyAsync<Exception>(() => BeatAsync(plane, "n1"));
            Assert.Single(plane.Storage.Calls, call);
        }
    }

    [Fact]
    public async Task A_storage_that_loses_some_beats_hides_neither_those_who_sent_them_nor_the_silence_of_another()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2", "n3");
        var reported = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            time.Advance(Second);
            await BeatAsync(plane, "n1");
            plane.Storage.Refuse = call => call == "PUT Nodes" ? 503 : null;
            await Assert.ThrowsAnyAsync<Exception>(() => BeatAsync(plane, "n3"));
            plane.Storage.Refuse = _ => null;
            reported.AddRange((await plane.SweepBeatsAsync()).Select(r => r.NodeId));
        }

        Assert.Equal(["n2"], reported.Distinct(StringComparer.Ordinal), StringComparer.Ordinal);
    }

    [Fact]
    public async Task TRAP5_A_schedule_slower_than_what_is_excused_reports_silent_nodes_all_the_same()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2");
        var reported = new List<string>();
        for (var i = 0; i < 8; i++)
        {
            time.Advance(Second * 5);
            await BeatAsync(plane, "n1");
            reported.AddRange((await plane.SweepBeatsAsync()).Select(r => r.NodeId));
        }

        Assert.Equal(["n2"], reported.Distinct(StringComparer.Ordinal), StringComparer.Ordinal);
    }

    [Fact]
    public async Task TRAP13_Silence_counts_anew_after_the_sweep_was_away_for_long()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time, "n1", "n2");
        await SecondsAsync(plane, time, 1, "n1", "n2");
        time.Advance(Second * 60);

        Assert.Empty(await plane.SweepBeatsAsync());
        await SecondsAsync(plane, time, 2);
        time.Advance(Second);
        Assert.Equal(2, (await plane.SweepBeatsAsync()).Count);
    }

    [Fact]
    public async Task TRAP13_Silence_counts_anew_after_a_restart()
    {
        var time = new ManualTime();
        await using var before = await StartAsync(time, "n1", "n2");
        time.Advance(Second * 60);
        await using var after = await ControlPlane.StartAtAsync(before.Account, time);

        Assert.Empty(await after.SweepBeatsAsync());
        await SecondsAsync(after, time, 2);
        time.Advance(Second);
        Assert.Equal(["n1", "n2"], (await after.SweepBeatsAsync()).Select(r => r.NodeId).Order(StringComparer.Ordinal), StringComparer.Ordinal);
    }

    private async Task<ControlPlane> StartAsync(ManualTime time, params string[] nodeIds)
    {
        var plane = await ControlPlane.StartAtAsync(azurite.NewAccount(), time);
        foreach (var nodeId in nodeIds)
        {
            Assert.Equal(200, (await plane.JoinAsync(nodeId, new Uri("http://127.0.0.1:9/"))).Status);
        }

        Assert.Empty(await plane.SweepBeatsAsync());
        return plane;
    }

    private static async Task BeatAsync(ControlPlane plane, params string[] nodeIds)
    {
        foreach (var nodeId in nodeIds)
        {
            Assert.Equal(200, (await plane.BeatAsync(nodeId, 1)).Status);
        }
    }

    // At the end of each second the nodes beat and then the sweep runs, which has nothing to report.
    private static async Task SecondsAsync(ControlPlane plane, ManualTime time, int seconds, params string[] beating)
    {
        for (var i = 0; i < seconds; i++)
        {
            time.Advance(Second);
            await BeatAsync(plane, beating);
            Assert.Empty(await plane.SweepBeatsAsync());
        }
    }
}
