using Baton.Core.Api;
using Baton.Node.Leadership;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Leadership;

/// <summary>A node that is told to stop. Where it may wait for long, it would wait for longer than the test does.</summary>
public sealed class DrainTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly (string, string) ForEver = ("Node:DrainTimeoutMs", "600000");

    [Fact]
    public async Task With_nobody_to_take_over_it_says_so_once_and_waits_for_nothing()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: 3, settings: ForEver);
        await node.AppendAsync(channel, "a");

        await node.StopAsync().WaitAsync(Patience);

        var (_, beat) = Assert.Single(plane.Leavings);
        Assert.Equal((1L, channel, 3L, "leader"), (beat.Incarnation, beat.Channels.Single().Name, beat.Channels.Single().Term, beat.Channels.Single().Role));
        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 4, id: "node-2");
        Assert.Equal(["a"], await next.TextsAsync(channel));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_serves_until_another_has_each_channel_also_one_that_nobody_writes_to(bool writes)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var old = await TestNode.LeadingAsync(fixture, plane, channel, settings: ForEver);
        await using var next = await TestNode.StartAsync(fixture, plane, "node-2");
        await old.AppendAsync(channel, "before");
        plane.TakenOver = [channel];

        var stopping = old.StopAsync();
        await Eventually.HoldsAsync(() => plane.Leavings.Count >= 2, "it has said so, and says it again while it waits");
        if (writes)
        {
            await old.AppendAsync(channel, "meanwhile");
        }

        Assert.Equal(writes ? ["before", "meanwhile"] : ["before"], await old.TextsAsync(channel));
        Assert.False(stopping.IsCompleted);
        plane.Assign(next.Id, new Assignment(channel, "leader", 2, null));

        await stopping.WaitAsync(Patience);
        Assert.Equal(writes ? ["before", "meanwhile"] : ["before"], await next.TextsAsync(channel));
        Assert.Single(plane.Joins, j => j.NodeId == old.Id);
    }

    [Fact]
    public async Task Readers_that_wait_go_on_waiting_while_it_serves_and_get_what_comes()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: ForEver);
        plane.TakenOver = [channel];
        var before = node.ReadAsync(channel, waitMs: 60_000);
        await Eventually.HoldsAsync(() => node.WaitingReaders(channel) == 1, "the reader waits");

        var stopping = node.StopAsync();
        await Eventually.HoldsAsync(() => !plane.Leavings.IsEmpty, "it has said so");
        var after = node.ReadAsync(channel, waitMs: 60_000);
        await Eventually.HoldsAsync(() => node.WaitingReaders(channel) == 2, "both readers wait");
        await node.AppendAsync(channel, "a");

        Assert.Single((await before).Messages);
        Assert.Single((await after).Messages);
        var left = node.Client.GetAsync($"channels/{channel}/messages?from=2&waitMs=60000");
        await Eventually.HoldsAsync(() => node.WaitingReaders(channel) == 1, "a third reader waits");
        plane.TakenOver = [];
        await TestNode.ProblemAsync(left, ApiErrorCode.Unavailable);
        await stopping.WaitAsync(Patience);
    }

    [Fact]
    public async Task An_unanswered_beat_is_said_again()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: ForEver);
        plane.TakesHeartbeats = false;

        var stopping = node.StopAsync();
        await Eventually.HoldsAsync(() => plane.Refused >= 5, "it is said again and again");
        await node.AppendAsync(channel, "served meanwhile");
        plane.TakesHeartbeats = true;

        await stopping.WaitAsync(Patience);
        Assert.Single(plane.Leavings);
    }

    [Fact]
    public async Task Without_any_answer_and_without_a_taker_it_ends_when_its_time_is_over()
    {
        var (first, second) = (NodeFixture.NewChannel(), NodeFixture.NewChannel());
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var silenced = await TestNode.LeadingAsync(fixture, plane, first, settings: ("Node:DrainTimeoutMs", "200"));
        await using var waiting = await TestNode.LeadingAsync(fixture, plane, second, id: "node-2", settings: ("Node:DrainTimeoutMs", "200"));
        plane.TakenOver = [second];
        await waiting.StopAsync().WaitAsync(Patience);
        plane.TakesHeartbeats = false;
        await silenced.StopAsync().WaitAsync(Patience);
    }

    [Fact]
    public async Task A_node_that_leads_nothing_says_so_once_answered_or_not()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var heard = await TestNode.StartAsync(fixture, plane, "node-1", ForEver);
        await using var unheard = await TestNode.StartAsync(fixture, plane, "node-2", ForEver);
        await Eventually.HoldsAsync(() => plane.Heartbeats.Count == 2, "they beat");

        await heard.StopAsync().WaitAsync(Patience);
        Assert.Equal("node-1", Assert.Single(plane.Leavings).NodeId);
        plane.TakesHeartbeats = false;
        await unheard.StopAsync().WaitAsync(Patience);
    }

    [Fact]
    public async Task A_node_that_has_not_joined_has_nothing_to_leave()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesHeartbeats = false;
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", ForEver);
        await Eventually.HoldsAsync(() => plane.Refused > 0, "it is not taken in");

        await node.StopAsync().WaitAsync(Patience);
        Assert.Empty(plane.Leavings);
    }

    [Fact]
    public async Task What_it_hears_while_it_leaves_opens_nothing()
    {
        var (channel, other) = (NodeFixture.NewChannel(), NodeFixture.NewChannel());
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: ForEver);
        plane.TakenOver = [channel];
        var stopping = node.StopAsync();
        await Eventually.HoldsAsync(() => !plane.Leavings.IsEmpty, "it has said so");

        plane.Assign(node.Id, new Assignment(channel, "leader", 1, null), new Assignment(other, "leader", 1, null));
        node.Services.GetRequiredService<EarlyBeat>().Ask();
        var said = plane.Leavings.Count;
        await Eventually.HoldsAsync(() => plane.Leavings.Count > said, "it beats on as leaving");

        Assert.Equal("none", (await node.StatusAsync(other)).Role);
        plane.TakenOver = [];
        await stopping.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_process_that_gets_SIGTERM_leaves_and_ends_with_0()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var process = await NodeProcess.StartAsync(fixture, plane, "node-1", ForEver);
        await process.LeadsAsync(channel, 1);
        plane.TakenOver = [channel];

        await process.TerminateAsync();
        await Eventually.HoldsAsync(() => plane.Leavings.Count >= 2, "it leaves");
        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");

        Assert.Equal(0, await process.ExitCodeAsync());
        Assert.Contains(process.Lines, l => l.Contains("1 channels taken over by others, 0 left behind", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_SIGTERM_ends_it_at_once()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var process = await NodeProcess.StartAsync(fixture, plane, "node-1", ForEver);
        await process.LeadsAsync(channel, 1);
        plane.TakenOver = [channel];

        await process.TerminateAsync();
        await Eventually.HoldsAsync(() => !plane.Leavings.IsEmpty, "it leaves");
        await process.TerminateAsync();

        Assert.Equal(0, await process.ExitCodeAsync());
        Assert.Contains(process.Lines, l => l.Contains("told to stop at once", StringComparison.Ordinal));
    }
}
