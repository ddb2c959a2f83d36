using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.ForcedPromotion;

/// <summary>A forced promotion.</summary>
/// <param name="OperationId">Its operation: the same configuration asked for at the same version is the same promotion.</param>
/// <param name="Configuration">The configuration to promote to.</param>
/// <param name="RequestedAt">When it was asked for (UTC).</param>
/// <param name="Appended">Channels that an earlier execution of this instance is done with.</param>
/// <param name="Supplemented">How many broadcasts of the plan an earlier execution of this instance is done with.</param>
internal sealed record PromotionInput(
    string OperationId, Configuration Configuration, DateTimeOffset RequestedAt, IReadOnlyList<AppendedChannel>? Appended = null, int Supplemented = 0);

/// <summary>
/// Promotes a secondary at once, without its primary. Read from top to bottom: this is the whole path of a force update, one activity a line; what an
/// activity writes is told in its own class.
/// <code>
/// step        who changes what, in this order                    a crash leaves
/// FenceIn     FenceIn: step row, lock row (exclusive cluster),   the lock of a running operation: its next attempt enters again. Without note: the
///             note "fence", broadcast task, timeline row         checks run again. With note: the same broadcast id, and no check: it has been decided
/// Append      AppendForcedConfig, per channel: the node's log    promoted channels stay promoted; the next attempt appends again under the same broadcast
///                                                                id, and those channels answer from their log
/// Persist     PersistForcedConfig: the task's acks, then the     acks without configuration: written then. Configuration: known by the operation's id and
///             configuration row, in one conditional write        not written again; nobody else writes it, since the lock is held
/// Supplement  PlanSupplement: note "supplement";                 the plan is what the note says, whatever is complete by then; each round is
///             SupplementBroadcasts, per 100 broadcasts: task     idempotent, and a tombstone is left alone
///             rows (ignored), nodes' logs, task rows (acks,
///             after the callback tombstone), the step's text
/// Report      ReportPromotion: result row, timeline row,         a result means that everything before is done: the next attempt finds it in FenceIn
///             the promotion's own tombstone                      and goes on here
/// (end)       FinishOperation: lock row, head row                no lock, a result, a running head: the next attempt only finishes
/// </code>
/// The result is stored before the lock goes, so an attempt that finds no result still holds the lock. A crash of the handler inside a turn of this
/// orchestrator fails the instance for good: then <see cref="OperationSweep"/> starts the next attempt, from the operation's input.
/// </summary>
internal static class ForcedPromotionOrchestration
{
    /// <summary>The orchestration's name, and its operations' kind.</summary>
    public const string Name = "ForcedPromotion";

    /// <summary>The orchestrator. ContinueAsNew bounds the history; what is done stays done.</summary>
    [Function(Name)]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var promotion = context.GetInput<PromotionInput>()!;

        // 1. FenceIn: alone in the cluster, checked again, broadcast id fixed.
        var fence = await FenceInAsync(context, promotion);
        if (fence is null)
        {
            context.ContinueAsNew(promotion);
            return;
        }

        if (fence.Fenced is { } fenced)
        {
            // 2. Append: every channel gets the forced configuration and is writable from then on.
            var appended = await AppendAsync(context, promotion, fenced);
            if (appended.Count < fenced.Message.VChannels.Count)
            {
                context.ContinueAsNew(promotion with { Appended = appended });
                return;
            }

            // 3. Persist: the cluster is primary for everybody who asks.
            await context.CallActivityAsync(nameof(PersistForcedConfig), new ForcedConfigToPersist(promotion.OperationId, promotion.Configuration, fenced.BroadcastId, appended), Backoff.Storage);

            // 4. Supplement: what the old primary left half delivered is completed.
            var (supplemented, complete) = await SupplementAsync(context, promotion, fenced);
            if (!complete)
            {
                context.ContinueAsNew(promotion with { Appended = appended, Supplemented = supplemented });
                return;
            }

            // 5. Report: what an operator must know, kept with the operation.
            await context.CallActivityAsync(nameof(ReportPromotion), new PromotionToReport(promotion.OperationId, promotion.RequestedAt, fenced.BroadcastId, appended), Backoff.Storage);
        }

