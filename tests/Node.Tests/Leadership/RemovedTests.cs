using Baton.Core.Api;
using Baton.Node.Leadership;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Baton.Node.Tests.Leadership;

/// <summary>A node that an operator has taken out of its cluster, and how the control plane knows one process from the next.</summary>
public sealed class RemovedTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Told_in_a_heartbeat_it_hands_over_and_ends_with_4()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var old = await TestNode.LeadingAsync(fixture, plane, channel, settings: ("Node:DrainTimeoutMs", "90000"));
        await old.AppendAsync(channel, "before");
        plane.Removed = true;
        await Eventually.HoldsAsync(() => Stopping(old), "it ends");
        Assert.Equal(Membership.RemovedExitCode, ExitCode(old));

        // As the process does when it is told so.
        var stopping = old.StopAsync();
        await Eventually.HoldsAsync(() => plane.Leavings.Count >= 2, "it leaves, and says so while it waits");
        await old.AppendAsync(channel, "meanwhile");
        Assert.False(stopping.IsCompleted);
        plane.Removed = false;
        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        await stopping.WaitAsync(Patience);
        Assert.Equal(["before", "meanwhile"], await next.TextsAsync(channel));
        Assert.Single(plane.Joins, j => j.NodeId == old.Id);
    }

    [Fact]
    public async Task A_join_that_is_refused_ends_the_process_with_4_and_it_says_why()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Removed = true;
        await using var process = await NodeProcess.StartAsync(fixture, plane, "node-1");
        Assert.Equal(Membership.RemovedExitCode, await process.ExitCodeAsync());
        Assert.Contains(process.Lines, l => l.Contains("an operator has removed it", StringComparison.Ordinal));
        Assert.Empty(plane.Joins);
    }

    [Fact]
    public async Task One_that_must_join_again_and_is_refused_ends_as_well()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        plane.RefusesJoins = true;
        plane.Forget(node.Id);
        await Eventually.HoldsAsync(() => Stopping(node), "it ends");
        Assert.Equal(Membership.RemovedExitCode, ExitCode(node));
    }

    [Fact]
    public async Task A_409_that_is_not_the_control_planes_own_removes_nobody()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.InBetween = 409;
        await using var node = await TestNode.StartAsync(fixture, plane);
        await Eventually.HoldsAsync(() => Volatile.Read(ref plane.Refused) >= 2, "it asks again");
        Assert.False(Stopping(node));
        plane.InBetween = null;
        await Eventually.HoldsAsync(() => !plane.Joins.IsEmpty, "it joins");
        Assert.Equal(0, ExitCode(node));
    }

    [Fact]
    public async Task Each_join_of_a_process_names_the_same_instance_and_each_process_another()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using (var node = await TestNode.StartAsync(fixture, plane))
        {
            await Eventually.HoldsAsync(() => !plane.Beats.IsEmpty, "it has joined");
            plane.Forget(node.Id);
            await Eventually.HoldsAsync(() => plane.Joins.Count == 2, "it joins again");
        }

        await using var again = await TestNode.StartAsync(fixture, plane);
        await Eventually.HoldsAsync(() => plane.Joins.Count == 3, "the next process joins");
        var instances = plane.Joins.Select(j => j.Request.Instance).ToArray();
        Assert.All(instances, i => Assert.True(Names.IsValidId(i)));
        Assert.Equal(instances[0], instances[1]);
        Assert.NotEqual(instances[0], instances[2]);
    }

    private static int ExitCode(TestNode node) => node.Services.GetRequiredService<Membership>().ExitCode;

    private static bool Stopping(TestNode node) => node.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested;
}
