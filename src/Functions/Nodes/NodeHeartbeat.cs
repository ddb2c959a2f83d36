using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;
using Baton.Functions.Topology;

namespace Baton.Functions.Nodes;

/// <summary>
/// <c>POST /api/nodes/{nodeId}/heartbeat</c>: a node says that it lives and hears what it should own now. A node that was moved away from, or that speaks
/// for an older incarnation, is told to join again: until then it owns nothing and is no candidate.
/// </summary>
internal sealed class NodeHeartbeat(ClusterStateStore states, HeartbeatStore heartbeats)
{
    private const int MaxBodyBytes = 8 * 1024 * 1024;

    /// <summary>Keeps the beat and answers the node's assignments.</summary>
    [Function("NodeHeartbeat")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "nodes/{nodeId}/heartbeat")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var nodeId = request.RouteId("nodeId");
        var beat = await RequestBody.ReadAsync<HeartbeatRequest>(request, MaxBodyBytes, cancellationToken);

        var state = (await states.ReadAsync(cancellationToken)).State;
        var answer = Assignments.Answer(state, nodeId, beat.Incarnation);
        if (!answer.MustRejoin)
        {
            await heartbeats.WriteAsync(nodeId, beat.Channels ?? [], cancellationToken);
        }

        return Results.Json(answer, BatonJson.Options);
    }
}
