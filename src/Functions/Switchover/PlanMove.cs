using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Topology;
using Rules = Baton.Core.Cluster.Switchover;

namespace Baton.Functions.Switchover;

/// <summary>
/// Activity, step 1 of a move. Writes, in this order: the step; the state, which names the new leader; the note with the plan. Interrupted after the state it finds the channel
/// where it should be, and notes that; a failover in that moment may have moved it on, and it is then moved once more.
/// </summary>
internal sealed class PlanMove(OperationStore operations, ClusterStateStore states, SwitchoverTarget target, TimeProvider time, ILogger<PlanMove> logger)
{
    /// <summary>Plans and writes.</summary>
    [Function(nameof(PlanMove))]
    public async Task<Planned> RunAsync([ActivityTrigger] MoveInput move, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(move.OperationId, SwitchoverSteps.Plan, nameof(SwitchoverSteps.Plan), null, cancellationToken);
        var round = new SwitchoverRound(move.OperationId, 0);
        if (await operations.ReadPlanAsync(round, cancellationToken) is not null)
        {
            return new Planned();
        }

        if ((await states.ReadAsync(cancellationToken)).State.Channels.GetValueOrDefault(move.Channel)?.Leader != move.To && await target.CheckAsync(move.To, cancellationToken) is { } silent)
        {
            return new Planned(silent);
        }

        SwitchoverResult result = null!;
        await states.UpdateAsync(
            s =>
            {
                result = Rules.Move(s, move.Channel, move.To);
                return result.State;
            },
            cancellationToken);
        if (result.Error is { } refused)
        {
            return new Planned(refused);
        }

        IReadOnlyList<LeaderMove> moves = result.Changed ? result.Moves : [new LeaderMove(move.Channel, move.To, move.To, result.State.Channels[move.Channel].Term)];
        await operations.KeepPlanAsync(round, new SwitchoverPlan(time.GetUtcNow(), moves), cancellationToken);
        logger.LogInformation("Channel {Channel} is moved to node {NodeId} at term {Term} ({OperationId})", move.Channel, move.To, moves[0].Term, move.OperationId);
        return new Planned();
    }
}
