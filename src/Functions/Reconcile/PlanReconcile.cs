using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.Topology;

namespace Baton.Functions.Reconcile;

/// <summary>Why a pass does not call a node.</summary>
internal enum SkipReason
{
    /// <summary>It is marked failed, and has not joined again.</summary>
    Failed,

    /// <summary>An operator has removed it.</summary>
    Removed,

    /// <summary>It has not been heard of for the heartbeat timeout.</summary>
    Silent,

    /// <summary>Calls to it have failed lately, and it is not time to try again.</summary>
    CircuitOpen,
}

/// <summary>A node that a pass does not call.</summary>
internal sealed record SkippedNode(string NodeId, SkipReason Reason);

/// <summary>What a pass looks at.</summary>
/// <param name="Requests">How often reconciliation had been asked for before the state was read.</param>
/// <param name="StartedAt">When the pass began (UTC).</param>
/// <param name="NodeIds">Nodes to call.</param>
/// <param name="Skipped">Nodes that are not called.</param>
internal sealed record ReconcilePlan(long Requests, DateTimeOffset StartedAt, IReadOnlyList<string> NodeIds, IReadOnlyList<SkippedNode> Skipped);

/// <summary>Activity: which nodes a pass calls. Who will not answer is skipped here, before any call, and reported as skipped.</summary>
internal sealed class PlanReconcile(
    OperationStore operations, ClusterStateStore states, HeartbeatStore heartbeats, CircuitStore circuits, FailoverOptions options, TimeProvider time)
{
    /// <summary>Plans the pass.</summary>
    [Function(nameof(PlanReconcile))]
    public async Task<ReconcilePlan> RunAsync([ActivityTrigger] ReconcileInput input, CancellationToken cancellationToken)
    {
        var startedAt = time.GetUtcNow();
        await operations.RecordStepAsync(input.OperationId, 1, "Plan", null, cancellationToken);

        // Requests first, then the state: what is asked for after this line is not served by this pass.
        var head = await operations.ReadHeadAsync(input.OperationId, cancellationToken) ?? throw new InvalidOperationException($"There is no operation {input.OperationId}.");
        var state = (await states.ReadAsync(cancellationToken)).State;
        var lastHeard = await heartbeats.ReadAllAsync(cancellationToken);
        var known = await circuits.ReadAllAsync(cancellationToken);
        var now = time.GetUtcNow();
        var nodes = state.Nodes
            .OrderBy(n => n.Key, StringComparer.Ordinal)
            .Select(n => (Id: n.Key, Skip: Skip(n.Value, lastHeard.TryGetValue(n.Key, out var at) ? at : null, known.GetValueOrDefault(n.Key), now)))
            .ToList();
        var plan = new ReconcilePlan(
            head.Requests,
            startedAt,
            [.. nodes.Where(n => n.Skip is null).Select(n => n.Id)],
            [.. nodes.Where(n => n.Skip is not null).Select(n => new SkippedNode(n.Id, n.Skip!.Value))]);
        await operations.RecordStepAsync(input.OperationId, 2, "Nodes", $"{plan.NodeIds.Count} nodes, {plan.Skipped.Count} skipped", cancellationToken);
        return plan;
    }

    private SkipReason? Skip(NodeState node, DateTimeOffset? lastHeard, NodeCircuit? circuit, DateTimeOffset now) =>
        node.RemovedAt is not null ? SkipReason.Removed
        : node.Failed ? SkipReason.Failed
        : lastHeard is not { } at || now - at >= options.HeartbeatTimeout ? SkipReason.Silent
        : circuit?.Allows(now) == false ? SkipReason.CircuitOpen
        : null;
}
