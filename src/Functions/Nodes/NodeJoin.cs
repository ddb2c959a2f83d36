using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Requests;
using Baton.Functions.Topology;

namespace Baton.Functions.Nodes;

/// <summary>The answer to a join, and what it asks for.</summary>
/// <param name="Answer">The node's incarnation and what it owns.</param>
/// <param name="Reconcile">Message for the routine queue: with one more live node, channels can have more copies.</param>
internal sealed record NodeJoinOutputs(
    [property: HttpResult] IResult Answer,
    [property: ServiceBusOutput(FailoverQueues.Routine, Connection = FailoverQueues.Connection)] string? Reconcile = null);

/// <summary>
/// <c>PUT /api/nodes/{nodeId}</c>: a node joins, or joins again. It gets a new incarnation and never an old term: what it led before, it leads
/// at the next term or not at all. The first to join a cluster brings the channel of the metadata with it, in the same write. A node that an operator has removed is refused with 409 for as long as it is the same process.
/// </summary>
internal sealed class NodeJoin(
    ClusterStateStore states, HeartbeatStore heartbeats, ReplicateConfigurationStore configurations, PlacementOptions placement, TimeProvider time)
{
    private const int MaxBodyBytes = 16 * 1024;
    private const int MaxCapacity = 1_000;

    /// <summary>Takes the node in.</summary>
    [Function("NodeJoin")]
    public async Task<NodeJoinOutputs> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "put", Route = "nodes/{nodeId}")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var nodeId = request.RouteId("nodeId");
        var join = await RequestBody.ReadAsync<JoinNodeRequest>(request, MaxBodyBytes, cancellationToken);
        Check(join);

        // Before anything is written: a join that cannot be answered must not use up an incarnation and the terms of the node's channels each time.
        var standing = await configurations.ReadStandingAsync(cancellationToken);

        // The beat comes first: a sweep between the two writes must not meet the new incarnation with the old silence.
        await heartbeats.WriteAsync(nodeId, [], cancellationToken);
        var state = await states.UpdateAsync(
            s =>
            {
                var result = ClusterMembership.Join(s, nodeId, join.Endpoint, join.Zone, join.Capacity, join.Instance, placement.LeaderPolicy);
                return result.Error is { } error
                    ? throw error.ToException()
                    : PartitionInitializer.InitializeMetadata(result.State, placement.LeaderPolicy).State with { Version = s.Version + 1 };
            },
            cancellationToken);
        var incarnation = state.Nodes[nodeId].Incarnation;
        var routine = new RoutineReconcileMessage(
            string.Create(CultureInfo.InvariantCulture, $"join-{incarnation}-{nodeId}"), $"node {nodeId} has joined", time.GetUtcNow(), new ReconcileScope(NodeId: nodeId));
        return new NodeJoinOutputs(
            Results.Json(new JoinNodeResponse(nodeId, incarnation, Assignments.For(state, nodeId), standing) { Metadata = MetadataChannel.LeaderIn(state) }, BatonJson.Options),
            JsonSerializer.Serialize(routine, BatonJson.Options));
    }

    private static void Check(JoinNodeRequest join)
    {
        if (join.Endpoint is not { IsAbsoluteUri: true, Scheme: "http" or "https" })
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "'endpoint' must be an absolute http or https address.");
        }

        if (join.Zone is not null && !Names.IsValidId(join.Zone))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "'zone' must be 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit.");
        }

        if (join.Instance is not null && !Names.IsValidId(join.Instance))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "'instance' must be 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit.");
        }

        if (join.Capacity is < 1 or > MaxCapacity)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"'capacity' must be from 1 to {MaxCapacity}.");
        }
    }
}
