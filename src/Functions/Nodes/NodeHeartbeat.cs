using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Requests;
using Baton.Functions.Tables;
using Baton.Functions.Topology;

namespace Baton.Functions.Nodes;

/// <summary>The answer to a heartbeat, and what a leaving node's sends on.</summary>
/// <param name="Answer">What the node should own.</param>
/// <param name="Reconcile">Message for the routine queue, as after any failover; null but for a node that leaves.</param>
internal sealed record NodeHeartbeatOutputs(
    [property: HttpResult] IResult Answer,
    [property: ServiceBusOutput(FailoverQueues.Routine, Connection = FailoverQueues.Connection)] string? Reconcile = null);

/// <summary>
/// <c>POST /api/nodes/{nodeId}/heartbeat</c>: a node says that it lives and hears what it should own now. A node that was moved away from, or that speaks
/// for an older incarnation, is told to join again: until then it owns nothing and is no candidate. One that was removed is told so, and ends.
/// <para>
/// A beat that says that its node leaves is a failover on the node's own word: the fast path runs here, in the node's own request. A crash before the write: nothing has happened,
/// and the node, which got no answer, says it again. After the write: its channels have new leaders; said again, it changes nothing, and its answer is the same.
/// </para>
/// </summary>
internal sealed class NodeHeartbeat(ClusterStateStore states, HeartbeatStore heartbeats, ReplicateConfigurationStore configurations, FastPath fastPath, Listening listening, ILogger<NodeHeartbeat> logger)
{
    private const int MaxBodyBytes = 8 * 1024 * 1024;

    /// <summary>Keeps the beat and answers the node's assignments.</summary>
    [Function("NodeHeartbeat")]
    public async Task<NodeHeartbeatOutputs> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "nodes/{nodeId}/heartbeat")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var nodeId = request.RouteId("nodeId");
        var beat = await RequestBody.ReadAsync<HeartbeatRequest>(request, MaxBodyBytes, cancellationToken);
        if (beat.Leaving)
        {
            return await LeaveAsync(nodeId, beat, cancellationToken);
        }

        try
        {
            return new NodeHeartbeatOutputs(Results.Json(await KeepAsync(nodeId, beat, cancellationToken), BatonJson.Options));
        }
        catch (Exception e) when (StorageFault.IsTransient(e))
        {
            // The node lives and has said so, whether the storage refused it or the node itself gave up waiting for a storage that hangs. It must not look silent for that.
            listening.BeatLost(nodeId);
            throw;
        }
    }

    private async Task<HeartbeatResponse> KeepAsync(string nodeId, HeartbeatRequest beat, CancellationToken cancellationToken)
    {
        var standing = ReadStandingAsync(nodeId, cancellationToken);
        var answer = Assignments.Answer((await states.ReadOnceAsync(cancellationToken)).State, nodeId, beat.Incarnation);
        if (answer.MustRejoin || answer.Removed)
        {
            return answer;
        }

        await heartbeats.WriteAsync(nodeId, beat.Channels ?? [], cancellationToken);
        listening.BeatKept();
        return answer with { Replication = await standing };
    }

    // A node lives however the cluster replicates: what cannot be read is left out, and the node keeps what it knows. It must not look silent for that.
    private async Task<ReplicateStanding?> ReadStandingAsync(string nodeId, CancellationToken cancellationToken)
    {
        try
        {
            return await configurations.ReadStandingAsync(cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            logger.LogError(e, "Node {NodeId} is not told how the cluster replicates: the replicate configuration cannot be read", nodeId);
            return null;
        }
    }

    // The beat itself is not kept: from here on the node is marked failed, and nobody asks when it was last heard of until it joins again.
    private async Task<NodeHeartbeatOutputs> LeaveAsync(string nodeId, HeartbeatRequest beat, CancellationToken cancellationToken)
    {
        var evidence = new FailureEvidence(nodeId, FailureEvidenceKind.Leaving, beat.Incarnation);
        var done = await fastPath.RunAsync(evidence, $"leaving-{beat.Incarnation}-{nodeId}", "it is stopping", observedAt: null, cancellationToken);
        return new NodeHeartbeatOutputs(Results.Json(Assignments.AnswerLeaving(done.Plan.State, nodeId, beat), BatonJson.Options), done.Reconcile);
    }
}
