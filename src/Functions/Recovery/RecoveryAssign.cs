using System.Text.Json.Serialization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Topology;

namespace Baton.Functions.Recovery;

/// <summary>Body of <c>POST /api/recovery/assignments</c>.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Epoch">Its term. A lower one than is known has no effect at all.</param>
/// <param name="Replicas">All its replicas; the recoveries of others are given up.</param>
/// <param name="RecoveryTargets">Node ids, and what for: those that are to have a session.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record AssignmentsRequest(string? Channel, long Epoch, IReadOnlyList<AssignedReplicaRequest?>? Replicas, IReadOnlyDictionary<string, SessionKind>? RecoveryTargets);

/// <summary>A replica of an intent.</summary>
/// <param name="ReplicaId">The id of its node.</param>
/// <param name="Endpoint">Where it is; left out, where its node has joined. No other address is taken, since the cluster's secret would be sent there.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record AssignedReplicaRequest(string? ReplicaId, ReplicaEndpoint? Endpoint = null);

/// <summary>
/// <c>POST /api/recovery/assignments</c>: says which replicas of a channel are to be recovered, and what for. The same body again changes nothing. What it asks for beyond the cluster's state lasts until the next
/// <see cref="RecoverySweep"/> that finds something to be done.
/// </summary>
internal sealed class RecoveryAssign(RecoveryAssignments assignments, ClusterStateStore states, RecoveryOptions options)
{
    private const int MaxBodyBytes = 64 * 1024;

    // More than a channel has, those on failed nodes included.
    private const int MaxTargets = 16;

    /// <summary>Puts an intent into force.</summary>
    [Function("RecoveryAssign")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "recovery/assignments")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var body = await RequestBody.ReadAsync<AssignmentsRequest>(request, MaxBodyBytes, cancellationToken);
        var intent = Checked(body, (await states.ReadAsync(cancellationToken)).State);

        // From here on the caller's disconnect changes nothing.
        return Results.Json(await assignments.ApplyAsync(client, intent with { Budget = options.Budget }, CancellationToken.None), BatonJson.Options);
    }

    private static AssignmentIntent Checked(AssignmentsRequest body, ClusterState state)
    {
        Require(Names.IsValidId(body.Channel), "'channel' must name a channel.");
        Require(body.Epoch >= 1, $"'epoch' is {body.Epoch}: terms start at 1.");
        if (!state.Channels.TryGetValue(body.Channel!, out var channel))
        {
            throw new ApiException(ApiErrorCode.NotFound, $"There is no channel '{body.Channel}'.");
        }

        if (body.Epoch > channel.Term)
        {
            throw new ApiException(ApiErrorCode.Conflict, $"Channel {body.Channel} is at term {channel.Term}, not {body.Epoch}: an epoch that is still to come would refuse all that comes before it.");
        }

        // Left out is not the same as none: that would give all of them up.
        Require(body.Replicas is not null, "'replicas' is missing: give all that the channel has.");
        var replicas = body.Replicas!.Select(r => Checked(r, body.Channel!, channel, state)).ToList();
        Require(replicas.Select(r => r.ReplicaId).Distinct(StringComparer.Ordinal).Count() == replicas.Count, "'replicas' names a node twice.");
        var targets = body.RecoveryTargets ?? new Dictionary<string, SessionKind>(StringComparer.Ordinal);
        Require(targets.Count <= MaxTargets, $"'recoveryTargets' has {targets.Count} entries; {MaxTargets} is the most.");
        Require(targets.Keys.All(Names.IsValidId), "'recoveryTargets' must be by node id.");
        return new AssignmentIntent(body.Channel!, body.Epoch, replicas, targets);
    }

    private static AssignedReplica Checked(AssignedReplicaRequest? replica, string name, ChannelState channel, ClusterState state)
    {
        Require(Names.IsValidId(replica?.ReplicaId), "'replicaId' must name a node of the cluster.");
        if (!state.Nodes.TryGetValue(replica!.ReplicaId!, out var node) || channel.Replicas.All(r => r.NodeId != replica.ReplicaId))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"Node '{replica.ReplicaId}' has no replica of channel {name}: give the ones that GET /api/topology shows.");
        }

        var known = RecoveryPlan.EndpointOf(node);
        Require(replica.Endpoint is null || replica.Endpoint == known, $"Node {replica.ReplicaId} is at {known.ControlAddress}, version {known.Version}: leave 'endpoint' out, or give that.");
        return new AssignedReplica(replica.ReplicaId!, known);
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, otherwise);
        }
    }
}
