using Baton.Core.Operations;
using Baton.DevHost.Clusters;
using Baton.DevHost.FunctionsHost;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>The control plane dies by SIGKILL at an exact step of a promotion, is started again, and the promotion is found finished, each step done once.</summary>
public sealed class KilledControlPlaneTests
{
    // One cluster goes through all of it: after each promotion a normal update makes it a secondary again.
    [Fact]
    public async Task F2_A_control_plane_killed_at_any_step_of_a_promotion_ends_in_the_same_state_as_one_that_was_not()
    {
        await using var b = await PromotableCluster.StartAsync();
        var promotions = 0;
        foreach (var crashAt in Steps())
        {
            await b.BecomeSecondaryAsync();
            var half = await b.LeaveHalfDoneAsync();
            await b.Cluster.KillControlPlaneAsync();
            await b.Cluster.StartControlPlaneAsync(crashAt, CancellationToken.None);

            await AskAsync(b);
            await b.Cluster.WaitForControlPlaneExitAsync(CancellationToken.None).WaitAsync(PromotableCluster.Patience);
            await b.Cluster.StartControlPlaneAsync(null, CancellationToken.None);
            var operation = await FinishedAsync(b);

            Assert.True(operation.Status == OperationStatus.Succeeded, $"{crashAt}: {operation.Error?.Detail}");
            await b.AssertPromotedAsync(half);
            promotions++;
            foreach (var channel in b.Cluster.Channels)
            {
                Assert.Equal((crashAt, promotions), (crashAt, await b.ForcedRecordsAsync(channel)));
            }
        }
    }

    [Fact]
    public async Task A_handler_killed_inside_an_orchestrator_turn_fails_the_instance_and_the_next_attempt_finishes_the_promotion()
    {
        await using var b = await PromotableCluster.StartAsync();
        await b.BecomeSecondaryAsync();
        var half = await b.LeaveHalfDoneAsync();
        await b.Cluster.KillControlPlaneAsync();
        await b.Cluster.StartControlPlaneAsync(new CrashPoint("ForcedPromotion", After: false, 3, CrashScope.Handler), CancellationToken.None);

        await AskAsync(b);
        var operation = await FinishedAsync(b);

        Assert.Equal(OperationStatus.Succeeded, operation.Status);
        Assert.Equal(2, operation.Attempt);
        await b.AssertPromotedAsync(half);
    }

    private static IEnumerable<CrashPoint> Steps() =>
    [
        new("ForcedPromotion", After: false, 1),
        new("ForcedPromotion", After: true, 1),
    ];

    // The answer may be lost with the control plane: what counts is what is found afterwards.
    private static async Task AskAsync(PromotableCluster b)
    {
        try
        {
            await b.Client.UpdateReplicateConfigurationAsync(b.ForceUpdate with { WaitMs = 0 }, CancellationToken.None);
        }
        catch (HttpRequestException)
        {
            // Killed while it answered.
        }
    }

    private static async Task<Operation> FinishedAsync(PromotableCluster b)
    {
        Operation? found = null;
        await ClusterClient.UntilAsync(
            "the promotion has ended",
            async () =>
            {
                var meta = await b.Client.ReplicateConfigurationAsync(CancellationToken.None);
                var answer = await b.Client.UpdateReplicateConfigurationAsync(b.ForceUpdate with { WaitMs = 1000 }, CancellationToken.None);
                _ = meta;
                found = answer.Body?.OperationId is { } id ? (await b.Client.OperationAsync(id, CancellationToken.None)).Body : null;
                return found is { Status: not OperationStatus.Running };
            },
            PromotableCluster.Patience,
            CancellationToken.None);
        return found!;
    }
}
