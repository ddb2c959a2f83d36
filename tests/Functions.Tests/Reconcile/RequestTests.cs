using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Reconcile;

public sealed class RequestTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Messages_that_come_while_one_is_being_counted_are_counted_once_together()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var (counting, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        plane.Storage.Before = call =>
        {
            counting.TrySetResult();
            return go.Task;
        };

        // The pass itself does not get to its plan, so that nothing is served meanwhile.
        plane.Engine.BeforeActivity = _ => new TaskCompletionSource().Task;
        var first = plane.AskAsync();
        await counting.Task.WaitAsync(TimeSpan.FromSeconds(60));
        var others = Enumerable.Range(0, 500).Select(_ => plane.AskAsync()).ToList();
        go.SetResult();
        await Task.WhenAll([first, .. others]).WaitAsync(TimeSpan.FromSeconds(120));

        Assert.Equal(2, (await plane.Operations.ReadHeadAsync(RoutineReconcile.OperationId, default))!.Requests);
        Assert.Single(plane.Engine.InstanceIds);
    }

    [Fact]
    public async Task A_request_that_fails_fails_for_those_who_share_it_and_not_for_the_next()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        plane.Storage.Before = _ => throw new InvalidOperationException("no storage");
        await Assert.ThrowsAsync<InvalidOperationException>(() => plane.AskAsync());

        plane.Storage.Before = null;
        await plane.AskAsync();

        Assert.Equal(1, (await plane.Operations.ReadHeadAsync(RoutineReconcile.OperationId, default))!.Requests);
    }

    [Fact]
    public async Task TRAP2_An_urgent_message_is_handled_while_every_routine_one_and_the_pass_itself_are_stuck()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        var stuck = new TaskCompletionSource();
        plane.Storage.Before = call => call.EndsWith("Operations", StringComparison.Ordinal) ? stuck.Task : Task.CompletedTask;
        var routine = Enumerable.Range(0, 500).Select(_ => plane.AskAsync()).ToList();

        await ReconcileTests.FailAsync(plane, "n1").WaitAsync(TimeSpan.FromSeconds(120));

        Assert.All((await plane.StateAsync()).Channels.Values, c => Assert.Equal("n2", c.Leader));
        Assert.All(routine, r => Assert.False(r.IsCompleted));
        stuck.SetResult();
        await Task.WhenAll(routine).WaitAsync(TimeSpan.FromSeconds(120));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(16, 1)]
    [InlineData(17, 2)]
    [InlineData(1000, 4)]
    public void A_pass_takes_at_most_a_quarter_of_the_hosts_runners_however_many_nodes_there_are(int nodes, int activities)
    {
        var ids = Enumerable.Range(0, nodes).Select(i => $"n{i}").ToList();

        var dealt = NodesToReconcile.Deal(ids);

        Assert.Equal(activities, dealt.Count);
        Assert.Equal(ids.Order(StringComparer.Ordinal), dealt.SelectMany(d => d.NodeIds).Order(StringComparer.Ordinal));
        Assert.True(dealt.Count == 0 || dealt.Max(d => d.NodeIds.Count) - dealt.Min(d => d.NodeIds.Count) <= 1);
    }
}
