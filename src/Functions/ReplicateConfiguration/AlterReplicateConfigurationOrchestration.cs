using Baton.Durable;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>A normal update.</summary>
/// <param name="OperationId">Its operation.</param>
/// <param name="Configuration">The configuration wanted.</param>
/// <param name="OfSecondary">
/// It was asked of a secondary, where it means "wait until this arrives". If a promotion comes before it gets the lock, it must not become an order to the new primary.
/// </param>
internal sealed record AlterInput(string OperationId, Configuration Configuration, bool OfSecondary = false);

/// <summary>
/// A normal update of the replicate configuration. Which of the two ways it goes is decided by the role, under the lock.
/// <code>
/// step            who changes what                              a crash leaves
/// Begin           BeginAlter: lock row, note, task row          the lock of a running operation, perhaps a note: the next attempt enters again and
///                                                               makes the task with the same id
/// Broadcast       DeliverBroadcast: nodes' logs, acks, then     whatever was appended; the next attempt appends the rest, and the callback finds
/// (primary)       the callback's configuration row, tombstone   its own write
/// WaitForArrival  nobody here: the callback of the broadcast    nothing: the next attempt looks again. No lock is held, so that a promotion
/// (secondary)     that comes by replication                     can overtake; then this fails with Conflict
/// Finish          KeepAlterResult: result row; FinishOperation: a result without an end: the next attempt finds it and only finishes. The result is
///                 lock row, head row                            stored before the lock goes: who finds none still holds it
/// </code>
/// </summary>
internal static class AlterReplicateConfigurationOrchestration
{
    /// <summary>The orchestration's name.</summary>
    public const string Name = "AlterReplicateConfiguration";

    /// <summary>The orchestrator.</summary>
    [Function(Name)]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var input = context.GetInput<AlterInput>()!;
        var begun = await context.CallActivityAsync<AlterBegun>(nameof(BeginAlter), input, Backoff.Storage);
        for (var round = 0; begun.HeldBy is not null; round++)
        {
            if (round == Backoff.RoundsPerExecution)
            {
                context.ContinueAsNew(input);
                return;
            }

            await Backoff.HeldLock.WaitAsync(context, round);
            begun = await context.CallActivityAsync<AlterBegun>(nameof(BeginAlter), input, Backoff.Storage);
        }

        if (begun.Refused is not null || begun.Ended)
        {
            await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId, begun.Refused), Backoff.Storage);
            return;
        }

        var end = begun.BroadcastId is { } broadcastId
            ? await BroadcastAsync(context, input, broadcastId)
            : await WaitForArrivalAsync(context, input);
        if (end is null)
        {
            context.ContinueAsNew(input);
            return;
        }

        if (end.Error is null)
        {
            await context.CallActivityAsync(nameof(KeepAlterResult), input, Backoff.Storage);
        }

        await context.CallActivityAsync<bool>(nameof(FinishOperation), end, Backoff.Storage);
    }

    private static async Task<OperationEnd?> BroadcastAsync(TaskOrchestrationContext context, AlterInput input, long broadcastId)
    {
        await context.CallActivityAsync(nameof(RecordStep), new StepToRecord(input.OperationId, 2, "Broadcast"), Backoff.Storage);
        var delivered = await BroadcastRounds.DeliverAsync(context, new BroadcastDelivery(input.OperationId, broadcastId), 2, "Broadcast");
        return delivered ? new OperationEnd(input.OperationId, context.InstanceId) : null;
    }

    private static async Task<OperationEnd?> WaitForArrivalAsync(TaskOrchestrationContext context, AlterInput input)
    {
        for (var round = 0; round < Backoff.RoundsPerExecution; round++)
        {
            var arrival = await context.CallActivityAsync<ArrivalState>(nameof(CheckArrival), input, Backoff.Storage);
            if (arrival.Arrived || arrival.Overtaken is not null)
            {
                return new OperationEnd(input.OperationId, context.InstanceId, arrival.Overtaken);
            }

            await Backoff.Arrival.WaitAsync(context, round);
        }

        return null;
    }
}
