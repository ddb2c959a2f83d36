using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;

namespace Baton.Functions.Reconcile;

/// <summary>What a pass looks at.</summary>
/// <param name="Requests">How often reconciliation had been asked for before the state was read.</param>
/// <param name="NodeIds">Nodes to call.</param>
/// <param name="Skipped">Nodes that are not called: failed, or silent.</param>
internal sealed record ReconcilePlan(long Requests, IReadOnlyList<string> NodeIds, IReadOnlyList<string> Skipped);

/// <summary>What a pass did on one node.</summary>
internal sealed record NodeReconciled(string NodeId, IReadOnlyList<string> Opened, IReadOnlyList<string> Problems);

/// <summary>A pass that is done but for its report.</summary>
internal sealed record ReconcileToReport(string OperationId, Guid PassId, ReconcilePlan Plan, IReadOnlyList<NodeReconciled> Nodes);

/// <summary>Activity: which nodes a pass calls. A node that has failed or gone silent is skipped before any call, and reported as skipped.</summary>
internal sealed class PlanReconcile(OperationStore operations, ClusterStateStore states, HeartbeatStore heartbeats, FailoverOptions options, TimeProvider time)
{
    /// <summary>Plans the pass.</summary>
    [Function(nameof(PlanReconcile))]
    public async Task<ReconcilePlan> RunAsync([ActivityTrigger] ReconcileInput input, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(input.OperationId, 1, "Plan", null, cancellationToken);

        // Requests first, then the state: what is asked for after this line is not served by this pass.
        var head = await operations.ReadHeadAsync(input.OperationId, cancellationToken) ?? throw new InvalidOperationException($"There is no operation {input.OperationId}.");
        var state = (await states.ReadAsync(cancellationToken)).State;
        var lastHeard = await heartbeats.ReadAllAsync(cancellationToken);
        var now = time.GetUtcNow();
        var answering = state.Nodes.ToLookup(n => !n.Value.Failed && lastHeard.TryGetValue(n.Key, out var at) && now - at < options.HeartbeatTimeout, n => n.Key);
        return new ReconcilePlan(head.Requests, [.. answering[true].Order(StringComparer.Ordinal)], [.. answering[false].Order(StringComparer.Ordinal)]);
    }
}

/// <summary>Activity: opens on one node what the state says it leads and it does not. All its calls together have one bounded time.</summary>
internal sealed class ReconcileNode(ClusterStateStore states, NodeClient nodes, ILogger<ReconcileNode> logger)
{
    private static readonly TimeSpan AllCalls = TimeSpan.FromSeconds(5);

    /// <summary>Goes through the node's channels.</summary>
    [Function(nameof(ReconcileNode))]
    public async Task<NodeReconciled> RunAsync([ActivityTrigger] string nodeId, CancellationToken cancellationToken)
    {
        var opened = new List<string>();
        var problems = new List<string>();
        var state = (await states.ReadAsync(cancellationToken)).State;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(AllCalls);
        try
        {
            foreach (var assignment in Assignments.For(state, nodeId).Where(a => a.Role == Assignments.Leader))
            {
                try
                {
                    if (await OpenIfClosedAsync(state.Nodes[nodeId].Endpoint, assignment, limit.Token))
                    {
                        opened.Add(assignment.Channel);
                    }
                }
                catch (NodeCallException e)
                {
                    problems.Add($"{assignment.Channel}: {e.Message}");
                    if (e.Failure != NodeCallFailure.Refused)
                    {
                        // A node that does not answer for one channel will not for the next.
                        break;
                    }
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            problems.Add($"not done within {AllCalls.TotalSeconds:0} s");
        }

        foreach (var problem in problems)
        {
            logger.LogWarning("Node {NodeId} does not follow the state: {Problem}", nodeId, problem);
        }

        return new NodeReconciled(nodeId, opened, problems);
    }

    private async Task<bool> OpenIfClosedAsync(Uri endpoint, Assignment assignment, CancellationToken cancellationToken)
    {
        try
        {
            var status = await nodes.StatusAsync(endpoint, assignment.Channel, cancellationToken);
            if (status.Term >= assignment.Term)
            {
                return false;
            }
        }
        catch (NodeCallException e) when (e.Failure == NodeCallFailure.Refused)
        {
            // It knows nothing of the channel: that is what opening is for.
        }

        try
        {
            await nodes.OpenAsync(endpoint, assignment.Channel, new OpenChannelRequest(assignment.Term), NodeClient.StatusTimeout, cancellationToken);
            return true;
        }
        catch (NodeCallException e) when (e.Is(ApiErrorCode.Conflict))
        {
            // Opened meanwhile, or moved on to a later term: a failover in the middle of a pass wins.
            return false;
        }
    }
}

/// <summary>Activity: puts a pass on the timeline.</summary>
internal sealed class ReportReconcile(OperationStore operations, TimelineStore timeline, TimeProvider time)
{
    /// <summary>Reports it.</summary>
    [Function(nameof(ReportReconcile))]
    public async Task RunAsync([ActivityTrigger] ReconcileToReport pass, CancellationToken cancellationToken)
    {
        var opened = pass.Nodes.Sum(n => n.Opened.Count);
        var problems = pass.Nodes.SelectMany(n => n.Problems.Select(p => $"{n.NodeId}: {p}")).ToList();
        var summary = $"Reconciled: {pass.Nodes.Count} nodes, {opened} channels opened, skipped: {Names(pass.Plan.Skipped)}, problems: {Names(problems)}.";
        await operations.RecordStepAsync(pass.OperationId, 3, "Report", summary, cancellationToken);
        await timeline.AddAsync(new TimelineEntry($"reconcile-{pass.PassId:N}", TimelineKinds.Reconciled, time.GetUtcNow(), summary, pass.OperationId), cancellationToken);
    }

    private static string Names(IReadOnlyCollection<string> names) => names.Count == 0 ? "none" : string.Join("; ", names);
}