        await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(promotion.OperationId, context.InstanceId, fence.Refused), Backoff.Storage);
    }

    private static async Task<FenceState?> FenceInAsync(TaskOrchestrationContext context, PromotionInput promotion)
    {
        for (var round = 0; round < Backoff.RoundsPerExecution; round++)
        {
            var fence = await context.CallActivityAsync<FenceState>(nameof(FenceIn), promotion with { Appended = null, Supplemented = 0 }, Backoff.Storage);
            if (fence.HeldBy is null)
            {
                return fence;
            }

            await Backoff.HeldLock.WaitAsync(context, round);
        }

        return null;
    }

    // In rounds: every channel that is still missing, in parallel; of hundreds, host.json lets 16 run at once in a process (maxConcurrentActivityFunctions), and NodeClient bounds its
    // calls. A channel that is done is never asked again; one that fails is asked without end.
    private static async Task<IReadOnlyList<AppendedChannel>> AppendAsync(TaskOrchestrationContext context, PromotionInput promotion, Fenced fenced)
    {
        List<AppendedChannel> done = [.. promotion.Appended ?? []];
        var total = fenced.Message.VChannels.Count;
        await context.CallActivityAsync(nameof(RecordStep), new StepToRecord(promotion.OperationId, PromotionSteps.Append, nameof(PromotionSteps.Append), $"{done.Count} of {total} channels"), Backoff.Storage);
        for (var round = 0; done.Count < total && round < Backoff.RoundsPerExecution; round++)
        {
            var missing = fenced.Message.VChannels.Where(v => done.TrueForAll(d => d.VChannel != v));
            var results = await Task.WhenAll(missing.Select(v =>
                context.CallActivityAsync<AppendResult>(nameof(AppendForcedConfig), new ForcedConfigToAppend(promotion.OperationId, fenced.BroadcastId, v, fenced.Message), Backoff.Storage)));
            done.AddRange(results.Select(r => r.Appended).OfType<AppendedChannel>());

            var waitingFor = StepText.List([.. results.Where(r => r.Appended is null).Select(r => $"{r.VChannel}: {r.Reason}")]);
            var detail = $"{done.Count} of {total} channels{(waitingFor.Length == 0 ? null : $"; waiting for {waitingFor}")}";
            await context.CallActivityAsync(nameof(RecordStep), new StepToRecord(promotion.OperationId, PromotionSteps.Append, nameof(PromotionSteps.Append), detail), Backoff.Storage);
            if (done.Count < total)
            {
                await Backoff.Append.WaitAsync(context, round);
            }
        }

        return done;
    }

    // A hundred broadcasts an activity, in the order of their ids; the next hundred when those are tombstones.
    private static async Task<(int Supplemented, bool Complete)> SupplementAsync(TaskOrchestrationContext context, PromotionInput promotion, Fenced fenced)
    {
        var plan = await context.CallActivityAsync<SupplementSize>(nameof(PlanSupplement), new SupplementToPlan(promotion.OperationId, fenced.BroadcastId), Backoff.Storage);
        var done = promotion.Supplemented;
        string? lastMissing = null;
        var failures = 0;
        for (var round = 0; done < plan.Broadcasts && round < Backoff.RoundsPerExecution; round++)
        {
            var progress = await context.CallActivityAsync<SupplementProgress>(nameof(SupplementBroadcasts), new ChunkToSupplement(promotion.OperationId, done, lastMissing), Backoff.Storage);
            failures = progress.Done > done ? 0 : failures;
            done = progress.Done;
            if (progress.Missing is not null)
            {
                lastMissing = progress.Missing;
                await Backoff.Append.WaitAsync(context, failures++);
            }
        }

        return (done, done >= plan.Broadcasts);
    }
}

/// <summary>The steps' names, the same in code, API, timeline and docs, and their order.</summary>
internal static class PromotionSteps
{
    /// <summary>Takes the cluster lock and checks again.</summary>
    public const int FenceIn = 1;

    /// <summary>Appends the forced configuration to every channel.</summary>
    public const int Append = 2;

    /// <summary>Writes the configuration.</summary>
    public const int Persist = 3;

    /// <summary>Completes half-delivered broadcasts.</summary>
    public const int Supplement = 4;

    /// <summary>Reports.</summary>
    public const int Report = 5;
}
