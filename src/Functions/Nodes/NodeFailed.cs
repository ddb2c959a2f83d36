using System.Text.Json;
using Baton.Core.Api;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;

namespace Baton.Functions.Nodes;

/// <summary>The answer to a report, and the message it became.</summary>
/// <param name="Answer">202.</param>
/// <param name="Message">The message on the urgent queue.</param>
internal sealed record NodeFailedOutputs(
    [property: HttpResult] IResult Answer,
    [property: ServiceBusOutput(FailoverQueues.Urgent, Connection = FailoverQueues.Connection)] string Message);

/// <summary>
/// <c>POST /api/nodes/{nodeId}/failed</c>: a report that a node is gone, or that it cannot lead some of its channels, becomes one message on the urgent queue. Nothing is read or decided here.
/// </summary>
internal sealed class NodeFailed(TimeProvider time)
{
    private const int MaxBodyBytes = 32 * 1024;
    private const int MaxReason = 1_000;
    private const int MaxObserver = 200;

    /// <summary>Sends the message and answers 202.</summary>
    [Function("NodeFailed")]
    public async Task<NodeFailedOutputs> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "nodes/{nodeId}/failed")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var nodeId = request.RouteId("nodeId");
        var report = await RequestBody.ReadAsync<NodeFailedRequest>(request, MaxBodyBytes, cancellationToken);
        if (string.IsNullOrWhiteSpace(report.Reason) || report.Reason.Length > MaxReason)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"'reason' must say in 1 to {MaxReason} characters what was observed.");
        }

        var eventId = report.EventId ?? Guid.NewGuid().ToString("N");
        if (!Names.IsValidId(eventId) || report.ObservedBy?.Length > MaxObserver)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"'eventId' must be 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit; 'observedBy' at most {MaxObserver} characters.");
        }

        if (report.Leaderships is { } leaderships && !Leaderships.AreValid(leaderships))
        {
            throw new ApiException(
                ApiErrorCode.InvalidArgument, $"'leaderships' must be 1 to {Leaderships.Max} objects, each with a channel that the node cannot lead and the term, above 0, at which it cannot; no channel twice. Leave it out where the node itself is gone.");
        }

        var message = new UrgentFailoverMessage(eventId, nodeId, report.Reason, time.GetUtcNow(), report.Incarnation, report.ObservedBy, report.Leaderships);
        return new NodeFailedOutputs(
            Results.Json(new NodeFailedAccepted(eventId), BatonJson.Options, statusCode: StatusCodes.Status202Accepted),
            JsonSerializer.Serialize(message, BatonJson.Options));
    }
}

/// <summary>202 of a report.</summary>
/// <param name="EventId">The event it became: the same id again changes nothing.</param>
internal sealed record NodeFailedAccepted(string EventId);
