using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Timeline;

namespace Baton.Functions.Failover;

/// <summary>What a failover sends on.</summary>
/// <param name="Reconcile">Message for the routine queue, which makes the rest follow the new state and puts the failover on the timeline.</param>
/// <param name="DeadLetter">The message itself, where nobody can act on it.</param>
internal sealed record UrgentFailoverOutputs(
    [property: ServiceBusOutput(FailoverQueues.Routine, Connection = FailoverQueues.Connection)] string? Reconcile = null,
    [property: ServiceBusOutput(FailoverQueues.UrgentDeadLetter, Connection = FailoverQueues.Connection)] string? DeadLetter = null);

/// <summary>
/// The fast path (<see cref="FastPath"/>), and nothing besides it but a look at the node's heartbeat where the sweep's report is late (<see cref="LateReports"/>): it takes no lock and shares no
/// queue with reconciliation.
/// <para>
/// A crash before the write: nothing has happened, and the message is delivered again. After the write: the failover stands; leaders that
/// were not told open at their next heartbeat; the message is delivered again, finds nothing to plan, and sends the routine message.
/// </para>
/// </summary>
internal sealed class UrgentFailover(FastPath fastPath, LateReports lateReports, TimelineStore timeline, TimeProvider time, ILogger<UrgentFailover> logger)
{
    /// <summary>Handles one report.</summary>
    [Function("UrgentFailover")]
    public async Task<UrgentFailoverOutputs> RunAsync(
        [ServiceBusTrigger(FailoverQueues.Urgent, Connection = FailoverQueues.Connection)] ReadOnlyMemory<byte> body,
        CancellationToken cancellationToken)
    {
        var (message, unreadable) = QueueBody.Read<UrgentFailoverMessage>(body);
        if (message is not { EventId: not null, NodeId: not null })
        {
            return await DeadLetterAsync(body, eventId: null, $"it cannot be read: {unreadable ?? "eventId or nodeId is missing"}", cancellationToken);
        }

        if (message.Leaderships is { } leaderships && !Leaderships.AreValid(leaderships))
        {
            return await DeadLetterAsync(body, message.EventId, $"its leaderships are not 1 to {Leaderships.Max} channels, each once and at a term above 0", cancellationToken);
        }

        FailoverMetrics.QueueWait.Record(Math.Max(0, (time.GetUtcNow() - message.ObservedAt).TotalSeconds));

        var kind = KindOf(message);
        var heardSince = kind == FailureEvidenceKind.HeartbeatLost && await lateReports.HeardSinceAsync(message, cancellationToken);
        var evidence = new FailureEvidence(message.NodeId, kind, message.Incarnation, message.Leaderships, heardSince);
        var done = await fastPath.RunAsync(evidence, message.EventId, message.Reason, message.ObservedAt, cancellationToken);
        switch (done.Plan.Outcome)
        {
            case FailoverOutcome.UnknownNode:
                return await DeadLetterAsync(body, message.EventId, $"it names node '{message.NodeId}', which this cluster does not have", cancellationToken);
            case FailoverOutcome.StaleEvidence or FailoverOutcome.InCooldown:
                logger.LogInformation("Report {EventId} against node {NodeId} is not acted upon: {Outcome}", message.EventId, message.NodeId, done.Plan.Outcome);
                break;
            default:
                break;
        }

        return new UrgentFailoverOutputs(done.Reconcile);
    }

    // Only the sweep knows that heartbeats have stopped, and only operators are to be obeyed; every other observer merely suspects.
    private static FailureEvidenceKind KindOf(UrgentFailoverMessage message) => message.ObservedBy switch
    {
        _ when message.Leaderships is not null => FailureEvidenceKind.CannotLead,
        HeartbeatSweep.Observer => FailureEvidenceKind.HeartbeatLost,
        "operator" => FailureEvidenceKind.Operator,
        _ => FailureEvidenceKind.Suspicion,
    };

    // At once, with its reason, and as a success: delivering it again could not help, and meanwhile it would stand before others.
    private async Task<UrgentFailoverOutputs> DeadLetterAsync(ReadOnlyMemory<byte> body, string? eventId, string reason, CancellationToken cancellationToken)
    {
        logger.LogError("A message on {Queue} is dead-lettered: {Reason}", FailoverQueues.Urgent, reason);
        var letter = new DeadLetter(FailoverQueues.Urgent, reason, time.GetUtcNow(), Convert.ToBase64String(body.Span));
        await timeline.AddAsync(letter.ToEntry(eventId), cancellationToken);
        return new UrgentFailoverOutputs(DeadLetter: JsonSerializer.Serialize(letter, BatonJson.Options));
    }
}
