using System.Diagnostics;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Reconcile;
using Baton.Functions.Timeline;

namespace Baton.Functions.Failover;

/// <summary>What a failover sends on.</summary>
/// <param name="Reconcile">Message for the routine queue, which makes the rest follow the new state and puts the failover on the timeline.</param>
/// <param name="DeadLetter">The message itself, where nobody can act on it.</param>
internal sealed record UrgentFailoverOutputs(
    [property: ServiceBusOutput(FailoverQueues.Routine, Connection = FailoverQueues.Connection)] string? Reconcile = null,
    [property: ServiceBusOutput(FailoverQueues.UrgentDeadLetter, Connection = FailoverQueues.Connection)] string? DeadLetter = null);

/// <summary>
/// The fast path, and nothing besides it: read the state, plan, write it on condition, tell the new leaders once, hand the rest to the
/// routine queue. It never waits for the failed node, never retries a node, takes no lock and shares no queue with reconciliation.
/// <para>
/// A crash before the write: nothing has happened, and the message is delivered again. After the write: the failover stands; leaders that
/// were not told open at their next heartbeat; the message is delivered again, finds nothing to plan, and sends the routine message.
/// </para>
/// </summary>
internal sealed class UrgentFailover(NodeFailover failover, OpenHints hints, TimelineStore timeline, TimeProvider time, ILogger<UrgentFailover> logger)
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

        FailoverMetrics.QueueWait.Record(Math.Max(0, (time.GetUtcNow() - message.ObservedAt).TotalSeconds));

        // Steps 1 to 3: one read, one plan, one conditional write.
        var done = await failover.RunAsync(new FailureEvidence(message.NodeId, KindOf(message), message.Incarnation), cancellationToken);
        switch (done.Plan.Outcome)
        {
            case FailoverOutcome.UnknownNode:
                return await DeadLetterAsync(body, message.EventId, $"it names node '{message.NodeId}', which this cluster does not have", cancellationToken);
            case FailoverOutcome.StaleEvidence or FailoverOutcome.InCooldown:
                logger.LogInformation("Report {EventId} against node {NodeId} is not acted upon: {Outcome}", message.EventId, message.NodeId, done.Plan.Outcome);
                return new UrgentFailoverOutputs();
            default:
                break;
        }

        // Step 4: one attempt per new leader, all at once, under one short deadline.
        var hinting = Stopwatch.GetTimestamp();
        var missed = await hints.SendAsync(done.Plan.State, done.Plan.Moves, cancellationToken);
        var hintMs = Stopwatch.GetElapsedTime(hinting).TotalMilliseconds;

        // Step 5: one routine message. A repeat sends it again: the first delivery may have died before it got this far.
        Report(message, done, hintMs);
        return new UrgentFailoverOutputs(Reconcile: JsonSerializer.Serialize(Routine(message, done, hintMs, missed), BatonJson.Options));
    }

    // Only the sweep knows that heartbeats have stopped, and only operators are to be obeyed; every other observer merely suspects.
    private static FailureEvidenceKind KindOf(UrgentFailoverMessage message) => message.ObservedBy switch
    {
        HeartbeatSweep.Observer => FailureEvidenceKind.HeartbeatLost,
        "operator" => FailureEvidenceKind.Operator,
        _ => FailureEvidenceKind.Suspicion,
    };

    private ReconcileRequest Routine(UrgentFailoverMessage message, FailoverDone done, double hintMs, int missed)
    {
        var moved = done.Plan.Moves.Count(m => m.To is not null);
        var offline = done.Plan.Moves.Count - moved;
        var summary = done.Plan.Outcome == FailoverOutcome.Planned
            ? $"Node {message.NodeId} is gone ({message.Reason}): {moved} channels have new leaders, {offline} are offline for want of a live node."
            : null;
        return new ReconcileRequest(
            message.EventId,
            $"failover of node {message.NodeId}",
            time.GetUtcNow(),
            new ReconcileScope(NodeId: message.NodeId),
            summary is null ? null : new FailoverReport(summary, Timings(done, hintMs, missed)));
    }

    private static List<TimelineStep> Timings(FailoverDone done, double hintMs, int missed) =>
    [
        new("Read", (long)done.ReadMs),
        new("Plan", (long)done.PlanMs, $"state version {done.Plan.State.Version}"),
        new("Write", (long)done.WriteMs),
        new("Open", (long)hintMs, missed == 0 ? null : $"{missed} new leaders could not be told; they learn it from their heartbeat"),
    ];

    private void Report(UrgentFailoverMessage message, FailoverDone done, double hintMs)
    {
        if (done.Plan.Outcome != FailoverOutcome.Planned)
        {
            return;
        }

        logger.LogWarning(
            "Failover of node {NodeId} ({EventId}, {Reason}): {Moves} channels moved, state version {Version}",
            message.NodeId, message.EventId, message.Reason, done.Plan.Moves.Count, done.Plan.State.Version);
        FailoverMetrics.Record("read", done.ReadMs);
        FailoverMetrics.Record("plan", done.PlanMs);
        FailoverMetrics.Record("write", done.WriteMs);
        FailoverMetrics.Record("open", hintMs);
    }

    // At once, with its reason, and as a success: delivering it again could not help, and meanwhile it would stand before others.
    private async Task<UrgentFailoverOutputs> DeadLetterAsync(ReadOnlyMemory<byte> body, string? eventId, string reason, CancellationToken cancellationToken)
    {
        logger.LogError("A message on {Queue} is dead-lettered: {Reason}", FailoverQueues.Urgent, reason);
        var letter = new DeadLetter(FailoverQueues.Urgent, reason, time.GetUtcNow(), Convert.ToBase64String(body.Span));
        await timeline.AddAsync(letter.ToEntry(eventId), cancellationToken);
        return new UrgentFailoverOutputs(DeadLetter: JsonSerializer.Serialize(letter, BatonJson.Options));
    }
}
