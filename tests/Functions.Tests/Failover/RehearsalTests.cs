using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;
using Microsoft.Extensions.Hosting;

namespace Baton.Functions.Tests.Failover;

/// <summary>The made-up failover that the app's start is followed by.</summary>
public sealed class RehearsalTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_rehearsed_failover_goes_through_plan_write_and_orders_and_touches_neither_storage_nor_nodes()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        var before = await plane.StateAsync();
        plane.ClearCalls();

        var (plan, told, _) = await Rehearsal(plane).RunAsync(default);

        Assert.Equal(FailoverOutcome.Planned, plan.Outcome);
        Assert.Equal(12, plan.Moves.Count);
        Assert.Equal(2, told);
        Assert.Empty(plane.Storage.Calls);
        Assert.All(plane.Nodes, n => Assert.Empty(n.Calls));
        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
    }

    [Fact]
    public async Task The_app_rehearses_beside_its_start()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var rehearsal = Rehearsal(plane);
        plane.ClearCalls();

        await rehearsal.StartAsync(default);
        await rehearsal.ExecuteTask!.WaitAsync(TimeSpan.FromSeconds(120));

        Assert.Equal(2, rehearsal.Took.Count);
        Assert.Empty(plane.Storage.Calls);
    }

    private static Rehearsal Rehearsal(ControlPlane plane) => plane.Get<IEnumerable<IHostedService>>().OfType<Rehearsal>().Single();
}
