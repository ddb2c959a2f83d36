using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Timeline;

namespace Baton.Functions.Reconcile;

/// <summary>A pass that is done but for its report.</summary>
internal sealed record ReconcileToReport(string OperationId, Guid PassId, ReconcilePlan Plan, IReadOnlyList<NodeReconciled> Nodes, ReplicasRepaired Repaired);

/// <summary>Activity: puts a pass on the timeline, with its times.</summary>
internal sealed class ReportReconcile(OperationStore operations, TimelineStore timeline, TimeProvider time)
{
    // An entry is one property of a row, and a cluster may have many nodes.
    private const int MostNamed = 50;

    /// <summary>Reports it.</summary>
    [Function(nameof(ReportReconcile))]
    public async Task RunAsync([ActivityTrigger] ReconcileToReport pass, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var problems = pass.Nodes.Where(n => n.Problem is not null).Select(n => $"{n.NodeId}: {n.Problem}").ToList();
        var skipped = pass.Plan.Skipped.Select(s => $"{s.NodeId} ({Words(s.Reason)})")
            .Concat(pass.Nodes.Where(n => n.Outcome == NodeOutcome.Skipped).Select(n => $"{n.NodeId} (being tried by another)"));
        var summary = $"Reconciled: {pass.Nodes.Count(n => n.Outcome == NodeOutcome.Answered)} nodes, {pass.Nodes.Sum(n => n.Told)} channels to be opened, "
            + $"{pass.Repaired.Channels} channels with changed replicas, skipped: {Names([.. skipped])}, problems: {Names(problems)}.";
        await operations.RecordStepAsync(pass.OperationId, 4, "Report", summary, cancellationToken);
        await timeline.AddAsync(
            new TimelineEntry($"reconcile-{pass.PassId:N}", TimelineKinds.Reconciled, now, summary, pass.OperationId, Times(pass, now)),
            cancellationToken);
        ReconcileMetrics.Record(pass, (now - pass.Plan.StartedAt).TotalMilliseconds);
    }

    // All from the pass's beginning: when the last node that answered was done, when the last one that did not was given up, and the end.
    private static List<TimelineStep> Times(ReconcileToReport pass, DateTimeOffset now)
    {
        var nodes = pass.Nodes.ToLookup(n => n.Outcome == NodeOutcome.Answered);
        return
        [
            new("Answering", Last(nodes[true]), $"{nodes[true].Count()} nodes"),
            new("NotAnswering", Last(nodes[false]), $"{nodes[false].Count()} nodes"),
            new("Replicas", pass.Repaired.ElapsedMs, $"state version {pass.Repaired.Version}"),
            new("Pass", Since(now)),
        ];

        long Last(IEnumerable<NodeReconciled> some) => some.Select(n => Since(n.DoneAt)).DefaultIfEmpty().Max();

        long Since(DateTimeOffset at) => Math.Max(0, (long)(at - pass.Plan.StartedAt).TotalMilliseconds);
    }

    private static string Words(SkipReason reason) => reason switch
    {
        SkipReason.Failed => "failed",
        SkipReason.Removed => "removed",
        SkipReason.Silent => "silent",
        _ => "its circuit is open",
    };

    private static string Names(List<string> names) => names.Count switch
    {
        0 => "none",
        <= MostNamed => string.Join("; ", names),
        _ => $"{string.Join("; ", names.Take(MostNamed))}; and {names.Count - MostNamed} more",
    };
}
