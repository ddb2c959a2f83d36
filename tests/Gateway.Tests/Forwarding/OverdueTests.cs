using Baton.Core.Api;
using Baton.Gateway.Tests.Harness;

namespace Baton.Gateway.Tests.Forwarding;

/// <summary>What becomes of requests whose time is over before their turn came.</summary>
public sealed class OverdueTests
{
    [Fact]
    public async Task A_request_whose_time_is_over_before_its_first_attempt_is_told_so_and_not_sent()
    {
        await using var scene = await Scene.StartAsync(("Gateway:HoldMs", "500"));
        await scene.First.DownAsync();

        // From then on who comes waits for a turn.
        await Eventually.HoldsAsync(
            async () =>
            {
                await scene.Gateway.AppendAsync("ch").ProblemAsync(ApiErrorCode.Unavailable);
                return !scene.Gateway.Routes.Find("ch")!.Turns.AreOpen;
            },
            "an attempt has failed");

        // More than can have a turn in that time.
        var others = Enumerable.Range(0, 100).Select(_ => scene.Gateway.AppendAsync("ch").ProblemAsync(ApiErrorCode.Unavailable)).ToArray();
        Assert.All(await Task.WhenAll(others), p => Assert.Contains("node-1", p.Detail, StringComparison.Ordinal));
    }
}
