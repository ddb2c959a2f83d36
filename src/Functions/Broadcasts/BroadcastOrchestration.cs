using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;

namespace Baton.Functions.Broadcasts;

/// <summary>A broadcast to carry out.</summary>
internal sealed record BroadcastInput(string OperationId, long BroadcastId);

/// <summary>
/// Carries one broadcast out: one created here, or one that came by replication and has been acked everywhere.
/// <code>
/// step     who changes what                                 a crash leaves
/// Lock     TakeBroadcastLocks: lock row, as the operation   locks of a running operation: its next attempt enters again
/// Deliver  DeliverBroadcast: nodes' logs, then task row     appended records without ack: appended again, answered from the log
///          (acks; in its turn callback and tombstone)       acks without callback: the callback runs; callback without tombstone: it finds its own write
/// Finish   FinishOperation: lock row, then head row         a running operation without locks: the next attempt finds a tombstone and ends
/// </code>
/// The cluster may become a secondary while this goes on. Then it lets go of its locks, whatever it has appended, and waits: a promotion must not find them in its way, and completes
/// the broadcast itself.
/// </summary>
internal static class BroadcastOrchestration
{
    /// <summary>The orchestrator.</summary>
    [Function("Broadcast")]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var input = context.GetInput<BroadcastInput>()!;
        await context.CallActivityAsync(nameof(RecordStep), new StepToRecord(input.OperationId, 1, "Lock"), Backoff.Storage);
        string? said = null;
        for (var round = 0; ; round++)
        {
            var locks = await context.CallActivityAsync<BroadcastLocks>(nameof(TakeBroadcastLocks), input, Backoff.Storage);
            if (locks.Refused is { } refused)
            {
                await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId, refused), Backoff.Storage);
                return;
            }

            if (locks.HeldBy is null)
            {
                break;
            }

            if (round == Backoff.RoundsPerExecution)
            {
                context.ContinueAsNew(input);
                return;
            }

            var waiting = $"waiting for {string.Join(", ", locks.HeldBy)}";
            if (waiting != said)
            {
                await context.CallActivityAsync(nameof(RecordStep), new StepToRecord(input.OperationId, 1, "Lock", waiting), Backoff.Storage);
                said = waiting;
            }

            await Backoff.HeldLock.WaitAsync(context, round);
        }

        await context.CallActivityAsync(nameof(RecordStep), new StepToRecord(input.OperationId, 2, "Deliver"), Backoff.Storage);
        if (!await BroadcastRounds.DeliverAsync(context, new BroadcastDelivery(input.OperationId, input.BroadcastId), 2, "Deliver"))
        {
            context.ContinueAsNew(input);
            return;
        }

        await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId), Backoff.Storage);
    }
}

/// <summary>Rounds of delivery, for every orchestration that delivers a broadcast.</summary>
internal static class BroadcastRounds
{
    /// <summary>
    /// Delivers until nothing is missing, saying in step <paramref name="stepName"/> what is. False when the history has grown long enough: the
    /// orchestration is to begin afresh, and nothing of what is delivered is lost.
    /// </summary>
    public static async Task<bool> DeliverAsync(TaskOrchestrationContext context, BroadcastDelivery delivery, int stepNumber, string stepName)
    {
        for (var round = 0; round < Backoff.RoundsPerExecution; round++)
        {
            var progress = await context.CallActivityAsync<DeliveryProgress>(nameof(DeliverBroadcast), delivery, Backoff.Storage);
            if (progress.Done)
            {
                return true;
            }

            var waiting = $"broadcast {delivery.BroadcastId} {progress.Describe()}";
            await context.CallActivityAsync(nameof(RecordStep), new StepToRecord(delivery.OperationId, stepNumber, stepName, waiting), Backoff.Storage);
            if (progress.Overtaken)
            {
                return false;
            }

            await Backoff.Append.WaitAsync(context, round);
        }

        return false;
    }
}
