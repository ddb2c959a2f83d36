using System.Text.Json;
using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Timeline;

namespace Baton.Functions.Reconcile;

/// <summary>Body of queue <c>routine-reconcile</c>: a <see cref="RoutineReconcileMessage"/>, with the failover that asked for it, where one did.</summary>
internal sealed record ReconcileRequest(string EventId, string Reason, DateTimeOffset RequestedAt, ReconcileScope? Scope = null, FailoverReport? Failover = null);

/// <summary>What the fast path did, for the timeline: the fast path itself writes nothing but the state.</summary>
internal sealed record FailoverReport(string Summary, IReadOnlyList<TimelineStep> Steps);

/// <summary>What a routine message becomes, besides an operation.</summary>
/// <param name="DeadLetter">The message itself, where nobody can act on it.</param>
internal sealed record RoutineReconcileOutputs(
    [property: ServiceBusOutput(FailoverQueues.RoutineDeadLetter, Connection = FailoverQueues.Connection)] string? DeadLetter = null);

/// <summary>
/// Asks for the cluster's one <c>Reconcile</c> operation: starts it, or, while it runs, counts one more request, after which it makes one more pass however many
/// requests came (<see cref="ReconcileRequests"/>). A crash before the request: the message is delivered again.
/// </summary>
internal sealed class RoutineReconcile(ReconcileRequests requests, TimelineStore timeline, TimeProvider time, ILogger<RoutineReconcile> logger)
{
    /// <summary>The one operation.</summary>
    public const string OperationId = ReconcileRequests.OperationId;

    /// <summary>Handles one message.</summary>
    [Function("RoutineReconcile")]
    public async Task<RoutineReconcileOutputs> RunAsync(
        [ServiceBusTrigger(FailoverQueues.Routine, Connection = FailoverQueues.Connection)] ReadOnlyMemory<byte> body,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var (request, unreadable) = QueueBody.Read<ReconcileRequest>(body);
        if (request is not { EventId: not null })
        {
            return await DeadLetterAsync(body, eventId: null, $"it cannot be read: {unreadable ?? "eventId is missing"}", cancellationToken);
        }

        if (request.Scope?.NodeId is { } nodeId && !await requests.HasNodeAsync(nodeId, cancellationToken))
        {
            return await DeadLetterAsync(body, request.EventId, $"it names node '{nodeId}', which this cluster does not have", cancellationToken);
        }

        if (request.Failover is { } failover)
        {
            await timeline.AddAsync(
                new TimelineEntry($"failover-{request.EventId}", TimelineKinds.Failover, request.RequestedAt, failover.Summary, Steps: failover.Steps),
                cancellationToken);
        }

        await requests.RequestAsync(client, cancellationToken);
        return new RoutineReconcileOutputs();
    }

    private async Task<RoutineReconcileOutputs> DeadLetterAsync(ReadOnlyMemory<byte> body, string? eventId, string reason, CancellationToken cancellationToken)
    {
        logger.LogError("A message on {Queue} is dead-lettered: {Reason}", FailoverQueues.Routine, reason);
        var letter = new DeadLetter(FailoverQueues.Routine, reason, time.GetUtcNow(), Convert.ToBase64String(body.Span));
        await timeline.AddAsync(letter.ToEntry(eventId), cancellationToken);
        return new RoutineReconcileOutputs(JsonSerializer.Serialize(letter, BatonJson.Options));
    }
}
