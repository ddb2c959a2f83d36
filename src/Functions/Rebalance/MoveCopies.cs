using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Reconcile;
using Baton.Functions.Switchover;

namespace Baton.Functions.Rebalance;

/// <summary>How far the copies are.</summary>
/// <param name="Left">How many are not where they belong yet, those under way included.</param>
/// <param name="Waiting">Some of those under way, for operators.</param>
/// <param name="Cancelled">No more are begun.</param>
internal sealed record CopiesMoving(int Left, string Waiting, bool Cancelled = false);

/// <summary>
/// Activity, step 2. One conditional write, the same as a pass of reconciliation makes, so that nothing waits for one: leaving copies whose targets have come in sync go, and on as many others as may be under way the move begins. What is
/// under way is in the state: done twice, it begins nothing twice.
/// </summary>
internal sealed class MoveCopies(OperationStore operations, ReplicaRepair repair, RebalanceCancellation run)
{
    /// <summary>How many channels are under way at a time. Each is a recovery session, of which a cluster has 16 at once by default, and a copy more on the disks of its nodes.</summary>
    public const int AtOnce = 16;

    /// <summary>Goes on, once.</summary>
    [Function(nameof(MoveCopies))]
    public async Task<CopiesMoving> RunAsync([ActivityTrigger] RebalanceInput input, CancellationToken cancellationToken)
    {
        if (await run.IsAskedForAsync(cancellationToken))
        {
            return new CopiesMoving(0, string.Empty, Cancelled: true);
        }

        var (_, state) = await repair.RunAsync(s => LeavingCopies.Mark(s, RebalancePlanner.Replicas(s), AtOnce), cancellationToken);
        var underWay = LeavingCopies.UnderWay(state);
        var left = underWay.Count + RebalancePlanner.Replicas(state).Count;
        var waiting = StepText.List(underWay);
        var detail = left == 0 ? "all copies are where they belong" : $"{left} are not where they belong yet; under way: {waiting}";
        await operations.RecordStepAsync(input.OperationId, SwitchoverSteps.Copies, nameof(SwitchoverSteps.Copies), detail, cancellationToken);
        return new CopiesMoving(left, waiting);
    }
}
