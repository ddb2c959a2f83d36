using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Requests;

namespace Baton.Functions.Broadcasts;

/// <summary>
/// <c>POST /api/broadcasts/{id}/acks</c>: a node says that a broadcast's record, which came by replication, is durable on a vchannel. The last ack starts
/// the operation that carries the callback out. A crash between the two: the node has no answer and sends the ack again, which changes
/// nothing but finds the task complete and starts the operation.
/// </summary>
internal sealed class BroadcastAckReceive(BroadcastStore broadcasts, OperationStarter starter)
{
    private const int MaxBodyBytes = 4 * 1024 * 1024;

    /// <summary>Stores the ack.</summary>
    [Function("BroadcastAck")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "broadcasts/{id}/acks")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var id = request.RouteInt64("id");
        var body = await RequestBody.ReadAsync<BroadcastAckRequest>(request, MaxBodyBytes, cancellationToken);
        Check(id, body);

        var task = await broadcasts.AckAsync(id, body.VChannel, body.Ack, body.Message, body.Source, cancellationToken);

        // A pending task has its operation since it was created here; a tombstone needs none.
        if (task.State == BroadcastState.Replicated && BroadcastRules.AllAcked(task))
        {
            var operationId = BroadcastViews.OperationId(id);
            await starter.RequestAsync(client, operationId, "Broadcast", new BroadcastInput(operationId, id), OperationStarter.UnlessSucceeded, CancellationToken.None);
        }

        return Results.Json(task.ToView(), BatonJson.Options);
    }

    private static void Check(long id, BroadcastAckRequest body)
    {
        if (body is not { VChannel: not null, Ack: not null, Message: not null })
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "An ack needs 'vchannel', 'ack' and 'message'.");
        }

        if (id < 1 || body.Ack.TimeTick < 0 || body.Ack.Lsn < 0)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, string.Create(CultureInfo.InvariantCulture, $"Broadcast id, LSN and time tick of an ack cannot be negative, nor the id 0 (broadcast {id})."));
        }

        if (body.Message.VChannels is not { Count: > 0 } || !body.Message.VChannels.All(VChannels.IsValid) || !body.Message.VChannels.Contains(body.VChannel, StringComparer.Ordinal))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "The message of an ack must name valid vchannels, and the acked one among them.");
        }
    }
}
