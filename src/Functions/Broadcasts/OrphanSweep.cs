using Baton.Core.Broadcasts;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;

namespace Baton.Functions.Broadcasts;

/// <summary>
/// Begins broadcasts whose task was stored and whose operation was never asked for, since the process that took the request died in between. They would stay half made, and a node of another
/// cluster would wait for them in vain. Their requests had no answer, so whoever sent one may send it again: the same task, the same operation.
/// </summary>
internal sealed class OrphanSweep(BroadcastStore broadcasts, OperationStore operations, OperationStarter starter, TimeProvider time, ILogger<OrphanSweep> logger)
{
    /// <summary>How old a task must be: a younger one is about to be begun by whoever stored it. Begun twice does no harm.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private const int MaxPerRun = 1_000;

    /// <summary>One run.</summary>
    [Function("OrphanSweep")]
    public async Task RunAsync([TimerTrigger("%OperationSweepSchedule%")] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();

        // A change of configuration is made by an operation, which is there before its task.
        foreach (var task in (await broadcasts.ListAsync(BroadcastState.Pending, MaxPerRun, cancellationToken)).Where(t => !BroadcastRules.IsConfigChange(t.Message) && now - t.CreatedAt >= Grace))
        {
            var id = BroadcastViews.OperationId(task.BroadcastId);
            if (await operations.ReadHeadAsync(id, cancellationToken) is null)
            {
                logger.LogWarning("Broadcast {BroadcastId} was stored and never begun: it begins now", task.BroadcastId);
                await starter.RequestAsync(client, id, "Broadcast", new BroadcastInput(id, task.BroadcastId), OperationStarter.UnlessSucceeded, cancellationToken);
            }
        }
    }
}
