using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Operations;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Functions.Timeline;
using Baton.Testing;

namespace Baton.Functions.Tests.Reconcile;

[Collection(AzuriteTests.Name)]
public sealed class ReconcileTests(AzuriteFixture azurite)
{
    [Fact]
    public async Task A_pass_opens_what_a_leader_missed_and_leaves_alone_what_is_open()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        var state = await plane.StateAsync();
        var behind = plane.Nodes.Single(n => n.NodeId == state.Channels["ch2"].Leader);
        behind.Open.Clear();
        Clear(plane);

        await AskAsync(plane, Message());
        await ForcedPromotionTests.FinishedAsync(plane, RoutineReconcile.OperationId);

        Assert.Equal("ch2", Assert.Single(plane.Nodes.SelectMany(n => n.Of("open"))).Channel);
        Assert.Equal(state.Channels["ch2"].Term, behind.Open["ch2"]);
        Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Reconciled);
    }

    [Fact]
    public async Task A_node_that_has_gone_silent_is_skipped_and_reported()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        plane.Time.Advance(TimeSpan.FromSeconds(4));
        Clear(plane);

        await AskAsync(plane, Message());
        await ForcedPromotionTests.FinishedAsync(plane, RoutineReconcile.OperationId);

        Assert.Empty(plane.Nodes.SelectMany(n => n.Calls));
        Assert.Contains(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Reconciled && e.Summary.Contains("skipped: n1; n2", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Requests_during_a_pass_are_one_more_pass_and_requests_afterwards_run_it_again()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        var hold = new TaskCompletionSource();
        plane.Engine.BeforeActivity = name => name == nameof(ReportReconcile) ? hold.Task : Task.CompletedTask;

        await AskAsync(plane, Message());
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.Runs(nameof(ReconcileNode)) == 2));
        await AskAsync(plane, Message());
        await AskAsync(plane, Message());
        hold.SetResult();
        await ForcedPromotionTests.FinishedAsync(plane, RoutineReconcile.OperationId);
        Assert.Equal(2, plane.Engine.Runs(nameof(PlanReconcile)));

        await AskAsync(plane, Message());
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.Runs(nameof(PlanReconcile)) == 3));
        Assert.Equal(OperationStatus.Succeeded, (await ForcedPromotionTests.FinishedAsync(plane, RoutineReconcile.OperationId)).Status);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("""{"eventId":"e","reason":"r","requestedAt":"2026-01-02T03:04:05Z","scope":{"nodeId":"nobody"}}""")]
    public async Task A_body_that_nobody_can_act_on_goes_to_the_dead_letters_at_once(string body)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var outputs = await AskAsync(plane, body);

        Assert.NotNull(outputs.DeadLetter);
        Assert.Contains(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.DeadLetter);
        Assert.Empty(plane.Engine.InstanceIds);
    }

    private static string Message() => JsonSerializer.Serialize(new RoutineReconcileMessage(Guid.NewGuid().ToString("N"), "test", DateTimeOffset.UtcNow), BatonJson.Options);

    private static Task<RoutineReconcileOutputs> AskAsync(ControlPlane plane, string body) =>
        plane.RunAsync<RoutineReconcile, RoutineReconcileOutputs>(f => f.RunAsync(Encoding.UTF8.GetBytes(body), plane.Engine, default));

    private static void Clear(ControlPlane plane)
    {
        foreach (var node in plane.Nodes)
        {
            node.Calls.Clear();
        }
    }
}
