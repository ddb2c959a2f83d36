using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;
using Baton.Functions.Topology;

namespace Baton.Functions.Channels;

/// <summary>
/// <c>PUT /api/channels/{name}</c>: creates a channel and gives it its first leader; 200 when it is there already. The name of one that carries a topic's partition is taken (409). While clusters
/// replicate, the channel takes no writes until a configuration names it: it is created on every cluster first, and then the longer configuration is sent to the primary.
/// </summary>
internal sealed class ChannelCreate(ClusterStateStore states, OpenHints hints, PlacementOptions placement)
{
    private const int MaxBodyBytes = 16 * 1024;

    /// <summary>Creates the channel.</summary>
    [Function("ChannelCreate")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "put", Route = "channels/{name}")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var name = request.RouteId("name");
        var body = await RequestBody.ReadAsync<CreateChannelRequest>(request, MaxBodyBytes, cancellationToken);
        var created = false;
        var state = await states.UpdateAsync(
            s =>
            {
                var result = PartitionInitializer.Initialize(s, [new WantedChannel(name, body.ReplicationFactor)], placement.LeaderPolicy);
                created = result.Created.Count > 0;
                return result.Error is { } error ? throw error.ToException() : result.State;
            },
            cancellationToken);

        if (created)
        {
            await hints.SendAndWaitAsync(state, name, cancellationToken);
        }

        return Results.Json(ChannelViews.Of(name, state.Channels[name]), BatonJson.Options, statusCode: created ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    }
}
