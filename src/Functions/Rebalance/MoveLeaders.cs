using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.Switchover;
using Baton.Functions.Topology;
using Rules = Baton.Core.Cluster.Switchover;

namespace Baton.Functions.Rebalance;

/// <summary>What a round did with leaderships.</summary>
/// <param name="Moves">How many move in it.</param>
/// <param name="Left">How many moves are left after it, of copies and of leaderships.</param>
/// <param name="Cancelled">No more are begun.</param>
internal sealed record LeadersMoved(int Moves, int Left, bool Cancelled = false);

/// <summary>
/// Activity, step 3: gives a few channels their new leaders, as a move does, all in one write. The plan is made on the state that is written, so a failover that comes first is what it plans upon. Nodes that are silent are given nothing.
/// Interrupted after the state, the next run plans what is left then.
/// </summary>
internal sealed class MoveLeaders(
    OperationStore operations, ClusterStateStore states, HeartbeatStore heartbeats, RebalanceCancellation run, PlacementOptions placement, FailoverOptions failover, TimeProvider time, ILogger<MoveLeaders> logger)
{
    /// <summary>How many move at a time: their clients are held while they open.</summary>
    public const int AtOnce = 16;

    /// <summary>Plans and writes.</summary>
    [Function(nameof(MoveLeaders))]
    public async Task<LeadersMoved> RunAsync([ActivityTrigger] SwitchoverRound round, CancellationToken cancellationToken)
    {
        if (await run.IsAskedForAsync(cancellationToken))
        {
            return new LeadersMoved(0, 0, Cancelled: true);
        }

        var made = await operations.ReadPlanAsync(round, cancellationToken) ?? await MakeAsync(round, cancellationToken);
        var left = RebalancePlanner.Plan((await states.ReadAsync(cancellationToken)).State, placement.LeaderPolicy);
        return new LeadersMoved(made.Moves.Count, left.Leaders.Count + left.Replicas.Count);
    }

    private async Task<SwitchoverPlan> MakeAsync(SwitchoverRound round, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(round.OperationId, SwitchoverSteps.Leaders, nameof(SwitchoverSteps.Leaders), null, cancellationToken);
        var heard = await heartbeats.ReadAllAsync(cancellationToken);
        var now = time.GetUtcNow();
        var moves = new List<LeaderMove>();
        await states.UpdateAsync(
            s =>
            {
                moves.Clear();
                var after = s;
                foreach (var move in RebalancePlanner.Leaders(s, placement.LeaderPolicy).Where(m => now - heard.GetValueOrDefault(m.To) < failover.HeartbeatTimeout).Take(AtOnce))
                {
                    var moved = Rules.Move(after, move.Channel, move.To);
                    after = moved.State;
                    moves.AddRange(moved.Moves);
                }

                // One write, one version.
                return ReferenceEquals(after, s) ? s : after with { Version = s.Version + 1 };
            },
            cancellationToken);
        var plan = new SwitchoverPlan(now, moves);
        await operations.KeepPlanAsync(round, plan, cancellationToken);
        await operations.RecordStepAsync(
            round.OperationId, SwitchoverSteps.Leaders, nameof(SwitchoverSteps.Leaders), $"round {round.Round + 1}: {StepText.List([.. moves.Select(m => $"{m.Channel} from {m.From} to {m.To}")])}", cancellationToken);
        logger.LogInformation("{Channels} channels have new leaders ({OperationId}, round {Round})", moves.Count, round.OperationId, round.Round);
        return plan;
    }
}
