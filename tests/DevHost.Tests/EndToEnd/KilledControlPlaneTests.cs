using System.Text.Json;
using Baton.Core.ForcedPromotion;
using Baton.Core.Operations;
using Baton.Core.Replication;
using Baton.DevHost.Chaos.Rounds;
using Baton.DevHost.Clusters;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.Orchestrations;
using Baton.Testing;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>
/// The control plane dies by SIGKILL at an exact step of a promotion, is started again, and the promotion is found finished, each step done once. With it, after
/// each of the five steps, dies the node that leads one of the channels.
/// </summary>
public sealed class KilledControlPlaneTests(KilledControlPlaneTests.SharedCluster shared) : IClassFixture<KilledControlPlaneTests.SharedCluster>
{
    /// <summary>After every function that a promotion calls, whose answer is then lost; every third one, and with <c>BATON_TESTS=all</c> each. Each moment before and after, in process: <c>Functions.Tests</c>.</summary>
    private static readonly CrashPoint[] Steps =
    [
        new("ForcedPromotion", After: true, 1),
        new("FenceIn", After: true, 1),
        new("AppendForcedConfig", After: true, 1),
        new("PersistForcedConfig", After: true, 1),
        new("PlanSupplement", After: true, 1),
        new("SupplementBroadcasts", After: true, 1),
        new("ReportPromotion", After: true, 1),
        new("FinishOperation", After: true, 1),
    ];

    /// <summary>The activity that ends each step. Where the control plane dies after it, a leader dies too: of the one channel and the other in turn.</summary>
    private static readonly string[] StepEnds = ["FenceIn", "AppendForcedConfig", "PersistForcedConfig", "PlanSupplement", "ReportPromotion"];

    // One cluster goes through all of it: after each promotion a normal update makes it a secondary again, and the control plane that took over is told where to die next.
    [Fact]
    public async Task F2_A_control_plane_killed_at_any_step_of_a_promotion_and_a_node_with_it_end_in_the_same_state_as_if_nothing_had_died()
    {
        var b = shared.Cluster;
        var promotions = 0;
        var before = await b.ForcedRecordsAsync(b.Cluster.Channels[0]);
        foreach (var crashAt in Sampled.Every(3, Steps))
        {
            await b.BecomeSecondaryAsync();
            var half = await b.LeaveHalfDoneAsync();
            var operationId = await OperationIdAsync(b);
            await NothingRunsAsync(b);
            await b.Cluster.CrashControlPlaneAsync(crashAt, CancellationToken.None);

            var leader = await LeaderAsync(b, b.Cluster.Channels[promotions % b.Cluster.Channels.Count]);
            await using var watch = OperationWatch.Start(b.Client, operationId, CancellationToken.None);
            await AskAsync(b);
            await b.Cluster.WaitForControlPlaneExitAsync(CancellationToken.None).WaitAsync(PromotableCluster.Patience);
            var died = DateTimeOffset.UtcNow;
            var nodeDies = crashAt is { After: true, Nth: 1 } && StepEnds.Contains(crashAt.Function, StringComparer.Ordinal);
            if (nodeDies)
            {
                await b.Cluster.KillNodeAsync(leader);
            }

            await b.Cluster.StartControlPlaneAsync(null, CancellationToken.None);
            var operation = await EndedAsync(b, operationId);

            Assert.True(operation.Status == OperationStatus.Succeeded, $"{crashAt}: {operation.Status} {operation.Error?.Detail}");
            Assert.True(operation.StartedAt < died, $"{crashAt}: the promotion had not begun when the control plane died");
            Assert.Equal(["FenceIn", "Append", "Persist", "Supplement", "Report"], operation.Steps.Select(s => s.Name));

            // Whoever looked meanwhile saw it running, then succeeded, and nothing else.
            Assert.Equal(OperationStatus.Succeeded, (await watch.Ended.WaitAsync(PromotableCluster.Patience)).Status);
            Assert.Empty(watch.Findings);
            await b.Client.WaitUntilServingAsync(b.Cluster.Channels, PromotableCluster.Patience, CancellationToken.None);
            await b.AssertPromotedAsync(half);
            promotions++;
            foreach (var channel in b.Cluster.Channels)
            {
                Assert.Equal((crashAt, before + promotions), (crashAt, await b.ForcedRecordsAsync(channel)));
            }

            if (nodeDies)
            {
                await b.Cluster.StartNodeAsync(leader, CancellationToken.None);
            }
        }
    }

    [Fact]
    public async Task F2_A_handler_killed_inside_an_orchestrator_turn_fails_the_instance_and_the_next_attempt_finishes_the_promotion()
    {
        var b = shared.Cluster;
        var before = await b.ForcedRecordsAsync(b.Cluster.Channels[0]);
        await b.BecomeSecondaryAsync();
        var half = await b.LeaveHalfDoneAsync();
        var operationId = await OperationIdAsync(b);
        await b.Cluster.KillControlPlaneAsync();
        await b.Cluster.StartControlPlaneAsync(new CrashPoint("ForcedPromotion", After: false, 3, CrashScope.Handler), CancellationToken.None);

        await AskAsync(b);
        var operation = await EndedAsync(b, operationId);

        Assert.Equal((OperationStatus.Succeeded, 2), (operation.Status, operation.Attempt));
        await b.AssertPromotedAsync(half);
        foreach (var channel in b.Cluster.Channels)
        {
            Assert.Equal(before + 1, await b.ForcedRecordsAsync(channel));
        }
    }

    private static async Task<int> LeaderAsync(PromotableCluster b, string channel)
    {
        var leader = (await b.Client.RouteAsync(CancellationToken.None)).Channels[channel].NodeId;
        return Enumerable.Range(0, 3).Single(i => b.Cluster.NodeId(i) == leader);
    }

    private static async Task<string> OperationIdAsync(PromotableCluster b)
    {
        var view = await b.Client.ReplicateConfigurationAsync(CancellationToken.None);
        return PromotionOperationId.For(b.ForceUpdate.Configuration!, new ReplicateConfigurationMeta(view.Configuration, view.Version, false, null));
    }

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

    // The operation before may have ended and the last turn of its instance not yet: that turn must not be counted.
    private static Task NothingRunsAsync(PromotableCluster b) => ClusterClient.UntilAsync(
        "no instance runs",
        async () => (await b.Client.ControlPlaneAsync<JsonElement[]>(
            HttpMethod.Get, ManagementApi.BasePath[1..] + "/instances?runtimeStatus=Pending,Running", null, b.Cluster.Secrets.SystemKey, CancellationToken.None)).Value.Length == 0,
        PromotableCluster.Patience,
        CancellationToken.None);

    private static async Task<Operation> EndedAsync(PromotableCluster b, string operationId)
    {
        Operation? found = null;
        await ClusterClient.UntilAsync(
            $"operation {operationId} has ended",
            async () => (found = (await b.Client.OperationAsync(operationId, CancellationToken.None)).Body) is { Status: not OperationStatus.Running },
            PromotableCluster.Patience,
            CancellationToken.None);
        return found!;
    }

    /// <summary>The cluster of three nodes that all of it is done to: each test ends with it promoted.</summary>
    public sealed class SharedCluster : IAsyncLifetime
    {
        private PromotableCluster? _cluster;

        public PromotableCluster Cluster => _cluster ?? throw new InvalidOperationException("The fixture has not started.");

        public async Task InitializeAsync() => _cluster = await PromotableCluster.StartAsync(nodes: 3);

        public async Task DisposeAsync()
        {
            if (_cluster is not null)
            {
                await _cluster.DisposeAsync();
            }
        }
    }
}
