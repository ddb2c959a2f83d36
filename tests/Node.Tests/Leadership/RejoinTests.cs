using Baton.Core.Api;
using Baton.Node.Leadership;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Baton.Node.Tests.Leadership;

/// <summary>A node that is alone: when it goes on, and when the process ends to be started anew.</summary>
public sealed class RejoinTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly (string, string) Soon = ("Node:RejoinTimeoutMs", "1000");

    [Fact]
    public async Task Fenced_out_of_all_and_unable_to_join_the_process_ends_with_3_and_says_why()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var process = await NodeProcess.StartAsync(fixture, plane, "node-1", Soon);
        await process.LeadsAsync(channel, 1);
        plane.TakesHeartbeats = false;
        await FenceAsync(channel);
        await TestNode.ProblemAsync(process.SendAsync(HttpMethod.Post, $"channels/{channel}/messages", new AppendRequest([new MessageBody([1])])), ApiErrorCode.NotLeader);

        Assert.Equal(Membership.LostExitCode, await process.ExitCodeAsync());
        Assert.Contains(process.Lines, l => l.StartsWith("crit", StringComparison.Ordinal) || l.Contains("crit:", StringComparison.Ordinal));
        Assert.Contains(process.Lines, l => l.Contains("Node:RejoinTimeoutMs is 1000", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Told_to_join_again_and_unable_to_it_ends_as_well()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Soon);
        plane.TakesJoins = false;
        plane.Forget(node.Id);

        await Eventually.HoldsAsync(() => Stopping(node), "it ends");
        Assert.Equal(Membership.LostExitCode, node.Services.GetRequiredService<Membership>().ExitCode);
    }

    [Fact]
    public async Task While_it_leads_something_it_goes_on_without_the_control_plane()
    {
        var (kept, lost) = (NodeFixture.NewChannel(), NodeFixture.NewChannel());
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(kept, "leader", 1, null), new Assignment(lost, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", Soon);
        await node.LeadsAsync(kept, 1);
        await node.LeadsAsync(lost, 1);
        await AloneAsync(plane);
        await FenceAsync(lost);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{lost}/messages", new AppendRequest([new MessageBody([1])])), ApiErrorCode.NotLeader);
        await AloneAsync(plane);

        Assert.False(Stopping(node));
        Assert.Equal(1, (await node.AppendAsync(kept, "served")).FirstLsn);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"assignments":[{}]}""")]
    [InlineData("""{"assignments":[null]}""")]
    [InlineData("""{"assignments":[{"channel":"c","term":3}]}""")]
    public async Task An_answer_without_its_parts_is_none_and_the_node_serves_on(string nonsense)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        plane.Nonsense = nonsense;
        await Eventually.HoldsAsync(() => plane.Misled >= 3 || Stopping(node), "it beats on");

        Assert.False(Stopping(node));
        Assert.Equal(1, (await node.AppendAsync(channel, "served")).FirstLsn);
        var before = plane.Beats.Count;
        plane.Nonsense = null;
        await Eventually.HoldsAsync(() => plane.Beats.Count > before, "it is answered again");
        Assert.Single(plane.Joins);
    }

    [Fact]
    public async Task A_node_that_never_owned_anything_waits_for_the_control_plane_however_long_it_takes()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", Soon);
        await Eventually.HoldsAsync(() => !plane.Beats.IsEmpty, "it beats");
        await AloneAsync(plane);
        Assert.False(Stopping(node));
    }

    [Fact]
    public async Task A_control_plane_that_is_back_in_time_takes_it_in_again()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: ("Node:RejoinTimeoutMs", "600000"));
        plane.TakesHeartbeats = false;
        await FenceAsync(channel);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/messages", new AppendRequest([new MessageBody([1])])), ApiErrorCode.NotLeader);
        var refused = plane.Refused;
        await Eventually.HoldsAsync(() => plane.Refused > refused + 2, "it asks on");

        plane.Assign(node.Id, new Assignment(channel, "leader", 3, null));
        plane.TakesHeartbeats = true;
        await node.LeadsAsync(channel, 3);
        Assert.False(Stopping(node));
    }

    private static bool Stopping(TestNode node) => node.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested;

    /// <summary>Until the node has asked in vain at a time when it would have been lost for long, by its own count.</summary>
    private static async Task AloneAsync(ScriptedControlPlane plane)
    {
        plane.TakesHeartbeats = false;
        var since = System.Diagnostics.Stopwatch.GetTimestamp();
        await Eventually.HoldsAsync(() => plane.Refused > 0 && System.Diagnostics.Stopwatch.GetElapsedTime(since) > TimeSpan.FromMilliseconds(1_500), "the time to rejoin is over");
        var refused = plane.Refused;
        await Eventually.HoldsAsync(() => plane.Refused > refused + 1, "it has asked again since");
    }

    private async Task FenceAsync(string channel)
    {
        await using var writer = await fixture.OpenStore().OpenAsync(channel, 2, "another node", null, CancellationToken.None);
    }
}
