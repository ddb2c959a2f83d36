using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.Topology;
using Rules = Baton.Core.Cluster.Switchover;

namespace Baton.Functions.Switchover;

/// <summary>A round of draining.</summary>
internal sealed record NodeToDrain(string OperationId, int Round, string NodeId);

/// <summary>
/// Activity, step 1 of a removal. Writes, in this order: the step; the state, in which the node is given nothing any more and others lead what it led; the note with the plan.
/// Interrupted after the state it finds nothing to write; what was moved, it then takes from the node's last heartbeat, which says what the node still serves.
/// </summary>
internal sealed class DrainNode(OperationStore operations, ClusterStateStore states, HeartbeatStore heartbeats, PlacementOptions placement, TimeProvider time, ILogger<DrainNode> logger)
{
    /// <summary>Plans and writes.</summary>
    [Function(nameof(DrainNode))]
    public async Task<Planned> RunAsync([ActivityTrigger] NodeToDrain drain, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(drain.OperationId, SwitchoverSteps.Drain, nameof(SwitchoverSteps.Drain), null, cancellationToken);
        if ((await states.ReadAsync(cancellationToken)).State.Nodes.GetValueOrDefault(drain.NodeId) is { RemovedAt: not null })
        {
            return new Planned(AlreadyRemoved: true);
        }

        var round = new SwitchoverRound(drain.OperationId, drain.Round);
        if (await operations.ReadPlanAsync(round, cancellationToken) is not null)
        {
            return new Planned();
        }

        SwitchoverResult result = null!;
        await states.UpdateAsync(
            s =>
            {
                result = Rules.Drain(s, drain.NodeId, placement.LeaderPolicy);
                return result.State;
            },
            cancellationToken);
        if (result.Error is { } refused)
        {
            return new Planned(refused);
        }

        var moves = result.Changed ? result.Moves : await StillServedAsync(result.State, drain.NodeId, cancellationToken);
        await operations.KeepPlanAsync(round, new SwitchoverPlan(time.GetUtcNow(), moves), cancellationToken);
        await operations.RecordStepAsync(drain.OperationId, SwitchoverSteps.Drain, nameof(SwitchoverSteps.Drain), $"{moves.Count} channels have new leaders", cancellationToken);
        logger.LogInformation("Node {NodeId} is drained of {Channels} channels ({OperationId})", drain.NodeId, moves.Count, drain.OperationId);
        return new Planned();
    }

    private async Task<IReadOnlyList<LeaderMove>> StillServedAsync(ClusterState state, string nodeId, CancellationToken cancellationToken)
    {
        var beats = await heartbeats.ReadBeatsAsync(cancellationToken);
        return [.. (beats.GetValueOrDefault(nodeId)?.Channels ?? [])
            .Where(c => c.Role == Assignments.Leader && state.Channels.TryGetValue(c.Name, out var led) && led.Leader is not null && led.Leader != nodeId && led.Term > c.Term)
            .Select(c => new LeaderMove(c.Name, nodeId, state.Channels[c.Name].Leader, state.Channels[c.Name].Term))];
    }
}

/// <summary>Activity: the node may be given channels again, since its removal has failed. What has moved stays where it is.</summary>
internal sealed class UndrainNode(ClusterStateStore states)
{
    /// <summary>Takes the draining back; of a node that is gone, or was removed, there is none.</summary>
    [Function(nameof(UndrainNode))]
    public Task RunAsync([ActivityTrigger] string nodeId, CancellationToken cancellationToken) => states.UpdateAsync(s => Rules.Undrain(s, nodeId).State, cancellationToken);
}
