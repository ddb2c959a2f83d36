using Baton.Core.Api;
using Baton.Functions.Failover;
using Baton.Functions.Tests.Doubles;
using Baton.Storage.Tests.Wal;
using Baton.Testing;

namespace Baton.Functions.Tests.Failover;

/// <summary>Reports of the heartbeat sweep that are handled long after they were true. Timeout 3 s, so that a report is late from 1.5 s on; n1 leads ch1 and fell silent at 0 s.</summary>
public sealed class LateReportTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task A_fresh_report_costs_one_read_and_one_write_though_the_node_has_beaten_since()
    {
        await using var plane = await StartAsync();
        var report = Report();
        Advance(1_499);
        await BeatAsync(plane);
        plane.ClearCalls();

        await plane.HandleAsync(report);

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task A_late_report_about_a_node_that_beats_again_moves_nothing()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();
        var report = Report();
        Advance(1_000);
        await BeatAsync(plane);
        Advance(500);
        plane.ClearCalls();

        var outputs = await plane.HandleAsync(report);

        Assert.Equal(["GET Nodes", "GET ClusterState"], plane.Storage.Calls);
        Assert.Equal((null, null), (outputs.Reconcile, outputs.DeadLetter));
        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
    }

    [Fact]
    public async Task A_late_report_about_a_node_that_is_silent_still_moves_its_channels()
    {
        await using var plane = await StartAsync();
        var report = Report();
        Advance(60_000);

        await plane.HandleAsync(report);

        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Theory]
    [InlineData(2_999, "n1")]
    [InlineData(3_000, "n2")]
    public async Task A_node_that_beat_after_a_late_report_and_fell_silent_again_is_failed_over_once_the_new_silence_counts(int silenceMs, string leader)
    {
        await using var plane = await StartAsync();
        var report = Report();
        Advance(1_000);
        await BeatAsync(plane);
        Advance(silenceMs);

        await plane.HandleAsync(report);

        Assert.Equal(leader, (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task A_beat_that_came_and_could_not_be_kept_is_heard()
    {
        await using var plane = await StartAsync();
        var report = Report();
        Advance(1_500);
        plane.Storage.Refuse = call => call == "PUT Nodes" ? 503 : null;
        await Assert.ThrowsAnyAsync<Exception>(() => plane.BeatAsync("n1", 1));
        plane.Storage.Refuse = _ => null;

        await plane.HandleAsync(report);

        Assert.Equal("n1", (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task TRAP12_Where_the_heartbeat_cannot_be_read_a_late_report_counts_after_a_single_attempt()
    {
        await using var plane = await StartAsync();
        var report = Report();
        Advance(2_000);
        await BeatAsync(plane);
        plane.ClearCalls();
        plane.Storage.Refuse = call => call == "GET Nodes" ? 503 : null;

        await plane.HandleAsync(report);

        Assert.Equal(["GET Nodes", "GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task A_report_delivered_again_late_sends_the_routine_message_that_the_first_delivery_owed()
    {
        await using var plane = await StartAsync();
        var report = Report();
        await plane.HandleAsync(report);
        Advance(2_000);

        // A beat that was under way while the node was moved away from.
        await plane.Get<Functions.Nodes.HeartbeatStore>().WriteAsync("n1", [], default);
        var outputs = await plane.HandleAsync(report);

        Assert.NotNull(outputs.Reconcile);
    }

    [Theory]
    [InlineData("gateway-1")]
    [InlineData("operator")]
    public async Task Old_reports_of_others_are_as_they_ever_were(string observer)
    {
        await using var plane = await StartAsync();
        var report = Report() with { ObservedBy = observer };
        Advance(60_000);
        await BeatAsync(plane);
        plane.ClearCalls();

        await plane.HandleAsync(report);

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
    }

    private UrgentFailoverMessage Report() =>
        new("silent-1-0", "n1", "no heartbeat for 3000 ms", _time.GetUtcNow(), 1, HeartbeatSweep.Observer);

    private void Advance(int milliseconds) => _time.Advance(TimeSpan.FromMilliseconds(milliseconds));

    private static async Task BeatAsync(ControlPlane plane) => Assert.Equal(200, (await plane.BeatAsync("n1", 1)).Status);

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAtAsync(azurite.NewAccount(), _time);
        await plane.WithTwoNodesAsync();
        Assert.Equal("n1", (await plane.StateAsync()).Channels["ch1"].Leader);
        Advance(3_000);
        return plane;
    }
}
