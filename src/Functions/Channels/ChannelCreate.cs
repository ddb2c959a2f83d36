using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;
using Baton.Functions.Topology;

namespace Baton.Functions.Channels;

/// <summary>
/// <c>PUT /api/channels/{name}</c>: creates a channel and gives it its first leader; 200 when it is there already. While clusters replicate, the channel takes no writes until a configuration names it: it is created on every
/// cluster first, and then the longer configuration is sent to the primary.
/// </summary>
internal sealed class ChannelCreate(ClusterStateStore states, OpenHints hints)
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
                var result = ChannelPlacement.Create(s, name, body.ReplicationFactor);
                created = result.Created;
                return result.Error is { } error ? throw error.ToException() : result.State;
            },
            cancellationToken);

        var channel = state.Channels[name];
        if (created)
        {
            await hints.SendAndWaitAsync(state, name, cancellationToken);
        }

        var view = new ChannelView(name, channel.Leader, channel.Term, [.. channel.Replicas.Select(r => new ReplicaView(r.NodeId, r.Mode, r.State, r.FlushedLsn))], channel.Offline ? ChannelAvailability.Offline : ChannelAvailability.Online);
        return Results.Json(view, BatonJson.Options, statusCode: created ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    }
}
