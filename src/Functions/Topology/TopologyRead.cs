using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Functions.Channels;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Requests;
using Baton.Functions.Settings;

namespace Baton.Functions.Topology;

/// <summary><c>GET /api/topology?since=V&amp;waitMs=</c>: the whole cluster state, for operators. Waits for a version above <c>since</c>; 304 when none comes.</summary>
internal sealed class TopologyRead(
    ClusterStateStore states,
    ClusterStateWatcher watcher,
    HeartbeatStore heartbeats,
    ReplicateConfigurationStore configurations,
    ClusterOptions cluster)
{
    /// <summary>Answers the state.</summary>
    [Function("TopologyRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "topology")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        if (await StateWait.ReadAsync(request, states, watcher, cancellationToken) is not { } state)
        {
            return Results.StatusCode(StatusCodes.Status304NotModified);
        }

        var beats = heartbeats.ReadBeatsAsync(cancellationToken);
        var stored = await configurations.ReadAsync(cancellationToken);
        return Results.Json(View(state, ReplicateRoles.RoleOf(stored.Meta.Configuration, cluster.Id), await beats), BatonJson.Options);
    }

    private static TopologyView View(ClusterState state, ClusterRole role, IReadOnlyDictionary<string, NodeBeat> beats) => new(
        state.ClusterId,
        state.Version,
        role,
        [.. state.Nodes
            .Where(n => n.Value.RemovedAt is null)
            .OrderBy(n => n.Key, StringComparer.Ordinal)
            .Select(n => new NodeView(n.Key, n.Value.Endpoint, n.Value.Incarnation, n.Value.Failed, n.Value.Zone, n.Value.Capacity, beats.GetValueOrDefault(n.Key)?.At, n.Value.Draining))],
        [.. state.Channels
            .OrderBy(c => c.Value.Index)
            .Select(c => ChannelViews.Of(c.Key, c.Value, beats))]);
}

/// <summary><c>GET /api/route?since=V&amp;waitMs=</c>: who leads what, in the small form that gateways follow.</summary>
internal sealed class RouteRead(ClusterStateStore states, ClusterStateWatcher watcher)
{
    /// <summary>Answers the route.</summary>
    [Function("RouteRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "route")] HttpRequest request,
        CancellationToken cancellationToken) =>
        await StateWait.ReadAsync(request, states, watcher, cancellationToken) is { } state
            ? Results.Json(View(state), BatonJson.Options)
            : Results.StatusCode(StatusCodes.Status304NotModified);

    /// <summary>The route of <paramref name="state"/>.</summary>
    public static RouteView View(ClusterState state)
    {
        var entries = new Dictionary<string, RouteEntry>(StringComparer.Ordinal);
        foreach (var (name, channel) in state.Channels)
        {
            if (channel.Leader is { } leader && state.Nodes.TryGetValue(leader, out var node))
            {
                entries[name] = new RouteEntry(node.Endpoint, leader, channel.Term, node.Incarnation);
            }
        }

        return new RouteView(state.Version, entries, [.. state.Channels.Keys.Where(c => !entries.ContainsKey(c)).Order(StringComparer.Ordinal)]);
    }
}

/// <summary>
/// <c>GET /api/replication/route?since=V&amp;waitMs=</c>: the same for the cluster that replicates to this one. It has no key of this function app, but this cluster's replication secret, which is its token in the replicate
/// configuration.
/// </summary>
internal sealed class ReplicationRouteRead(ClusterStateStore states, ClusterStateWatcher watcher, ClusterOptions cluster)
{
    /// <summary>Answers the route.</summary>
    [Function("ReplicationRouteRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "replication/route")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        if (!request.HasBearer(cluster.ReplicationSecret))
        {
            throw new ApiException(ApiErrorCode.Unauthorized, "The replication secret of this cluster is needed as bearer token: the token of this cluster in the replicate configuration, and its setting Cluster:ReplicationSecret.");
        }

        return await StateWait.ReadAsync(request, states, watcher, cancellationToken) is { } state
            ? Results.Json(RouteRead.View(state), BatonJson.Options)
            : Results.StatusCode(StatusCodes.Status304NotModified);
    }
}

/// <summary>The long poll that they share.</summary>
internal static class StateWait
{
    /// <summary>The state, or null when there is none newer than <c>since</c> within <c>waitMs</c>.</summary>
    public static async Task<ClusterState?> ReadAsync(HttpRequest request, ClusterStateStore states, ClusterStateWatcher watcher, CancellationToken cancellationToken)
    {
        var since = request.QueryInt64("since", byDefault: null, min: 0, max: long.MaxValue);
        var waitMs = request.QueryInt32("waitMs", byDefault: 0, min: 0, max: RequestValues.MaxWaitMs);
        return since is null
            ? (await states.ReadAsync(cancellationToken)).State
            : await watcher.WaitAsync(since.Value, TimeSpan.FromMilliseconds(waitMs), cancellationToken);
    }
}
