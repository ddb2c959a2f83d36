using Baton.Core.Recovery;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;

namespace Baton.Functions.Recovery;

/// <summary>
/// Runs one recovery session of one replica. What is done, and in which order, <see cref="RecoveryRun"/> says; here is only how: an action is an activity, an answer that does not come is waited for
/// by a durable timer, and so is the end of the budget, beside whatever is under way.
/// <code>
/// step       who changes what, in this order                       a crash leaves
/// Take       TakeRecovery: a lost session's pin, its end           nothing that the next attempt does not find
/// (action)   CarryOutRecovery: the channel's row, its events,      the row says how far the session is; the action was done or not, and is done again: a replica finds done
///            then the replica, or the log's manifest               what is done, a pin replaces itself
/// (end)      CarryOutRecovery: row, events, replica let go;        a session that is over, a replica that is let go of by its own clock
///            FinishOperation: head row
/// </code>
/// An instance that is lost leaves an active session: the operation's next attempt ends it (<see cref="TakeRecovery"/>). Whoever ends a session from outside raises <see cref="Changed"/>; an event that is
/// lost delays the end until the action under way has been answered.
/// </summary>
internal static class RecoverySessionOrchestration
{
    /// <summary>The orchestration's name, and its operations' kind.</summary>
    public const string Name = "RecoverySession";

    /// <summary>The event that says that the session may have ended.</summary>
    public const string Changed = "changed";

    /// <summary>The orchestrator.</summary>
    [Function(Name)]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var input = context.GetInput<RecoverySessionInput>()!;
        var progress = input.Taken ?? await context.CallActivityAsync<RecoveryProgress>(nameof(TakeRecovery), input, Backoff.Storage);
        if (progress.Run is not null)
        {
            progress = await RunAsync(context, progress);
            if (!progress.Run!.IsOver)
            {
                context.ContinueAsNew(input with { Taken = progress });
                return;
            }

            await context.CallActivityAsync<RecoveryAnswer>(nameof(CarryOutRecovery), new RecoveryStep(progress.Run, progress.Unwritten ?? []), Backoff.Storage);
        }

        if (!await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId, RequestsServed: progress.Requests), Backoff.Storage))
        {
            context.ContinueAsNew(input with { Taken = null });
        }
    }

    private static async Task<RecoveryProgress> RunAsync(TaskOrchestrationContext context, RecoveryProgress progress)
    {
        var changed = context.WaitForExternalEvent<string>(Changed);
        for (var round = 0; progress.Run is { IsOver: false } run && round < Backoff.RoundsPerExecution; round++)
        {
            var renews = progress.MustRenewPin(context.CurrentUtcDateTime);
            var action = CarryOutAsync(context, progress, renews);
            progress = progress with { Unwritten = null };
            using var answered = new CancellationTokenSource();
            var deadline = run.Deadline is { } tick ? context.CreateTimer(DateTimeOffset.FromUnixTimeMilliseconds(tick).UtcDateTime, answered.Token) : null;
            while (progress.Run == run)
            {
                // An action that is under way when its session ends is left to itself: its answer is nobody's any more.
                var first = await Task.WhenAny(deadline is null ? [action, changed] : [action, changed, deadline]);
                if (first == action)
                {
                    progress = progress.After(await action, context.CurrentUtcDateTime, renews);
                    break;
                }

                if (first == changed)
                {
                    changed = context.WaitForExternalEvent<string>(Changed);
                    var look = await CarryOutAsync(context, progress, renews: false, lookOnly: true);
                    progress = look.Result == RecoveryResult.Ended ? progress.After(look, context.CurrentUtcDateTime) : progress;
                }
                else
                {
                    deadline = null;
                    progress = progress.Waited(context.CurrentUtcDateTime);
                }
            }

            End(answered);
            if (progress.Run!.Next.Kind == run.Next.Kind && !progress.Run.IsOver)
            {
                // No answer, or a transfer that goes on.
                await (progress.Silences > 0 ? Backoff.Replica : Backoff.Transfer).WaitAsync(context, progress.Silences);
            }
        }

        return progress;
    }

    // At once, and on this turn: what a cancellation sets going must be done before the turn is over.
    private static void End(CancellationTokenSource wait) => wait.Cancel();

    private static Task<RecoveryAnswer> CarryOutAsync(TaskOrchestrationContext context, RecoveryProgress progress, bool renews, bool lookOnly = false) => context.CallActivityAsync<RecoveryAnswer>(
        nameof(CarryOutRecovery),
        new RecoveryStep(progress.Run!, progress.Unwritten ?? [], renews, lookOnly),
        Backoff.Storage);
}
