using Azure.Core;
using Baton.Core.Api;
using Baton.Node.Channels;
using Baton.Node.Tests.Harness;
using Baton.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Leadership;

/// <summary>One order, or one answer, that gives a node many channels.</summary>
public sealed class ManyOpensTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task An_order_is_answered_at_once_and_opened_behind_the_answer_a_few_at_a_time()
    {
        var channels = Enumerable.Range(0, 12).Select(_ => NodeFixture.NewChannel()).ToArray();
        var gate = new StorageGate();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, gate, ("Node:OpensAtOnce", "3"));

        Assert.Equal(12, await OrderAsync(node, 1, channels));
        await Eventually.HoldsAsync(() => gate.Held == 3, "as many are being opened as may be");
        var table = node.Services.GetRequiredService<ChannelTable>();
        Assert.Equal((3, 9), (table.OpeningsUnderWay, table.OpeningsWaiting));
        Assert.Equal(0, await OrderAsync(node, 1, channels));

        // What it is to open keeps no heartbeat waiting, and an answer that says the same orders nothing twice.
        plane.Assign(node.Id, [.. channels.Select(c => new Assignment(c, "leader", 1, null))]);
        var beats = plane.Beats.Count;
        await Eventually.HoldsAsync(() => plane.Beats.Count >= beats + 3, "it beats");
        Assert.Equal((3, 3, 9), (gate.Held, table.OpeningsUnderWay, table.OpeningsWaiting));

        gate.Open();
        await Eventually.HoldsAsync(() => table.Held().Count == 12, "all are open");
        Assert.Equal(channels.Order(StringComparer.Ordinal), gate.Channels.Order(StringComparer.Ordinal));
        Assert.Equal((0, 0), (table.OpeningsUnderWay, table.OpeningsWaiting));
        Assert.Equal(0, await OrderAsync(node, 1, channels));
    }

    [Fact]
    public async Task Those_for_which_a_request_waits_go_first_then_as_ordered()
    {
        var channels = Enumerable.Range(0, 5).Select(_ => NodeFixture.NewChannel()).ToArray();
        var gate = new StorageGate();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, gate, ("Node:OpensAtOnce", "1"), ("Node:OpenWaitMs", "60000"));
        plane.Assign(node.Id, [.. channels.Select(c => new Assignment(c, "leader", 1, null))]);
        await OrderAsync(node, 1, channels);
        await Eventually.HoldsAsync(() => gate.Held == 1, "the first is being opened");

        using var request = new HttpRequestMessage(HttpMethod.Get, $"channels/{channels[3]}/messages") { Headers = { { BatonHeaders.Term, "1" } } };
        var waiting = node.Client.SendAsync(request);
        await Eventually.HoldsAsync(() => node.Services.GetRequiredService<ChannelTable>().RequestsWaiting == 1, "the request waits");
        gate.Open();
        using var answer = await waiting;

        Assert.Equal(200, (int)answer.StatusCode);
        await Eventually.HoldsAsync(() => gate.Channels.Count == 5, "all are open");
        Assert.Equal([channels[0], channels[3], channels[1], channels[2], channels[4]], gate.Channels);
    }

    [Fact]
    public async Task Only_terms_above_those_seen_are_news_and_the_highest_of_a_channel_counts()
    {
        var (led, other) = (NodeFixture.NewChannel(), NodeFixture.NewChannel());
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, led, term: 3);
        plane.Assign(node.Id, new Assignment(led, "leader", 4, null), new Assignment(other, "leader", 6, null));
        Assert.Equal(0, await OrderAsync(node, (led, 3), (led, 2)));
        Assert.InRange(await OrderAsync(node, (led, 4), (other, 5), (other, 6)), 0, 2);
        await node.LeadsAsync(led, 4);
        await node.LeadsAsync(other, 6);
    }

    [Fact]
    public async Task A_single_order_takes_a_turn_as_well()
    {
        var channels = Enumerable.Range(0, 3).Select(_ => NodeFixture.NewChannel()).ToArray();
        var gate = new StorageGate();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, gate, ("Node:OpensAtOnce", "1"));
        // Not the third: a heartbeat would order it as well.
        plane.Assign(node.Id, [.. channels[..2].Select(c => new Assignment(c, "leader", 1, null))]);
        await OrderAsync(node, 1, channels[..2]);
        await Eventually.HoldsAsync(() => gate.Held == 1, "the first is being opened");
        var single = TestNode.OkAsync<ChannelStatus>(node.PostAsync($"channels/{channels[2]}/open", new OpenChannelRequest(1), node.Control));
        await Eventually.HoldsAsync(() => node.Services.GetRequiredService<ChannelTable>().OpeningsWaiting == 2, "it waits for its turn");
        Assert.Equal(1, gate.Held);
        gate.Open();

        Assert.Equal((1L, "leader"), await single is var opened ? (opened.Term, opened.Role) : default);
        await node.LeadsAsync(channels[1], 1);
        Assert.Equal([channels[0], channels[2], channels[1]], gate.Channels);
    }

    [Fact]
    public async Task A_node_that_stops_begins_nothing_that_it_had_not_begun()
    {
        var channels = Enumerable.Range(0, 20).Select(_ => NodeFixture.NewChannel()).ToArray();
        var gate = new StorageGate();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane, gate, ("Node:OpensAtOnce", "1"));
        await OrderAsync(node, 1, channels);
        await Eventually.HoldsAsync(() => gate.Held == 1, "the first is being opened");
        var stopping = node.StopAsync();
        await Eventually.HoldsAsync(() => node.Services.GetRequiredService<ChannelTable>().OpeningsWaiting == 0, "the others are dropped");
        gate.Open();
        await stopping.WaitAsync(Patience);
        Assert.Equal([channels[0]], gate.Channels);
        Assert.Empty(node.Services.GetRequiredService<ChannelTable>().Held());
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"channels":null}""")]
    [InlineData("""{"channels":[null]}""")]
    [InlineData("""{"channels":[{"term":1}]}""")]
    [InlineData("""{"channels":[{"channel":"ok","term":1},{"channel":"Not ok","term":1}]}""")]
    [InlineData("""{"channels":[{"channel":"ok","term":1},{"channel":"also","term":0}]}""")]
    [InlineData("""{"channels":[{"channel":"ok","term":1},{"channel":"also","term":9007199254740992}]}""")]
    public async Task An_order_that_is_wrong_anywhere_opens_nothing(string body)
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane);
        await TestNode.ProblemAsync(node.PostRawAsync("channels/open", body, node.Control), ApiErrorCode.InvalidArgument);
        Assert.Equal(0, node.Services.GetRequiredService<ChannelTable>().TermOrdered("ok"));
    }

    [Fact]
    public async Task Twenty_thousand_channels_are_an_order_and_one_more_is_not()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        var gate = new StorageGate();
        await using (var node = await StartAsync(plane, gate, ("Node:OpensAtOnce", "1")))
        {
            var tooMany = Enumerable.Range(0, 20_001).Select(i => (Channel: $"many-{Guid.NewGuid():N}", Term: 1L)).ToArray();
            await TestNode.ProblemAsync(node.PostAsync("channels/open", Body(tooMany), node.Control), ApiErrorCode.InvalidArgument);
            Assert.Equal(0, node.Services.GetRequiredService<ChannelTable>().OpeningsWaiting);

            Assert.Equal(20_000, await OrderAsync(node, tooMany[1..]));
            Assert.Equal((1, 19_999), node.Services.GetRequiredService<ChannelTable>() is var table ? (table.OpeningsUnderWay, table.OpeningsWaiting) : default);
            var beats = plane.Beats.Count;
            await Eventually.HoldsAsync(() => plane.Beats.Count >= beats + 3, "it beats");
            var stopping = node.StopAsync();
            await Eventually.HoldsAsync(() => table.OpeningsWaiting == 0, "they are dropped");
            gate.Open();
            await stopping.WaitAsync(Patience);
        }
    }

    [Fact]
    public async Task Only_the_control_plane_may_order()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane);
        await TestNode.ProblemAsync(node.PostAsync("channels/open", Body(("stolen", 1))), ApiErrorCode.Unauthorized);
        await TestNode.ProblemAsync(node.PostAsync("channels/open", Body(("stolen", 1)), node.Anonymous), ApiErrorCode.Unauthorized);
        Assert.Equal(0, node.Services.GetRequiredService<ChannelTable>().TermOrdered("stolen"));
    }

    private static OpenChannelsRequest Body(params (string Channel, long Term)[] channels) => new([.. channels.Select(c => new ChannelAtTerm(c.Channel, c.Term))]);

    private static Task<int> OrderAsync(TestNode node, long term, params string[] channels) => OrderAsync(node, [.. channels.Select(c => (c, term))]);

    private static async Task<int> OrderAsync(TestNode node, params (string Channel, long Term)[] channels)
    {
        using var answer = await node.PostAsync("channels/open", Body(channels), node.Control);
        Assert.Equal(202, (int)answer.StatusCode);
        return (await TestNode.OkAsync<OpenChannelsResponse>(Task.FromResult(answer))).News;
    }

    private async Task<TestNode> StartAsync(ScriptedControlPlane plane, StorageGate gate, params (string, string)[] settings)
    {
        var node = await TestNode.StartAsync(
            fixture,
            plane,
            "node-1",
            builder => builder.Services.AddSingleton(BatonStorage.Open(new StorageOptions { ConnectionString = fixture.ConnectionString }, configureBlobs: blobs => blobs.AddPolicy(gate, HttpPipelinePosition.PerCall))),
            settings);
        await Eventually.HoldsAsync(() => !plane.Beats.IsEmpty, "it has joined");
        return node;
    }
}
