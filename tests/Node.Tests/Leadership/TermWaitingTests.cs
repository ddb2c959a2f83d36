using Baton.Core.Api;
using Baton.Edge.Bodies;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Leadership;

/// <summary>A request that comes by a newer route than its node knows waits for what the node is about to become. Where it may wait for long, it would wait for longer than the test does.</summary>
public sealed class TermWaitingTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly (string, string)[] Long = [("Node:HeartbeatIntervalMs", "60000"), ("Node:OpenWaitMs", "60000")];

    [Fact]
    public async Task A_write_waits_for_the_channel_that_the_node_is_told_to_open_and_is_served_there()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, Long);
        plane.Assign(node.Id, new Assignment(channel, "leader", 4, null));

        var written = await TestNode.OkAsync<AppendResponse>(AppendAsync(node, channel, 4));

        Assert.Equal((1L, 4L), (written.FirstLsn, written.Term));
        Assert.Single(plane.Beats);
        Assert.Equal(["waited"], await node.TextsAsync(channel));
    }

    [Fact]
    public async Task A_leader_that_is_to_lead_at_a_higher_term_answers_at_that_term()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, settings: Long);
        plane.Assign(node.Id, new Assignment(channel, "leader", 3, null));
        Assert.Equal(3, (await TestNode.OkAsync<AppendResponse>(AppendAsync(node, channel, 3))).Term);
    }

    [Fact]
    public async Task While_it_waits_nothing_of_its_body_is_taken_in_and_an_order_wakes_it()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, Long);
        var waiting = AppendAsync(node, channel, 2);
        await WaitingAsync(node, 1);
        Assert.Equal(0, node.Services.GetRequiredService<BodyBudget>().TakenBytes);
        Assert.False(waiting.IsCompleted);

        await TestNode.OkAsync<OpenChannelsResponse>(node.PostAsync("channels/open", new OpenChannelsRequest([new ChannelAtTerm(channel, 2)]), node.Control));
        Assert.Equal(2, (await TestNode.OkAsync<AppendResponse>(waiting)).Term);
        await WaitingAsync(node, 0);
    }

    [Fact]
    public async Task An_opening_that_fails_ends_the_wait()
    {
        var channel = NodeFixture.NewChannel();
        var fault = new StorageFault { Broken = true };
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault, [.. Long, ("Wal:MaxAttempts", "2"), ("Wal:RetryDelayMs", "1")]);
        await JoinedAsync(node);
        plane.Assign(node.Id, new Assignment(channel, "leader", 2, null));
        await TestNode.ProblemAsync(AppendAsync(node, channel, 2).WaitAsync(Patience / 2), ApiErrorCode.NotLeader);
    }

    [Fact]
    public async Task A_channel_that_is_seen_to_be_another_nodes_ends_the_wait()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, Long);
        await using var other = await fixture.OpenStore().OpenAsync(channel, 5, "another node", null, CancellationToken.None);
        plane.Assign(node.Id, new Assignment(channel, "leader", 4, null));
        await TestNode.ProblemAsync(AppendAsync(node, channel, 5).WaitAsync(Patience / 2), ApiErrorCode.NotLeader);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("30")]
    public async Task Its_time_ends_the_wait_and_it_is_answered_as_any_other(string waitMs)
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, ("Node:HeartbeatIntervalMs", "60000"), ("Node:OpenWaitMs", waitMs));
        await TestNode.ProblemAsync(AppendAsync(node, NodeFixture.NewChannel(), 9), ApiErrorCode.NotLeader);
        await Eventually.HoldsAsync(() => plane.Beats.Count == 1, "it has asked");
    }

    [Fact]
    public async Task A_caller_that_goes_away_waits_no_longer()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, Long);
        using var gone = new CancellationTokenSource();
        var waiting = AppendAsync(node, NodeFixture.NewChannel(), 9, ct: gone.Token);
        await WaitingAsync(node, 1);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await WaitingAsync(node, 0);
    }

    [Fact]
    public async Task A_node_that_stops_keeps_none_waiting()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, Long);
        var waiting = AppendAsync(node, NodeFixture.NewChannel(), 9);
        await WaitingAsync(node, 1);
        await node.StopAsync().WaitAsync(Patience / 2);
        await TestNode.ProblemAsync(waiting, ApiErrorCode.NotLeader);
    }

    [Fact]
    public async Task Readers_of_the_nodes_own_copy_and_orders_do_not_wait()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Long);
        await node.AppendAsync(channel, "a");
        using var local = new HttpRequestMessage(HttpMethod.Get, $"channels/{channel}/messages?local=true") { Headers = { { BatonHeaders.Term, "9" } } };
        Assert.Single((await TestNode.OkAsync<ReadResponse>(node.Client.SendAsync(local).WaitAsync(Patience / 2))).Messages);
        using var order = new HttpRequestMessage(HttpMethod.Post, $"channels/{channel}/close") { Headers = { { BatonHeaders.Term, "9" } }, Content = new StringContent("""{"term":1}""", System.Text.Encoding.UTF8, "application/json") };
        await TestNode.OkAsync<ChannelStatus>(node.Control.SendAsync(order).WaitAsync(Patience / 2));
    }

    private static async Task<HttpResponseMessage> AppendAsync(TestNode node, string channel, long term, CancellationToken ct = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"channels/{channel}/messages") { Headers = { { BatonHeaders.Term, $"{term}" } } };
        request.Content = new StringContent("""{"messages":[{"payload":"d2FpdGVk"}]}""", System.Text.Encoding.UTF8, "application/json");
        return await node.Client.SendAsync(request, ct);
    }

    private static Task WaitingAsync(TestNode node, int requests) =>
        Eventually.HoldsAsync(() => node.Services.GetRequiredService<ChannelTable>().RequestsWaiting == requests, $"{requests} requests wait");

    private static Task JoinedAsync(TestNode node) => Eventually.HoldsAsync(() => node.Services.GetRequiredService<Membership>().Incarnation > 0, "it has joined");

    private async Task<TestNode> StartAsync(ScriptedControlPlane plane, params (string, string)[] settings)
    {
        var node = await TestNode.StartAsync(fixture, plane, "node-1", settings);
        await JoinedAsync(node);
        return node;
    }
}
