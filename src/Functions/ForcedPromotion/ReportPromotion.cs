using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Operations;
using Baton.Core.Replication;
using Baton.Core.Time;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Timeline;

namespace Baton.Functions.ForcedPromotion;

/// <summary>A promotion that is done but for its report.</summary>
internal sealed record PromotionToReport(string OperationId, DateTimeOffset RequestedAt, long BroadcastId, IReadOnlyList<AppendedChannel> Appended);

/// <summary>
/// Activity, step 5 of a promotion. Keeps the report as the operation's result (the first one stays, and the rest is written from it), puts it on the timeline, and makes a
/// tombstone of the promotion's own task. Lock and head row are left to <see cref="FinishOperation"/>.
/// </summary>
internal sealed class ReportPromotion(OperationStore operations, BroadcastStore broadcasts, TimelineStore timeline, TimeProvider time, ILogger<ReportPromotion> logger)
{
    /// <summary>Reports it.</summary>
    [Function(nameof(ReportPromotion))]
    public async Task RunAsync([ActivityTrigger] PromotionToReport promotion, CancellationToken cancellationToken)
    {
        var id = promotion.OperationId;
        await operations.RecordStepAsync(id, PromotionSteps.Report, nameof(PromotionSteps.Report), null, cancellationToken);
        var plan = await operations.ReadNoteAsync<SupplementPlan>(id, PlanSupplement.NoteName, cancellationToken) ?? throw new InvalidOperationException($"Promotion {id} has no plan to report.");
        var steps = await operations.ReadStepsAsync(id, cancellationToken);
        var first = await operations.KeepResultAsync(id, new UpdateResult(UpdateOutcome.Applied, Report(promotion, plan, steps, time.GetUtcNow())), cancellationToken);
        var report = (await operations.ReadResultAsync<UpdateResult>(id, cancellationToken))!.Promotion!;

        var end = promotion.RequestedAt.AddMilliseconds(report.ElapsedMs);
        await timeline.AddAsync(
            new TimelineEntry($"{id}-finished", TimelineKinds.PromotionFinished, end, Summary(report), id, Timings(report.Steps, end)),
            cancellationToken);
        await broadcasts.UpdateAsync(promotion.BroadcastId, t => BroadcastRules.Tombstone(t, time.GetUtcNow()), cancellationToken);
        if (first)
        {
            PromotionMetrics.Finished(report, plan);
            logger.LogInformation("Promotion {OperationId}: {Summary} (forceUpdate=true)", id, Summary(report));
        }
    }

    private static PromotionReport Report(PromotionToReport promotion, SupplementPlan plan, IReadOnlyList<OperationStep> steps, DateTimeOffset now)
    {
        var last = promotion.Appended.Select(ToLastReplicated).ToList();
        var oldest = last.Min(l => l.At);
        var incomplete = plan.LeftIncomplete.Select(b => b.BroadcastId).ToHashSet();
        return new PromotionReport(
            Channels: promotion.Appended.Count,
            TransactionsRolledBack: promotion.Appended.Sum(a => a.RolledBack),
            BroadcastsSupplemented: plan.Steps.Count(s => !incomplete.Contains(s.BroadcastId)),
            BroadcastsIncomplete: [.. incomplete.Order()],
            LastReplicated: last,
            EstimatedLossWindowMs: oldest is { } at ? Math.Max(0, (long)(promotion.RequestedAt - at).TotalMilliseconds) : null,
            ElapsedMs: Math.Max(0, (long)(now - promotion.RequestedAt).TotalMilliseconds),
            Steps: steps);
    }

    private static LastReplicated ToLastReplicated(AppendedChannel appended)
    {
        var channel = VChannels.ChannelOf(appended.VChannel);
        return appended.LastReplicated is { TimeTick: > 0 } checkpoint
            ? new LastReplicated(channel, checkpoint.TimeTick, TimeTicks.ToInstant(checkpoint.TimeTick))
            : new LastReplicated(channel, 0, null);
    }

    private static string Summary(PromotionReport report) =>
        $"Forced promotion done in {report.ElapsedMs} ms: {report.Channels} channels, {report.TransactionsRolledBack} transactions rolled back, "
        + $"{report.BroadcastsSupplemented} broadcasts supplemented, {report.BroadcastsIncomplete.Count} left incomplete.";

    private static List<TimelineStep> Timings(IReadOnlyList<OperationStep> steps, DateTimeOffset end) =>
        [.. steps.Select((s, i) => new TimelineStep(s.Name, Math.Max(0, (long)((i + 1 < steps.Count ? steps[i + 1].At : end) - s.At).TotalMilliseconds), s.Detail))];
}
