using System.Diagnostics;
using Baton.Gateway.Tests.Harness;

namespace Baton.Gateway.Tests.Reports;

/// <summary>What the control plane hears of nodes that cannot be reached.</summary>
public sealed class FailureReportsTests
{
    [Fact]
    public async Task A_node_that_cannot_be_reached_is_reported_with_its_incarnation_once_a_second_however_many_requests_say_so()
    {
        await using var scene = await Scene.StartAsync();
        await scene.First.DownAsync();
        var began = Stopwatch.StartNew();
        var appends = Enumerable.Range(0, 50).Select(_ => scene.Gateway.AppendAsync("ch").AppendedAsync()).ToArray();
        await Eventually.HoldsAsync(() => scene.Plane.Reports.Count >= 3, "the report is repeated while it lasts");

        // Counted before the time is taken: whatever comes in between was due by then.
        var (reports, due) = (scene.Plane.Reports.ToArray(), 1 + began.Elapsed.TotalSeconds);
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await Task.WhenAll(appends);

        Assert.All(reports, r => Assert.Equal(("node-1", 11, "gateway-1"), (r.NodeId, r.Report.Incarnation, r.Report.ObservedBy)));
        Assert.All(reports, r => Assert.StartsWith("no connection to node node-1", r.Report.Reason, StringComparison.Ordinal));
        Assert.True(reports.Length <= due, $"{reports.Length} reports, at most {due} were due");
    }

    [Fact]
    public async Task Another_incarnation_is_reported_anew()
    {
        await using var scene = await Scene.StartAsync();
        await scene.First.DownAsync();
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await Eventually.HoldsAsync(() => scene.Plane.Reports.Any(r => r.Report.Incarnation == 11), "the first incarnation is reported");
        scene.Plane.Lead("ch", scene.First, term: 2, incarnation: 12);
        await Eventually.HoldsAsync(() => scene.Plane.Reports.Any(r => r.Report.Incarnation == 12), "the second is");
        scene.Plane.Lead("ch", scene.Second, term: 3);
        await append;
    }

    [Fact]
    public async Task A_report_that_was_not_taken_is_made_again()
    {
        await using var scene = await Scene.StartAsync();
        scene.Plane.TakesReports = false;
        await scene.First.DownAsync();
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await Eventually.HoldsAsync(() => Volatile.Read(ref scene.Plane.RefusedReports) >= 2, "it was refused twice");
        scene.Plane.TakesReports = true;
        await Eventually.HoldsAsync(() => !scene.Plane.Reports.IsEmpty, "it was taken");
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await append;
    }

    [Fact]
    public async Task A_control_plane_that_acts_on_the_report_is_all_that_a_failover_needs()
    {
        await using var scene = await Scene.StartAsync();
        scene.Plane.OnReport = (_, _) => scene.Plane.Lead("ch", scene.Second, term: 2);
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        await scene.First.DownAsync();
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        Assert.Single(scene.Second.Received);
    }
}
