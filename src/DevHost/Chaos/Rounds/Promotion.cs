using System.Diagnostics;
using System.Text;
using Baton.Core.Api;
using Baton.Core.ForcedPromotion;
using Baton.Core.Operations;
using Baton.Core.Replication;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Rounds;

/// <summary>How a promotion went.</summary>
/// <param name="Elapsed">From the call to the end of the operation.</param>
/// <param name="FirstWrite">From the call until every channel had accepted a write.</param>
/// <param name="Report">What it reports; null where the answer that carried it was lost with the control plane.</param>
/// <param name="Findings">What was not as it must be.</param>
public sealed record PromotionOutcome(TimeSpan Elapsed, TimeSpan FirstWrite, PromotionReport? Report, IReadOnlyList<string> Findings);

/// <summary>Promotes a cluster by force, as an operator does, with clients that try to write to each channel all the while, and kills of its own parts meanwhile.</summary>
public static class Promotion
{
    /// <summary>Promotes <paramref name="cluster"/> and returns when its operation has ended and every channel has accepted a write.</summary>
    /// <param name="cluster">The secondary. Where the plan wants its control plane to die, that has been told where.</param>
    /// <param name="plan">What dies meanwhile.</param>
    /// <param name="probe">What the clients write: no other message is like it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<PromotionOutcome> RunAsync(LocalCluster cluster, RoundPlan plan, string probe, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        ArgumentNullException.ThrowIfNull(plan);
        var request = TwoClusters.ForceUpdate(cluster);
        var view = await cluster.Client.ReplicateConfigurationAsync(cancellationToken);
        var operationId = PromotionOperationId.For(new ReplicateConfiguration([cluster.Entry]), new ReplicateConfigurationMeta(view.Configuration, view.Version, false, null));
        await using var watch = OperationWatch.Start(cluster.Client, operationId, cancellationToken);
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        giveUp.CancelAfter(TwoClusters.Patience);
        var clock = Stopwatch.StartNew();
        var writes = Task.WhenAll(cluster.Channels.Select(c => FirstWriteAsync(cluster, c, probe, clock, giveUp.Token)));
        var call = CallAsync(cluster, request, cancellationToken);
        var kills = KillAsync(cluster, plan, watch, cancellationToken);
        var operation = await EndAsync(cluster, request, watch, call, cancellationToken);
        var elapsed = clock.Elapsed;
        await kills;
        var firstWrite = (await writes).Max();

        List<string> findings = [.. watch.Findings];
        if (operation.Status != OperationStatus.Succeeded)
        {
            findings.Add($"the promotion ended as {operation.Status}: {operation.Error?.Detail}");
        }

        var again = await TwoClusters.AppliedAsync(cluster, request, cancellationToken);
        if (again.Outcome != UpdateOutcome.Unchanged)
        {
            findings.Add($"the same force update once more was {again.Outcome}");
        }

        return new PromotionOutcome(elapsed, firstWrite, (await call)?.Promotion ?? again.Promotion, findings);
    }

    // The answer may be lost with the control plane: what counts is what is found afterwards.
    private static async Task<UpdateReplicateConfigurationResponse?> CallAsync(LocalCluster cluster, UpdateReplicateConfigurationRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return (await cluster.Client.UpdateReplicateConfigurationAsync(request, cancellationToken)).Body;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    // A control plane that died before it had written the operation's first row knows nothing of it, and the operator asks again, as operators do.
    private static async Task<Operation> EndAsync(
        LocalCluster cluster, UpdateReplicateConfigurationRequest request, OperationWatch watch, Task<UpdateReplicateConfigurationResponse?> call, CancellationToken cancellationToken)
    {
        await call;
        if (watch.Last is null && !watch.Ended.IsCompleted)
        {
            await TwoClusters.AppliedAsync(cluster, request, cancellationToken);
        }

        return await watch.Ended.WaitAsync(TwoClusters.Patience, cancellationToken);
    }

    private static async Task KillAsync(LocalCluster cluster, RoundPlan plan, OperationWatch watch, CancellationToken cancellationToken)
    {
        if (plan.NodeDuringPromotion is { } node)
        {
            await cluster.KillNodeAsync(node);
        }

        if (plan.ControlPlaneDiesAt is not null)
        {
            // A promotion that has nothing to do at that step ends without reaching it.
            await Task.WhenAny(cluster.WaitForControlPlaneExitAsync(cancellationToken), watch.Ended).WaitAsync(TwoClusters.Patience, cancellationToken);
            await cluster.KillControlPlaneAsync();
            await cluster.StartControlPlaneAsync(null, cancellationToken);
        }
    }

    private static async Task<TimeSpan> FirstWriteAsync(LocalCluster cluster, string channel, string probe, Stopwatch clock, CancellationToken cancellationToken)
    {
        var leaders = new LeaderClient(cluster.Client);
        var request = new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes($"{probe}/{channel}"))], new ProducerStamp(probe, 1));
        while (true)
        {
            var answer = await leaders.SendAsync<AppendResponse>(HttpMethod.Post, channel, "messages", ClusterClient.Json(request), cancellationToken);
            if (answer?.Status == 200)
            {
                return clock.Elapsed;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
        }
    }
}
