using Baton.Functions.Hosting;
using Baton.Functions.Topology;

namespace Baton.Functions.Reconcile;

/// <summary>Nodes of a pass, to be gone through at once.</summary>
internal sealed record NodesToReconcile(IReadOnlyList<string> NodeIds)
{
    /// <summary>
    /// How many activities a pass is dealt out to at most. One activity waits for all of its nodes without using a thread; an activity for each node would fill the host's runners (16 of them) with
    /// dead nodes, and a promotion's activities would stand behind them.
    /// </summary>
    public const int MaxActivities = 4;

    /// <summary>So many nodes are left to one activity.</summary>
    private const int FewNodes = 16;

    /// <summary>Deals nodes out, as evenly as possible.</summary>
    public static IReadOnlyList<NodesToReconcile> Deal(IReadOnlyList<string> nodeIds)
    {
        var hands = Math.Clamp((nodeIds.Count + FewNodes - 1) / FewNodes, 0, MaxActivities);
        return [.. Enumerable.Range(0, hands).Select(hand => new NodesToReconcile([.. nodeIds.Where((_, i) => i % hands == hand)]))];
    }
}

/// <summary>Activity: goes through nodes, all at once, so that any number of dead ones costs as much as one, and no other waits for them.</summary>
internal sealed class ReconcileNodes(ClusterStateStore states, NodeReconciler reconciler)
{
    /// <summary>Goes through them.</summary>
    [Function(nameof(ReconcileNodes))]
    public async Task<IReadOnlyList<NodeReconciled>> RunAsync([ActivityTrigger] NodesToReconcile nodes, CancellationToken cancellationToken)
    {
        var state = (await states.ReadAsync(cancellationToken)).State;
        return await Task.WhenAll(nodes.NodeIds.Where(state.Nodes.ContainsKey).Select(n => reconciler.RunAsync(state, n, cancellationToken)));
    }
}
