using Baton.Core.Api;
using Baton.Core.Recovery;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;

namespace Baton.Functions.Recovery;

/// <summary>
/// <c>DELETE /api/recovery/channels/{channel}/replicas/{nodeId}/session</c>: ends a session. The log is let go of, and the replica follows by itself again; while it is not in sync, the next sweep makes
/// another session.
/// </summary>
internal sealed class RecoveryCancel(RecoveryAssignments assignments)
{
    /// <summary>Ends it.</summary>
    [Function("RecoveryCancel")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "delete", Route = "recovery/channels/{channel}/replicas/{nodeId}/session")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var replica = new ReplicaKey(request.RouteId("channel"), request.RouteId("nodeId"));
        return await assignments.CancelAsync(client, replica, cancellationToken) switch
        {
            null => throw new ApiException(ApiErrorCode.NotFound, $"Nothing is known of the recovery of {replica}."),
            var ended => Results.Json(new { ended }, BatonJson.Options),
        };
    }
}
