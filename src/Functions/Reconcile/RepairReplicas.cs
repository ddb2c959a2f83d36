using System.Diagnostics;
using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.Recovery;
using Baton.Functions.Topology;

namespace Baton.Functions.Reconcile;

/// <summary>What a pass changed of the channels' copies.</summary>
/// <param name="Channels">How many channels have other replicas, or replicas in another state.</param>
/// <param name="Version">The state's version afterwards.</param>
/// <param name="ElapsedMs">How long it took.</param>
internal sealed record ReplicasRepaired(int Channels, long Version, long ElapsedMs);

/// <summary>Activity: the repair of a pass (<see cref="ReplicaRepair"/>).</summary>
internal sealed class RepairReplicas(OperationStore operations, ReplicaRepair repair)
{
    /// <summary>Repairs them.</summary>
    [Function(nameof(RepairReplicas))]
    public async Task<ReplicasRepaired> RunAsync([ActivityTrigger] ReconcileInput input, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        await operations.RecordStepAsync(input.OperationId, 3, "Replicas", null, cancellationToken);
        var (changed, state) = await repair.RunAsync(null, cancellationToken);
        return new ReplicasRepaired(changed, state.Version, (long)Stopwatch.GetElapsedTime(began).TotalMilliseconds);
    }
}

/// <summary>
/// Keeps the copies of channels as many as were asked for (<see cref="ReplicaSets"/>), and says which are in sync. It calls no node, so it waits for none; one conditional write, and none where nothing is to be
/// changed. It changes no leader and no term, and a failover that comes first is what it then plans upon.
/// </summary>
internal sealed class ReplicaRepair(ClusterStateStore states, HeartbeatStore heartbeats, CircuitStore circuits, RecoveryStore recoveries, FailoverOptions options, RecoveryOptions recovery, TimeProvider time)
{
    // A pass is to end; the next one goes on.
    private const int MostForgotten = 50;

    /// <summary>Repairs them.</summary>
    /// <param name="more">What the same write is to change besides, of the state as it is once repaired; the same object where that is nothing.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many channels have other replicas now, or replicas in another state; and the state afterwards.</returns>
    public async Task<(int Changed, ClusterState State)> RunAsync(Func<ClusterState, ClusterState>? more, CancellationToken cancellationToken)
    {
        var beats = await heartbeats.ReadBeatsAsync(cancellationToken);
        var known = await recoveries.ListAsync(cancellationToken);
        var before = default(ClusterState);
        var after = await states.UpdateAsync(
            s =>
            {
                before = s;
                var now = time.GetUtcNow();
                var repaired = ReplicaSets.Repair(s, beats, options.HeartbeatTimeout, now);
                var ready = new RecoveryPlan(beats, options.HeartbeatTimeout, recovery.ReadyLag, now).WithReadiness(s, repaired, known);

                // What came in sync in this very pass may have been waited for.
                var lighter = LeavingCopies.LetGo(ready, s.Version + 1);
                var next = more?.Invoke(lighter) ?? lighter;
                return ReferenceEquals(next, s) ? s : next with { Version = s.Version + 1 };
            },
            cancellationToken);
        var changed = after.Channels.Count(c => !ReferenceEquals(c.Value, before!.Channels.GetValueOrDefault(c.Key)));
        await ForgetAsync(beats.Where(b => !after.Nodes.ContainsKey(b.Key)), cancellationToken);
        return (changed, after);
    }

    // What is kept beside the state of nodes that the state has forgotten: every sweep reads those rows, and nodes with names of their own come and go for years.
    private async Task ForgetAsync(IEnumerable<KeyValuePair<string, NodeBeat>> unknown, CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow() - ReplicaSets.RemovedRowsStayFor;
        foreach (var (nodeId, _) in unknown.Where(b => b.Value.At < before).Take(MostForgotten))
        {
            // The beat last: as long as it is there, the next pass comes back to what is left.
            await circuits.UpdateAsync(nodeId, _ => NodeCircuit.Closed, cancellationToken);
            await heartbeats.ForgetAsync(nodeId, before, cancellationToken);
        }
    }
}
