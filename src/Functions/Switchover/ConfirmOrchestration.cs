using Baton.Durable;
using Baton.Functions.Operations;

namespace Baton.Functions.Switchover;

/// <summary>The part of an orchestrator that moves and removals share.</summary>
internal static class ConfirmOrchestration
{
    /// <summary>Looks until nothing is pending, for <see cref="ConfirmMoved.Limit"/> at most.</summary>
    public static async Task<Confirmation> WaitAsync(TaskOrchestrationContext context, SwitchoverRound switchover)
    {
        var began = context.CurrentUtcDateTime;
        for (var round = 0; ; round++)
        {
            var confirmation = await context.CallActivityAsync<Confirmation>(nameof(ConfirmMoved), switchover, Backoff.Storage);
            if (confirmation.Pending == 0 || context.CurrentUtcDateTime - began >= ConfirmMoved.Limit)
            {
                return confirmation;
            }

            await Backoff.Confirmation.WaitAsync(context, round);
        }
    }
}
