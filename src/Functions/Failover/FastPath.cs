using System.Diagnostics;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Reconcile;
using Baton.Functions.Timeline;

namespace Baton.Functions.Failover;

/// <summary>What became of a report against a node, with all that follows at once.</summary>
/// <param name="Plan">The plan that is in force now.</param>
/// <param name="Reconcile">The message for the routine queue; null where the report does not stand.</param>
internal sealed record FastPathDone(FailoverPlan Plan, string? Reconcile);

/// <summary>
/// The fast path's five steps, for a node that was reported and for one that leaves by itself: read the state, plan, write it on condition, tell the new leaders once,
/// and the message that hands the rest to the routine queue. It never waits for the node that goes, and never retries another.
/// </summary>
internal sealed class FastPath(NodeFailover failover, OpenHints hints, TimeProvider time, ILogger<FastPath> logger)
{
    /// <summary>Moves the channels that <paramref name="evidence"/> is about away from its node, if the evidence stands.</summary>
    /// <param name="evidence">The report.</param>
    /// <param name="eventId">Its id: the same again is the same happening on the timeline.</param>
    /// <param name="reason">What was observed, for operators.</param>
    /// <param name="observedAt">When it was reported (UTC), where the report came by the queue: the time until now is the first that the timeline shows.</param>
    /// <param name="cancellationToken">Gives up; what is written by then stands.</param>
    public async Task<FastPathDone> RunAsync(FailureEvidence evidence, string eventId, string reason, DateTimeOffset? observedAt, CancellationToken cancellationToken)
    {
        var queued = time.GetUtcNow() - observedAt;

        // Steps 1 to 3: one read, one plan, one conditional write.
        var done = await failover.RunAsync(evidence, cancellationToken);
        if (done.Plan.Outcome is not (FailoverOutcome.Planned or FailoverOutcome.Unchanged))
        {
            return new FastPathDone(done.Plan, Reconcile: null);
        }

        // Step 4: one attempt per new leader, all at once, under one short deadline.
        var hinting = Stopwatch.GetTimestamp();
        var missed = await hints.SendAsync(done.Plan.State, done.Plan.Moves, cancellationToken);
        var hintMs = Stopwatch.GetElapsedTime(hinting).TotalMilliseconds;

        // Step 5: one routine message. A repeat sends it again: the first may have died before it got this far.
        Report(evidence, eventId, reason, done, hintMs);
        var routine = new ReconcileRequest(
            eventId,
            $"failover of node {evidence.NodeId}",
            time.GetUtcNow(),
            new ReconcileScope(NodeId: evidence.NodeId),
            done.Plan.Outcome == FailoverOutcome.Planned ? new FailoverReport(Summary(evidence, reason, done.Plan), Timings(queued, done, hintMs, missed)) : null);
        return new FastPathDone(done.Plan, JsonSerializer.Serialize(routine, BatonJson.Options));
    }

    private static string Summary(FailureEvidence evidence, string reason, FailoverPlan plan)
    {
        var moved = plan.Moves.Count(m => m.To is not null);
        var what = evidence.Kind switch
        {
            FailureEvidenceKind.Leaving => "leaves",
            FailureEvidenceKind.CannotLead when plan.Moves.Count > 1 => $"cannot lead channel {plan.Moves[0].Channel} and {plan.Moves.Count - 1} others",
            FailureEvidenceKind.CannotLead => $"cannot lead channel {plan.Moves[0].Channel}",
            _ => "is gone",
        };
        return $"Node {evidence.NodeId} {what} ({reason}): {moved} channels have new leaders, {plan.Moves.Count - moved} are offline for want of a live node.";
    }

    private static List<TimelineStep> Timings(TimeSpan? queued, FailoverDone done, double hintMs, int missed) =>
    [
        .. queued is { } waited ? (TimelineStep[])[new("Queue", Math.Max(0, (long)waited.TotalMilliseconds))] : [],
        .. done.WaitedMs < 1 ? (TimelineStep[])[] : [new("Wait", (long)done.WaitedMs, "the storage did not answer, or another writer came first")],
        new("Read", (long)done.ReadMs),
        new("Plan", (long)done.PlanMs, $"state version {done.Plan.State.Version}"),
        new("Write", (long)done.WriteMs),
        new("Open", (long)hintMs, missed == 0 ? null : $"{missed} new leaders could not be told; they learn it from their heartbeat"),
    ];

    private void Report(FailureEvidence evidence, string eventId, string reason, FailoverDone done, double hintMs)
    {
        if (done.Plan.Outcome != FailoverOutcome.Planned)
        {
            return;
        }

        logger.LogWarning(
            "Failover of node {NodeId} ({Kind}, {EventId}, {Reason}): {Moves} channels moved, state version {Version}",
            evidence.NodeId, evidence.Kind, eventId, reason, done.Plan.Moves.Count, done.Plan.State.Version);
        FailoverMetrics.Record("read", done.ReadMs);
        FailoverMetrics.Record("plan", done.PlanMs);
        FailoverMetrics.Record("write", done.WriteMs);
        FailoverMetrics.Record("open", hintMs);
    }
}
