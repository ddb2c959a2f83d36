using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;

namespace Baton.Functions.Recovery;

/// <summary>A replica as <c>GET /api/recovery/replicas</c> shows it.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="ReplicaId">Its node.</param>
/// <param name="Endpoint">Where it is.</param>
/// <param name="Epoch">The term of the channel's leadership by which it is judged.</param>
/// <param name="State">What it is.</param>
/// <param name="Session">Its last session that did not complete, if any.</param>
internal sealed record RecoveryView(string Channel, string ReplicaId, ReplicaEndpoint Endpoint, long Epoch, ReplicaProgress State, RecoverySession? Session);

/// <summary>Looking at recoveries changes nothing.</summary>
internal sealed class RecoveryRead(RecoveryStore recoveries, RecoveryLogStore log)
{
    /// <summary><c>GET /api/recovery/replicas?channel=</c>: how the recovery of each replica stands.</summary>
    [Function("RecoveryReplicas")]
    public async Task<IResult> ReplicasAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "recovery/replicas")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var channels = request.QueryId("channel") is { } channel ? [await recoveries.ReadAsync(channel, cancellationToken)] : (await recoveries.ListAsync(cancellationToken)).Values;
        return Results.Json(
            channels.SelectMany(c => c.Senders).Select(s => new RecoveryView(s.Replica.Channel, s.Replica.ReplicaId, s.Endpoint, s.Epoch, s.State, s.Session)).OrderBy(v => v.Channel, StringComparer.Ordinal).ThenBy(v => v.ReplicaId, StringComparer.Ordinal),
            BatonJson.Options);
    }

    /// <summary><c>GET /api/recovery/log?channel=&amp;replica=&amp;last=100</c>: what happened, newest first.</summary>
    [Function("RecoveryLog")]
    public async Task<IResult> LogAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "recovery/log")] HttpRequest request,
        CancellationToken cancellationToken) =>
        Results.Json(
            await log.ReadAsync(request.QueryId("channel"), request.QueryId("replica"), request.QueryInt32("last", byDefault: 100, min: 1, max: RecoveryLogStore.MaxEntries), cancellationToken),
            BatonJson.Options);
}
