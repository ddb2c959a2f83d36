using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;

namespace Baton.Functions.Reconcile;

/// <summary>The cluster's reconciliation.</summary>
internal sealed record ReconcileInput(string OperationId);

/// <summary>
/// Makes the nodes follow the written state, and keeps its replicas as many as were asked for. It changes no leader and no term, so a crash at any line leaves at worst a pass half done, and the next one
/// does the rest; a failover in the middle makes its stale calls fail on their old term, harmlessly.
/// <code>
/// step      who changes what                                            a crash leaves
/// Plan      PlanReconcile: nothing                                      nothing
/// Nodes     ReconcileNodes, all nodes at once: opens channels, circuits some channels open: to be told again changes nothing
/// Replicas  RepairReplicas, beside Nodes: the state, on condition       it was written, or was not
/// Report    ReportReconcile: timeline row                               at most a second row for the same pass
/// (end)     FinishOperation: head row, unless asked for again           a running head: the next attempt makes a pass
/// </code>
/// </summary>
internal static class ReconcileOrchestration
{
    /// <summary>The orchestration's name.</summary>
    public const string Name = "Reconcile";

    /// <summary>The orchestrator: one pass an execution.</summary>
    [Function(Name)]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var input = context.GetInput<ReconcileInput>()!;
        var plan = await context.CallActivityAsync<ReconcilePlan>(nameof(PlanReconcile), input, Backoff.Storage);
        var repairing = context.CallActivityAsync<ReplicasRepaired>(nameof(RepairReplicas), input, Backoff.Storage);
        var visiting = NodesToReconcile.Deal(plan.NodeIds)
            .Select(nodes => context.CallActivityAsync<IReadOnlyList<NodeReconciled>>(nameof(ReconcileNodes), nodes, Backoff.Storage))
            .ToList();
        var visited = await Task.WhenAll(visiting);
        var pass = new ReconcileToReport(input.OperationId, context.NewGuid(), plan, [.. visited.SelectMany(n => n)], await repairing);
        await context.CallActivityAsync(nameof(ReportReconcile), pass, Backoff.Storage);
        if (!await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId, RequestsServed: plan.Requests), Backoff.Storage))
        {
            context.ContinueAsNew(input);
        }
    }
}
