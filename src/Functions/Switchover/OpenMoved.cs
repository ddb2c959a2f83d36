using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Topology;

namespace Baton.Functions.Switchover;

/// <summary>Activity, step 2: one hint to every new leader, as after a failover. Lost, it costs a heartbeat's time; said again, it changes nothing.</summary>
internal sealed class OpenMoved(OperationStore operations, ClusterStateStore states, OpenHints hints)
{
    /// <summary>Sends the hints.</summary>
    [Function(nameof(OpenMoved))]
    public async Task RunAsync([ActivityTrigger] SwitchoverRound round, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(round.OperationId, SwitchoverSteps.Open, nameof(SwitchoverSteps.Open), null, cancellationToken);
        var plan = await operations.ReadPlanAsync(round, cancellationToken) ?? throw new InvalidOperationException($"Operation {round.OperationId} has no plan.");
        var state = (await states.ReadAsync(cancellationToken)).State;

        // What a failover has moved on since is not this operation's to open.
        var inForce = plan.Moves.Where(m => state.Channels.TryGetValue(m.Channel, out var c) && c.Leader == m.To && c.Term == m.Term).ToList();
        var missed = await hints.SendAsync(state, inForce, cancellationToken);
        if (missed > 0)
        {
            await operations.RecordStepAsync(
                round.OperationId, SwitchoverSteps.Open, nameof(SwitchoverSteps.Open), $"{missed} new leaders could not be told; they learn it from their heartbeat", cancellationToken);
        }
    }
}
