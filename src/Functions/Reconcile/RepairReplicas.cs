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

/// <summary>
/// Activity: keeps the copies of channels as many as were asked for (<see cref="ReplicaSets"/>). It calls no node, so it waits for none; one conditional write, and none where nothing is to be
/// changed. It changes no leader and no term, and a failover that comes first is what it then plans upon.
/// </summary>
internal sealed class RepairReplicas(OperationStore operations, ClusterStateStore states, HeartbeatStore heartbeats, CircuitStore circuits, RecoveryStore recoveries, FailoverOptions options, RecoveryOptions recovery, TimeProvider time)
{
    // A pass is to end; the next one goes on.
    private const int MostForgotten = 50;

    /// <summary>Repairs them.</summary>
    [Function(nameof(RepairReplicas))]
    public async Task<ReplicasRepaired> RunAsync([ActivityTrigger] ReconcileInput input, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        await operations.RecordStepAsync(input.OperationId, 3, "Replicas", null, cancellationToken);
        var beats = await heartbeats.ReadBeatsAsync(cancellationToken);
        var known = await recoveries.ListAsync(cancellationToken);
        var before = default(ClusterState);
        var after = await states.UpdateAsync(
            s =>
            {
                before = s;
                var now = time.GetUtcNow();
                var repaired = ReplicaSets.Repair(s, beats, options.HeartbeatTimeout, now);
                return new RecoveryPlan(beats, options.HeartbeatTimeout, recovery.ReadyLag, now).WithReadiness(s, repaired, known);
            },
            cancellationToken);
        var changed = after.Channels.Count(c => !ReferenceEquals(c.Value, before!.Channels.GetValueOrDefault(c.Key)));
        await ForgetAsync(beats.Where(b => !after.Nodes.ContainsKey(b.Key)), cancellationToken);
        return new ReplicasRepaired(changed, after.Version, (long)Stopwatch.GetElapsedTime(began).TotalMilliseconds);
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
