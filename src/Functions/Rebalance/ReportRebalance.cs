using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Reconcile;
using Baton.Functions.Switchover;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;

namespace Baton.Functions.Rebalance;

/// <summary>A rebalance that is done but for its report.</summary>
/// <param name="OperationId">Its operation.</param>
/// <param name="Error">Why it did not come to its end.</param>
internal sealed record RebalanceToReport(string OperationId, ApiError? Error = null);

/// <summary>Activity, the last step: of one that failed or was cancelled it takes the marks back; then it puts it on the timeline, and asks for a reconciliation.</summary>
internal sealed class ReportRebalance(OperationStore operations, ClusterStateStore states, RebalanceCancellation run, TimelineStore timeline, PlacementOptions placement)
{
    /// <summary>Reports it.</summary>
    [Function(nameof(ReportRebalance))]
    public async Task RunAsync([ActivityTrigger] RebalanceToReport report, CancellationToken cancellationToken)
    {
        var head = await operations.ReadHeadAsync(report.OperationId, cancellationToken) ?? throw new InvalidOperationException($"There is no operation {report.OperationId}.");
        var state = report.Error is null
            ? (await states.ReadAsync(cancellationToken)).State
            : await states.UpdateAsync(LeavingCopies.TakeBack, cancellationToken);
        var left = RebalancePlanner.Plan(state, placement.LeaderPolicy);
        var counts = await run.KeepCountsAsync(new RebalanceCounts(0, 0), cancellationToken);
        var summary = $"{counts.Copies} copies and {counts.Leaders} leaderships were to move; left are {left.Replicas.Count} and {left.Leaders.Count}{(report.Error is null ? "." : $", because: {report.Error.Detail}")}";
        await operations.RecordStepAsync(report.OperationId, SwitchoverSteps.Report, nameof(SwitchoverSteps.Report), summary, cancellationToken);
        await timeline.AddAsync(new TimelineEntry($"{report.OperationId}-{head.FirstAttempt}", TimelineKinds.Rebalanced, head.StartedAt, summary, report.OperationId), cancellationToken);
        await operations.RequestAsync(
            RoutineReconcile.OperationId, ReconcileOrchestration.Name, new ReconcileInput(RoutineReconcile.OperationId), OperationStarter.Always, cancellationToken);
    }
}

/// <summary>A rebalance that is given up leaves no marks behind: repairs would go on with its moves, though nobody shows them any more.</summary>
internal sealed class RebalanceGivenUp(ClusterStateStore states) : IGivenUp
{
    /// <inheritdoc/>
    public string Kind => RebalanceOrchestration.Name;

    /// <inheritdoc/>
    public async Task<string?> TakeBackAsync(string operationId, CancellationToken cancellationToken)
    {
        await states.UpdateAsync(LeavingCopies.TakeBack, cancellationToken);
        return "What has moved stays where it is.";
    }
}
