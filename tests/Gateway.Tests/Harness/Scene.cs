namespace Baton.Gateway.Tests.Harness;

/// <summary>A control plane, two nodes and a gateway; channel <c>ch</c> is led by the first at term 1.</summary>
internal sealed class Scene : IAsyncDisposable
{
    private Scene(ScriptedControlPlane plane, FakeNode first, FakeNode second, TestGateway gateway) => (Plane, First, Second, Gateway) = (plane, first, second, gateway);

    public ScriptedControlPlane Plane { get; }

    public FakeNode First { get; }

    public FakeNode Second { get; }

    public TestGateway Gateway { get; }

    public static async Task<Scene> StartAsync(params (string Key, string Value)[] settings)
    {
        var plane = await ScriptedControlPlane.StartAsync();
        var first = await FakeNode.StartAsync("node-1");
        var second = await FakeNode.StartAsync("node-2");
        plane.Lead("ch", first, term: 1, incarnation: 11);
        return new Scene(plane, first, second, await TestGateway.StartAsync(plane, settings));
    }

    /// <summary>Waits until the gateway holds so many requests.</summary>
    public Task HoldsAsync(int requests) =>
        Eventually.HoldsAsync(async () => (await Gateway.MetricsAsync()).Contains($"\nbaton_gateway_held_requests {requests}\n", StringComparison.Ordinal), $"{requests} requests are held");

    /// <summary>What the gateway has counted of attempts that brought no answer.</summary>
    public async Task<bool> HasRetriedAsync(string reason) => (await Gateway.MetricsAsync()).Contains($"baton_gateway_retries_total{{reason=\"{reason}\"}}", StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await First.DisposeAsync();
        await Second.DisposeAsync();
        await Plane.DisposeAsync();
    }
}
