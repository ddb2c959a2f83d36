using System.Diagnostics;
using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
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
internal sealed class RepairReplicas(OperationStore operations, ClusterStateStore states, HeartbeatStore heartbeats, FailoverOptions options, TimeProvider time)
{
    /// <summary>Repairs them.</summary>
    [Function(nameof(RepairReplicas))]
    public async Task<ReplicasRepaired> RunAsync([ActivityTrigger] ReconcileInput input, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        await operations.RecordStepAsync(input.OperationId, 3, "Replicas", null, cancellationToken);
        var beats = await heartbeats.ReadBeatsAsync(cancellationToken);
        var before = default(ClusterState);
        var after = await states.UpdateAsync(
            s =>
            {
                before = s;
                return ReplicaSets.Repair(s, beats, options.HeartbeatTimeout, time.GetUtcNow());
            },
            cancellationToken);
        var changed = after.Channels.Count(c => !ReferenceEquals(c.Value, before!.Channels.GetValueOrDefault(c.Key)));
        return new ReplicasRepaired(changed, after.Version, (long)Stopwatch.GetElapsedTime(began).TotalMilliseconds);
    }
}
