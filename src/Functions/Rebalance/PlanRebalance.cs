using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Switchover;
using Baton.Functions.Topology;

namespace Baton.Functions.Rebalance;

/// <summary>Activity, step 1: counts what is to move, for whoever looks on, and for the report. Whatever comes later plans anew.</summary>
internal sealed class PlanRebalance(OperationStore operations, ClusterStateStore states, RebalanceCancellation run, PlacementOptions placement)
{
    /// <summary>Counts.</summary>
    /// <returns>What this run was to move when it began.</returns>
    [Function(nameof(PlanRebalance))]
    public async Task<RebalanceCounts> RunAsync([ActivityTrigger] RebalanceInput input, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(input.OperationId, SwitchoverSteps.Plan, nameof(SwitchoverSteps.Plan), null, cancellationToken);
        var state = (await states.ReadAsync(cancellationToken)).State;
        var plan = RebalancePlanner.Plan(state, placement.LeaderPolicy);
        var counts = await run.KeepCountsAsync(new RebalanceCounts(plan.Replicas.Count + LeavingCopies.UnderWay(state).Count, plan.Leaders.Count), cancellationToken);
        await operations.RecordStepAsync(
            input.OperationId, SwitchoverSteps.Plan, nameof(SwitchoverSteps.Plan), $"{counts.Copies} copies and {counts.Leaders} leaderships are to move", cancellationToken);
        return counts;
    }
}
