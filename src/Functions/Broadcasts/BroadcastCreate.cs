using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;
using Baton.Functions.Topology;

namespace Baton.Functions.Broadcasts;

/// <summary>
/// <c>POST /api/broadcasts</c>: one message to many vchannels, all or eventually all. The task is stored, then its operation is asked for; a
/// crash in between leaves a task that <see cref="OrphanSweep"/> begins, or the same request (same <c>broadcastId</c>) when it comes again; whoever sent it had no answer. An app that is
/// told to stop takes none any more (case B57), and what it has begun to store it also starts.
/// </summary>
internal sealed class BroadcastCreate(
    BroadcastStore broadcasts,
    ClusterStateStore states,
    ReplicateConfigurationStore configurations,
    OperationStarter starter,
    OperationStore operations,
    ClusterOptions cluster,
    IHostApplicationLifetime lifetime,
    TimeProvider time)
{
    private const int MaxBodyBytes = 2 * 1024 * 1024;
    private const int MaxPayloadBytes = 512 * 1024;
    private const int MaxVChannels = 1_000;
    private const int MaxResourceKeys = 100;

    /// <summary>Stores the task and starts it.</summary>
    [Function("BroadcastCreate")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "broadcasts")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        RefuseWhileStopping();
        var body = await RequestBody.ReadAsync<CreateBroadcastRequest>(request, MaxBodyBytes, cancellationToken);
        var message = new BroadcastMessage(body.Kind, body.VChannels ?? [], body.ResourceKeys ?? [], body.Payload);
        await CheckAsync(message, body.BroadcastId, cancellationToken);

        if (body.BroadcastId is { } known && await WasCollectedAsync(known, cancellationToken))
        {
            return Results.Json(BroadcastRules.Collected(known, message, time.GetUtcNow()).ToView(), BatonJson.Options);
        }

        var id = body.BroadcastId ?? await broadcasts.AllocateIdAsync(cancellationToken);
        RefuseWhileStopping();

        // From here on neither the caller's disconnect nor the app's stop changes anything.
        var task = await broadcasts.AddAsync(BroadcastRules.Create(id, message, time.GetUtcNow()), CancellationToken.None);
        if (!IsSame(task.Message, message))
        {
            throw new ApiException(ApiErrorCode.Conflict, $"Broadcast {id} exists with another message.");
        }

        await starter.RequestAsync(client, BroadcastViews.OperationId(id), "Broadcast", new BroadcastInput(BroadcastViews.OperationId(id), id), OperationStarter.UnlessSucceeded, CancellationToken.None);
        return Results.Json(task.ToView(), BatonJson.Options, statusCode: task.State == BroadcastState.Tombstone ? StatusCodes.Status200OK : StatusCodes.Status202Accepted);
    }

    private void RefuseWhileStopping()
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new ApiException(ApiErrorCode.Unavailable, "This control plane is stopping and takes no broadcasts any more; send it again.") { RetryAfterSeconds = 1 };
        }
    }

    // The operation outlives its broadcast's tombstone. A task made anew would never be carried out: what has succeeded does not run again.
    private async Task<bool> WasCollectedAsync(long broadcastId, CancellationToken cancellationToken) =>
        await operations.ReadHeadAsync(BroadcastViews.OperationId(broadcastId), cancellationToken) is { Status: Core.Operations.OperationStatus.Succeeded }
        && await broadcasts.ReadAsync(broadcastId, cancellationToken) is null;

    private async Task CheckAsync(BroadcastMessage message, long? broadcastId, CancellationToken cancellationToken)
    {
        if (BroadcastRules.IsConfigChange(message))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "The replicate configuration is changed by PUT /api/replicate-configuration.");
        }

        if (message.VChannels.Count > MaxVChannels || message.ResourceKeys.Count > MaxResourceKeys || message.Payload?.Length > MaxPayloadBytes || (broadcastId is { } id && !ExactNumbers.IsPosition(id)))
        {
            throw new ApiException(
                ApiErrorCode.InvalidArgument,
                string.Create(CultureInfo.InvariantCulture, $"At most {MaxVChannels} vchannels, {MaxResourceKeys} resource keys and a payload of {MaxPayloadBytes} bytes; a broadcastId is above 0 and below 2^53."));
        }

        var state = (await states.ReadAsync(cancellationToken)).State;
        if (BroadcastRules.Check(message, [.. state.PChannels.Select(c => c.Key)]) is { } wrong)
        {
            throw wrong.ToException();
        }

        var stored = await configurations.ReadAsync(cancellationToken);
        if (ReplicateAdmission.CheckBroadcast(stored.Meta, cluster.Id, stored.Superseded, message.VChannels) is { } refused)
        {
            throw refused.ToException();
        }
    }

    private static bool IsSame(BroadcastMessage a, BroadcastMessage b) =>
        JsonSerializer.Serialize(a, BatonJson.Options) == JsonSerializer.Serialize(b, BatonJson.Options);
}
