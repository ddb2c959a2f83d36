using Baton.Durable;
using Baton.Functions.Operations;
using Baton.Functions.Topology;

namespace Baton.Functions.Reconcile;

/// <summary>
/// Asks for reconciliation on behalf of everybody in this process who wants it now. One request is under way at a time, and all who come meanwhile share the next one: a request that has been begun
/// before somebody came may be served by a pass that did not see what he wants seen. So thousands of messages are few writes of the one row that they would all fight for.
/// </summary>
internal sealed class ReconcileRequests(OperationStarter starter, ClusterStateStore states)
{
    /// <summary>The one operation.</summary>
    public const string OperationId = "reconcile";

    private readonly Lock _lock = new();
    private HashSet<string> _knownNodes = new(StringComparer.Ordinal);
    private Task _underWay = Task.CompletedTask;
    private Task? _next;

    /// <summary>Completes when a request that was begun after this call is written, and its pass begun.</summary>
    /// <param name="client">The engine.</param>
    /// <param name="cancellationToken">Stops waiting; others may wait for the same request, so it goes on.</param>
    public Task RequestAsync(DurableTaskClient client, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _next ??= AfterAsync(_underWay, client);
            return _next.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Whether the cluster has, or lately had, a node. The state of a large cluster is a large row: it is read for names that are new here only.</summary>
    public async Task<bool> HasNodeAsync(string nodeId, CancellationToken cancellationToken)
    {
        if (!_knownNodes.Contains(nodeId))
        {
            _knownNodes = (await states.ReadAsync(cancellationToken)).State.Nodes.Keys.ToHashSet(StringComparer.Ordinal);
        }

        return _knownNodes.Contains(nodeId);
    }

    private async Task AfterAsync(Task before, DurableTaskClient client)
    {
        // Leaves the caller's lock before anything else, and does not care how the one before ended: its own callers know.
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        lock (_lock)
        {
            _underWay = _next!;
            _next = null;
        }

        await starter.RequestAsync(client, OperationId, ReconcileOrchestration.Name, new ReconcileInput(OperationId), OperationStarter.Always, CancellationToken.None);
    }
}
