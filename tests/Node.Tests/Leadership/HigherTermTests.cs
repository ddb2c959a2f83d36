using System.Diagnostics;
using Baton.Core.Api;
using Baton.Node.Leadership;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Leadership;

/// <summary>A node that meets a term above its own asks for its assignments at once. By itself it would not beat within the test.</summary>
public sealed class HigherTermTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly (string, string)[] Rarely = [("Node:HeartbeatIntervalMs", "60000"), ("Node:OpenWaitMs", "0")];

    [Fact]
    public async Task A_request_by_a_route_of_a_higher_term_makes_it_ask_and_open()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane);
        plane.Assign(node.Id, new Assignment(channel, "leader", 4, null));

        using var answer = await GetAsync(node, $"channels/{channel}/messages", "4");
        Assert.Equal(421, (int)answer.StatusCode);

        await node.LeadsAsync(channel, 4);
        Assert.Single(plane.Beats);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    public async Task A_term_that_it_knows_makes_it_ask_for_nothing(string term)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, settings: Rarely);

        Assert.True((await GetAsync(node, $"channels/{channel}/messages", term)).IsSuccessStatusCode);
        Assert.False(Asked(node));
        Assert.Empty(plane.Beats);

        // The leader itself may be behind as well.
        plane.Assign(node.Id, new Assignment(channel, "leader", 3, null));
        Assert.True((await GetAsync(node, $"channels/{channel}/status", "3")).IsSuccessStatusCode);
        await node.LeadsAsync(channel, 3);
    }

    [Fact]
    public async Task Many_requests_are_served_by_few_beats()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane);
        var since = Stopwatch.GetTimestamp();
        for (var i = 0; i < 20; i++)
        {
            foreach (var answer in await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => GetAsync(node, $"channels/{channel}/status", "9"))))
            {
                answer.Dispose();
            }
        }

        await Eventually.HoldsAsync(() => !plane.Beats.IsEmpty, "it asks");

        // Counted before the time is taken: whatever comes in between was due by then.
        var (beats, most) = (plane.Beats.Count, (Stopwatch.GetElapsedTime(since) / EarlyBeat.LeastPause) + 1);
        Assert.True(beats <= most, $"{beats} beats, at most {most} were due");
    }

    [Fact]
    public async Task After_a_beat_that_failed_nobody_makes_it_ask_sooner()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane);
        plane.TakesHeartbeats = false;
        using var first = await GetAsync(node, $"channels/{channel}/status", "9");
        await Eventually.HoldsAsync(() => plane.Refused == 1, "it asks");

        using var second = await GetAsync(node, $"channels/{channel}/status", "9");
        Assert.True(Asked(node));
        Assert.Equal(1, plane.Refused);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("one")]
    [InlineData("9007199254740992")]
    [InlineData("99999999999999999999")]
    public async Task A_header_that_is_no_term_is_refused(string term)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Rarely);

        await TestNode.ProblemAsync(GetAsync(node, $"channels/{channel}/messages", term), ApiErrorCode.InvalidArgument);
        Assert.False(Asked(node));
    }

    [Fact]
    public async Task Nobody_without_a_secret_makes_it_ask()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"channels/{NodeFixture.NewChannel()}/status") { Headers = { { BatonHeaders.Term, "9" } } };

        await TestNode.ProblemAsync(node.Anonymous.SendAsync(request), ApiErrorCode.Unauthorized);
        Assert.False(Asked(node));
    }

    [Fact]
    public async Task A_route_that_names_this_node_at_a_higher_term_makes_it_ask_and_open()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await StartAsync(plane);
        plane.Route = new RouteView(7, new Dictionary<string, RouteEntry>(StringComparer.Ordinal) { [channel] = new(node.Client.BaseAddress!, node.Id, 4) });
        plane.Assign(node.Id, new Assignment(channel, "leader", 4, null));

        await TestNode.ProblemAsync(node.Client.GetAsync($"channels/{channel}/messages"), ApiErrorCode.NotLeader);

        await node.LeadsAsync(channel, 4);
        Assert.Single(plane.Beats);
    }

    private static bool Asked(TestNode node) => node.Services.GetRequiredService<EarlyBeat>().Asked.IsCompleted;

    private static async Task<HttpResponseMessage> GetAsync(TestNode node, string path, string term)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        Assert.True(request.Headers.TryAddWithoutValidation(BatonHeaders.Term, term));
        return await node.Client.SendAsync(request);
    }

    private async Task<TestNode> StartAsync(ScriptedControlPlane plane)
    {
        var node = await TestNode.StartAsync(fixture, plane, "node-1", Rarely);
        await Eventually.HoldsAsync(() => node.Services.GetRequiredService<Membership>().Incarnation > 0, "it has joined");
        return node;
    }
}
