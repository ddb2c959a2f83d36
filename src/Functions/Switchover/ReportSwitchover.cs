using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Reconcile;
using Baton.Functions.Timeline;

namespace Baton.Functions.Switchover;

/// <summary>A switchover that is done but for its report.</summary>
/// <param name="OperationId">Its operation.</param>
/// <param name="Kind">Its timeline kind.</param>
/// <param name="Summary">What happened, for operators.</param>
internal sealed record SwitchoverToReport(string OperationId, string Kind, string Summary);

/// <summary>
/// Activity, the last step: puts it on the timeline, and asks for a reconciliation, which makes the copies follow. It asks by the operation's row alone, since an activity has no client of the
/// engine: <see cref="OperationSweep"/> starts it within seconds, and nothing is in a hurry by now.
/// </summary>
internal sealed class ReportSwitchover(OperationStore operations, TimelineStore timeline)
{
    /// <summary>Reports it.</summary>
    [Function(nameof(ReportSwitchover))]
    public async Task RunAsync([ActivityTrigger] SwitchoverToReport report, CancellationToken cancellationToken)
    {
        var head = await operations.ReadHeadAsync(report.OperationId, cancellationToken) ?? throw new InvalidOperationException($"There is no operation {report.OperationId}.");
        await operations.RecordStepAsync(report.OperationId, SwitchoverSteps.Report, nameof(SwitchoverSteps.Report), report.Summary, cancellationToken);
        await timeline.AddAsync(new TimelineEntry($"{report.OperationId}-{head.FirstAttempt}", report.Kind, head.StartedAt, report.Summary, report.OperationId), cancellationToken);
        await operations.RequestAsync(
            RoutineReconcile.OperationId, ReconcileOrchestration.Name, new ReconcileInput(RoutineReconcile.OperationId), OperationStarter.Always, cancellationToken);
    }
}
