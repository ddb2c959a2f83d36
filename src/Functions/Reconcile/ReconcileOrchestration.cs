using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;

namespace Baton.Functions.Reconcile;

/// <summary>The cluster's reconciliation.</summary>
internal sealed record ReconcileInput(string OperationId);

/// <summary>
/// Makes the nodes follow the written state. It changes no row that decides anything, so a crash at any line leaves at worst a pass half done, and the next one
/// does the rest; a failover in the middle makes its stale calls fail on their old term, harmlessly.
/// <code>
/// step    who changes what                                      a crash leaves
/// Plan    PlanReconcile: nothing                                nothing
/// Nodes   ReconcileNode, per node in parallel: opens channels   some channels open: they answer that they are
/// Report  ReportReconcile: timeline row                         at most a second row for the same pass
/// (end)   FinishOperation: head row, unless asked for again     a running head: the next attempt makes a pass
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
        await context.CallActivityAsync(nameof(RecordStep), new StepToRecord(input.OperationId, 2, "Nodes", $"{plan.NodeIds.Count} nodes, {plan.Skipped.Count} skipped"), Backoff.Storage);
        var results = await Task.WhenAll(plan.NodeIds.Select(n => context.CallActivityAsync<NodeReconciled>(nameof(ReconcileNode), n, Backoff.Storage)));
        await context.CallActivityAsync(nameof(ReportReconcile), new ReconcileToReport(input.OperationId, context.NewGuid(), plan, results), Backoff.Storage);
        if (!await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId, RequestsServed: plan.Requests), Backoff.Storage))
        {
            context.ContinueAsNew(input);
        }
    }
}
