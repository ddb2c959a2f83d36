using System.Net;
using Baton.Core.Api;
using Baton.Gateway.Tests.Harness;

namespace Baton.Gateway.Tests.Forwarding;

/// <summary>What the gateway takes at most, and its end.</summary>
public sealed class BoundsTests
{
    [Fact]
    public async Task What_comes_beyond_the_requests_that_may_be_held_is_told_to_come_later()
    {
        await using var scene = await Scene.StartAsync(("Gateway:MaxHeldRequests", "2"));
        scene.Plane.TakeOffline("ch");
        await Eventually.HoldsAsync(() => scene.Gateway.Routes.Find("ch") is { Leader: null }, "the gateway knows that the channel is offline");
        Task<AppendResponse>[] held = [scene.Gateway.AppendAsync("ch").AppendedAsync(), scene.Gateway.AppendAsync("ch").AppendedAsync()];
        await scene.HoldsAsync(2);
        var problem = await scene.Gateway.AppendAsync("ch").ProblemAsync(ApiErrorCode.Overloaded);
        Assert.Contains("Gateway:MaxHeldRequests", problem.Detail, StringComparison.Ordinal);

        scene.Plane.Lead("ch", scene.Second, term: 2);
        await Task.WhenAll(held);
        await scene.HoldsAsync(0);
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
    }

    [Fact]
    public async Task Bodies_that_find_no_room_are_told_to_come_later()
    {
        await using var scene = await Scene.StartAsync(("Gateway:MaxRequestBytesInFlight", "8388608"));
        var answers = new TaskCompletionSource();
        scene.First.Answer = async (context, _, _) =>
        {
            await answers.Task;
            await FakeNode.Appended(context);
        };
        using var body = new ByteArrayContent(new byte[8 * 1024 * 1024]);
        var large = scene.Gateway.Client.PostAsync(new Uri("channels/ch/messages", UriKind.Relative), body).AppendedAsync();
        await Eventually.HoldsAsync(() => !scene.First.Received.IsEmpty, "the node has the large body");
        Assert.Contains("Gateway:MaxRequestBytesInFlight", (await scene.Gateway.AppendAsync("ch").ProblemAsync(ApiErrorCode.Overloaded)).Detail, StringComparison.Ordinal);
        answers.SetResult();
        await large;
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
    }

    [Fact]
    public async Task What_is_held_is_finished_when_the_gateway_is_told_to_stop()
    {
        await using var scene = await Scene.StartAsync();
        await scene.First.DownAsync();
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await scene.HoldsAsync(1);
        var stopped = scene.Gateway.StopAsync();
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await append;
        await stopped;
        await Assert.ThrowsAsync<HttpRequestException>(() => scene.Gateway.Anonymous.GetAsync(new Uri("health", UriKind.Relative)));
    }

    [Fact]
    public async Task A_read_that_waits_is_answered_with_what_there_is_when_the_gateway_is_told_to_stop()
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, received, _) => received.Query.Contains("waitMs=0", StringComparison.Ordinal) ? FakeNode.Appended(context) : FakeNode.Silent(context);
        var read = scene.Gateway.GetAsync("channels/ch/messages?waitMs=60000");
        await Eventually.HoldsAsync(() => !scene.First.Received.IsEmpty, "the read waits at the node");
        await scene.Gateway.StopAsync();
        using var answer = await read;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }
}
