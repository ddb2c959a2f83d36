using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Timeline;

namespace Baton.Functions.Switchover;

/// <summary>A move.</summary>
/// <param name="OperationId">Its operation.</param>
/// <param name="Channel">The channel.</param>
/// <param name="To">The node that is to lead it.</param>
internal sealed record MoveInput(string OperationId, string Channel, string To);

/// <summary>
/// Gives a channel to another node while everybody lives. The former leader serves until the new one has fenced it in the log, so nothing is refused for longer than an opening takes.
/// <code>
/// step     who changes what, in this order                   a crash leaves
/// Plan     PlanMove: step row, state row, note "plan"         no state: nothing has happened, and the checks run again. State without note: the channel is
///                                                             where it should be, and that is noted. Note: it is kept to, whatever has become of the channel
/// Open     OpenMoved: step row; one call to the new leader    an open channel, or not: then the leader learns it from its heartbeat
/// Confirm  ConfirmMoved: step row                             nothing: the next attempt looks again, for 60 s at most
/// Report   ReportSwitchover: step row, timeline row,          at most a further pass of reconciliation
///          reconcile's head row
/// (end)    FinishOperation: head row                          a running head: the next attempt goes through the steps and changes nothing
/// </code>
/// A failover in the middle wins: the channel is where the failover put it, and the operation fails and says so. The engine counts one attempt more after each lost instance
/// (<see cref="OperationSweep"/>).
/// </summary>
internal static class ChannelMoveOrchestration
{
    /// <summary>The orchestration's name, and its operations' kind.</summary>
    public const string Name = "move";

    /// <summary>The orchestrator.</summary>
    [Function(Name)]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var input = context.GetInput<MoveInput>()!;
        var planned = await context.CallActivityAsync<Planned>(nameof(PlanMove), input, Backoff.Storage);
        var error = planned.Refused ?? await CarryOutAsync(context, input);
        await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId, error), Backoff.Storage);
    }

    private static async Task<ApiError?> CarryOutAsync(TaskOrchestrationContext context, MoveInput input)
    {
        var round = new SwitchoverRound(input.OperationId, 0);
        await context.CallActivityAsync(nameof(OpenMoved), round, Backoff.Storage);
        var confirmation = await ConfirmOrchestration.WaitAsync(context, round);
        var error = confirmation switch
        {
            { Superseded.Length: > 0 } => ApiError.Conflict($"A failover came in between: channel {confirmation.Superseded}. Ask again if it is still to move."),
            { Pending: > 0 } => ConfirmMoved.Unconfirmed(confirmation),
            _ => null,
        };
        var summary = $"Channel {input.Channel} was moved to node {input.To}{(error is null ? "." : $", but: {error.Detail}")}";
        await context.CallActivityAsync(nameof(ReportSwitchover), new SwitchoverToReport(input.OperationId, TimelineKinds.Moved, summary), Backoff.Storage);
        return error;
    }
}
