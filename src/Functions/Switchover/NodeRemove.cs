using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Requests;
using Baton.Functions.Topology;
using Rules = Baton.Core.Cluster.Switchover;

namespace Baton.Functions.Switchover;

/// <summary>
/// <c>DELETE /api/nodes/{nodeId}</c>: drains a node and removes it (<see cref="NodeRemovalOrchestration"/>). Asked for again while it runs, or after the node was removed, it is the same
/// operation.
/// </summary>
internal sealed class NodeRemove(ClusterStateStore states, OperationStore operations, OperationStarter starter, PlacementOptions placement)
{
    /// <summary>Starts the removal, or joins it.</summary>
    [Function("NodeRemove")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Admin, "delete", Route = "nodes/{nodeId}")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var nodeId = request.RouteId("nodeId");
        var id = SwitchoverOperationId.OfRemoval(nodeId);
        var state = (await states.ReadAsync(cancellationToken)).State;
        if (state.Nodes.GetValueOrDefault(nodeId) is { RemovedAt: not null } && await operations.ReadHeadAsync(id, cancellationToken) is { } done)
        {
            return Accepted.Of(request, done);
        }

        if (Rules.Drain(state, nodeId, placement.LeaderPolicy).Error is { } refused)
        {
            throw refused.ToException();
        }

        // From here on the caller's disconnect changes nothing.
        var head = await starter.RequestAsync(client, id, NodeRemovalOrchestration.Name, new RemovalInput(id, nodeId), OperationStarter.Always, CancellationToken.None);
        return Accepted.Of(request, head);
    }
}

/// <summary>202 with the operation to look at.</summary>
internal static class Accepted
{
    /// <summary>The answer.</summary>
    public static IResult Of(HttpRequest request, OperationHead head) => Results.Json(
        new OperationAccepted(head.Id, new Uri($"{request.Scheme}://{request.Host}/api/operations/{head.Id}")), BatonJson.Options, statusCode: StatusCodes.Status202Accepted);
}
