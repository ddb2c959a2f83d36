using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Reconcile;

namespace Baton.Functions.Switchover;

/// <summary>What a node is still needed for.</summary>
/// <param name="Channels">How many channels would have fewer live copies without it.</param>
/// <param name="Waiting">Some of them, for operators.</param>
internal sealed record CopiesNeeded(int Channels, string Waiting);

/// <summary>
/// Activity, step 4 of a removal: repairs the copies, as a pass of reconciliation does, so that those on the node that goes are made elsewhere at once, and looks which are not in sync there yet. Where there are too few candidates for as
/// many copies as were asked for, nothing is waited for.
/// </summary>
internal sealed class AwaitReplicas(OperationStore operations, ReplicaRepair repair)
{
    /// <summary>Repairs and looks, once.</summary>
    [Function(nameof(AwaitReplicas))]
    public async Task<CopiesNeeded> RunAsync([ActivityTrigger] NodeToDrain drain, CancellationToken cancellationToken)
    {
        // What it led it has everything of, and no copy any more by the state.
        var plan = await operations.ReadPlanAsync(new SwitchoverRound(drain.OperationId, drain.Round), cancellationToken) ?? throw new InvalidOperationException($"Operation {drain.OperationId} has no plan.");
        var (_, state) = await repair.RunAsync(null, cancellationToken);
        var needed = LeavingCopies.NeededOn(state, drain.NodeId, plan.Moves.Select(m => m.Channel).ToHashSet(StringComparer.Ordinal));
        var waiting = StepText.List(needed);
        var detail = needed.Count == 0 ? "no channel has fewer live copies without it than there are nodes for" : $"{needed.Count} channels are not in sync elsewhere yet: {waiting}";
        await operations.RecordStepAsync(drain.OperationId, SwitchoverSteps.Replicas, nameof(SwitchoverSteps.Replicas), detail, cancellationToken);
        return new CopiesNeeded(needed.Count, waiting);
    }
}
