using System.Net;
using Baton.Core.Api;
using Baton.Gateway.Tests.Harness;

namespace Baton.Gateway.Tests.Routing;

public sealed class RouteFollowerTests
{
    [Fact]
    public async Task The_route_is_asked_for_by_one_long_poll_after_the_other()
    {
        await using var scene = await Scene.StartAsync();
        var version = scene.Gateway.Routes.Version;
        await Eventually.HoldsAsync(() => scene.Plane.Polls.Count == 2, "the next poll waits");
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await Eventually.HoldsAsync(() => scene.Gateway.Routes.Find("ch")?.Leader?.Term == 2, "the gateway has the newer route");
        await Eventually.HoldsAsync(() => scene.Plane.Polls.Count == 3, "the next poll waits");
        Assert.Equal([null, version, version + 1], scene.Plane.Polls);
    }

    [Fact]
    public async Task While_the_control_plane_is_away_requests_go_by_the_last_route_and_the_next_one_is_taken_when_it_is_back()
    {
        await using var scene = await Scene.StartAsync();
        scene.Plane.Away = true;
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await Eventually.HoldsAsync(async () => (await scene.Gateway.MetricsAsync()).Contains("baton_gateway_route_polls_total{outcome=\"failed\"}", StringComparison.Ordinal), "polls fail");
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        Assert.Single(scene.First.Received);

        scene.Plane.Away = false;
        await Eventually.HoldsAsync(() => scene.Gateway.Routes.Find("ch")?.Leader?.NodeId == "node-2", "the newer route is taken");
    }

    [Fact]
    public async Task A_route_of_a_lower_version_is_never_taken()
    {
        await using var scene = await Scene.StartAsync();
        var version = scene.Gateway.Routes.Version;
        scene.Plane.SetVersion(-7);
        scene.Plane.Lead("ch", scene.Second, term: 9);

        // A poll that came after the change waits for another one.
        await Eventually.HoldsAsync(
            async () =>
            {
                scene.Plane.Wake();
                return (await scene.Gateway.MetricsAsync()).Contains("baton_gateway_route_polls_total{outcome=\"older\"}", StringComparison.Ordinal);
            },
            "an older route came");
        Assert.Equal((version, "node-1"), (scene.Gateway.Routes.Version, scene.Gateway.Routes.Find("ch")?.Leader?.NodeId));
    }

    [Fact]
    public async Task Before_the_first_route_requests_are_held_and_the_gateway_says_that_it_is_not_well()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await FakeNode.StartAsync("node-1");
        plane.Lead("ch", node, term: 1);
        plane.Away = true;
        await using var gateway = await TestGateway.StartWithoutRouteAsync(plane);
        using (var health = await gateway.Anonymous.GetAsync(new Uri("health", UriKind.Relative)))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        }

        var append = gateway.AppendAsync("ch").AppendedAsync();
        var unknown = gateway.AppendAsync("nothing").ProblemAsync(ApiErrorCode.NotFound);
        await Eventually.HoldsAsync(async () => (await gateway.MetricsAsync()).Contains("\nbaton_gateway_held_requests 2\n", StringComparison.Ordinal), "both are held");
        plane.Away = false;
        await append;
        await unknown;
        using (var health = await gateway.Anonymous.GetAsync(new Uri("health", UriKind.Relative)))
        {
            Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        }
    }
}
