using Baton.Core.Api;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Leadership;

public sealed class LeadershipTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task A_node_that_leads_nothing_says_so()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane);
        var problem = await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/messages", """{"messages":[{"payload":"YQ=="}]}"""), ApiErrorCode.NotLeader);
        Assert.Null(problem.Leader);
        await TestNode.ProblemAsync(node.Client.GetAsync($"channels/{channel}/messages"), ApiErrorCode.NotLeader);
        Assert.Equal("none", (await node.StatusAsync(channel)).Role);
    }

    [Fact]
    public async Task NotLeader_names_the_leader_once_it_is_known()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Route = new RouteView(7, new Dictionary<string, RouteEntry>(StringComparer.Ordinal) { [channel] = new(new Uri("http://127.0.0.1:9/"), "node-9", 4) });
        await using var node = await TestNode.StartAsync(fixture, plane);
        await Eventually.HoldsAsync(
            async () => (await TestNode.ProblemAsync(node.Client.GetAsync($"channels/{channel}/messages"), ApiErrorCode.NotLeader)).Leader is { NodeId: "node-9", Term: 4 },
            "the hint arrives");
    }

    [Fact]
    public async Task A_second_node_opens_at_a_higher_term_and_sees_the_same()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        string[] before;
        await using (var first = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            await first.AppendAsync(channel, "a", "b");
            await first.AppendAsync(channel, "c");
            before = await first.TextsAsync(channel);
        }

        await using var second = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        Assert.Equal(before, await second.TextsAsync(channel));
        var written = await second.AppendAsync(channel, "d");
        Assert.Equal((4L, 2L), (written.FirstLsn, written.Term));
        Assert.Equal(["a", "b", "c", "d"], await second.TextsAsync(channel));
    }

    [Fact]
    public async Task A_deposed_node_answers_NotLeader_and_stops_serving()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var old = await TestNode.LeadingAsync(fixture, plane, channel);
        await old.AppendAsync(channel, "kept");
        plane.TakesHeartbeats = false;
        await using var second = await StartUnjoinedAsync(plane, "node-2");
        await TestNode.OkAsync<ChannelStatus>(second.PostAsync($"channels/{channel}/open", new OpenChannelRequest(2), second.Control));

        await TestNode.ProblemAsync(old.PostRawAsync($"channels/{channel}/messages", """{"messages":[{"payload":"YQ=="}]}"""), ApiErrorCode.NotLeader);
        await Eventually.HoldsAsync(async () => (await old.StatusAsync(channel)).Role == "none", "the deposed node lets go");
        await TestNode.ProblemAsync(old.Client.GetAsync($"channels/{channel}/messages"), ApiErrorCode.NotLeader);
        Assert.Equal(["kept"], await second.TextsAsync(channel));
    }

    [Fact]
    public async Task A_long_poll_on_a_deposed_node_ends_with_NotLeader()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var poll = node.Client.GetAsync($"channels/{channel}/messages?waitMs=60000");
        await Eventually.HoldsAsync(() => node.WaitingReaders(channel) == 1, "the reader waits");
        plane.Assign(node.Id);
        await TestNode.ProblemAsync(poll, ApiErrorCode.NotLeader);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(2)]
    public async Task Opening_at_an_equal_or_older_term_is_a_conflict_and_changes_nothing(long term)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: 3);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/open", new OpenChannelRequest(term), node.Control), ApiErrorCode.Conflict);
        await using var other = await TestNode.StartAsync(fixture, plane, "node-2");
        await TestNode.ProblemAsync(other.PostAsync($"channels/{channel}/open", new OpenChannelRequest(term), other.Control), ApiErrorCode.Conflict);
        Assert.Equal("none", (await other.StatusAsync(channel)).Role);
        Assert.Equal(1, (await node.AppendAsync(channel, "still")).FirstLsn);
    }

    [Fact]
    public async Task Open_at_a_higher_term_on_the_leader_itself_carries_on()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await node.AppendAsync(channel, "a");
        plane.Assign(node.Id, new Assignment(channel, "leader", 5, null));
        await node.LeadsAsync(channel, 5);
        Assert.Equal((2L, 5L), await FirstAndTermAsync(node.AppendAsync(channel, "b")));
        Assert.Equal(["a", "b"], await node.TextsAsync(channel));
    }

    [Fact]
    public async Task Close_ends_serving_and_refuses_a_lower_term()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: 3);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/close", new CloseChannelRequest(2), node.Control), ApiErrorCode.Conflict);
        Assert.Equal("leader", (await node.StatusAsync(channel)).Role);
        await TestNode.OkAsync<ChannelStatus>(node.PostAsync($"channels/{channel}/close", new CloseChannelRequest(3), node.Control));
        await TestNode.OkAsync<ChannelStatus>(node.PostAsync($"channels/{channel}/close", new CloseChannelRequest(3), node.Control));
        await TestNode.ProblemAsync(node.Client.GetAsync($"channels/{channel}/messages"), ApiErrorCode.NotLeader);

        // Still assigned at term 3: what was closed by order stays closed until a higher term comes.
        plane.Heartbeats.Clear();
        await Eventually.HoldsAsync(() => plane.Heartbeats.TryGetValue(node.Id, out var beat) && beat.Channels.Count == 0, "it beats on without the channel");
        Assert.Equal("none", (await node.StatusAsync(channel)).Role);
        plane.Assign(node.Id, new Assignment(channel, "leader", 4, null));
        await node.LeadsAsync(channel, 4);
        Assert.Single(plane.Joins);
    }

    [Fact]
    public async Task A_node_forgotten_by_the_control_plane_joins_again_and_leads_at_its_new_term()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await node.AppendAsync(channel, "a");
        plane.Assign(node.Id, new Assignment(channel, "leader", 2, null));
        plane.Forget(node.Id);
        await Eventually.HoldsAsync(() => plane.Joins.Count == 2, "it joins again");
        await node.LeadsAsync(channel, 2);
        Assert.Equal(["a"], await node.TextsAsync(channel));
    }

    [Fact]
    public async Task A_node_serves_on_while_the_control_plane_is_away_and_joins_when_it_comes()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesHeartbeats = false;
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane);
        Assert.True((await node.Anonymous.GetAsync("health")).IsSuccessStatusCode);
        plane.TakesHeartbeats = true;
        await node.LeadsAsync(channel, 1);
        plane.TakesHeartbeats = false;
        Assert.Equal(1, (await node.AppendAsync(channel, "a")).FirstLsn);
    }

    [Fact]
    public async Task Heartbeats_say_what_is_held_and_how_far_it_is()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: 2);
        await node.AppendAsync(channel, "a", "b");
        await Eventually.HoldsAsync(
            () => plane.Heartbeats.TryGetValue(node.Id, out var beat) && beat.Channels is [{ Term: 2, Role: "leader", FlushedLsn: 2, CommittedLsn: 2 } held] && held.Name == channel,
            "a heartbeat reports LSN 2");
        Assert.Equal(1, plane.Heartbeats[node.Id].Incarnation);
        Assert.Equal(plane.Joins.Single().Request.Endpoint, node.Client.BaseAddress);
    }

    [Fact]
    public async Task A_term_that_the_log_has_seen_is_not_opened_and_a_higher_one_is()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using (var writer = await fixture.OpenStore().OpenAsync(channel, 6, "somebody", null, CancellationToken.None))
        {
            Assert.Equal(6, writer.Term);
        }

        plane.Assign("node-1", new Assignment(channel, "leader", 5, null));
        await using var node = await TestNode.StartAsync(fixture, plane);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/open", new OpenChannelRequest(6), node.Control), ApiErrorCode.Conflict);
        plane.Assign("node-1", new Assignment(channel, "leader", 7, null));
        await node.LeadsAsync(channel, 7);
    }

    private async Task<TestNode> StartUnjoinedAsync(ScriptedControlPlane plane, string id) => await TestNode.StartAsync(fixture, plane, id);

    private static async Task<(long, long)> FirstAndTermAsync(Task<AppendResponse> append)
    {
        var answer = await append;
        return (answer.FirstLsn, answer.Term);
    }
}
