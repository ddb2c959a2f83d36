using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Switchover;

namespace Baton.Functions.Rebalance;

/// <summary>A rebalance, and where it is.</summary>
/// <param name="OperationId">Its operation.</param>
/// <param name="Pass">How often copies and leaderships have been gone through.</param>
/// <param name="Round">How many plans of leaderships it has made.</param>
internal sealed record RebalanceInput(string OperationId, int Pass = 0, int Round = 0);

/// <summary>
/// Evens out copies and leaderships over the nodes. The state says what is under way: a copy that is leaving and the one that takes its place, a leader that has not opened yet.
/// <code>
/// step     who changes what, in this order                      a crash leaves
/// Plan     PlanRebalance: step row, note "rebalance"            nothing: the note counts what was to move, for the report
/// Copies   MoveCopies: state row (as any repair, and marks on   marked copies and their targets: any repair goes on with them, and so does the next attempt. No more are begun than may be under way, whoever
///          the next copies), step row                           counts them
/// Leaders  MoveLeaders: step row, state row (new leaders of     no state: nothing has happened. State without note: those leaders learn it from their heartbeats, and the next attempt plans what is
///          a few channels), note "plan"                         left. Note: it is kept to
/// Open     OpenMoved: step row; one call per new leader         leaders that were not told learn it from their heartbeats
/// Confirm  ConfirmMoved: step row                               nothing: the next attempt looks again, for 60 s at most
/// Report   ReportRebalance: state row (no marks) if it failed,  at most the row once more, which is one and the same
///          step row, timeline row
/// (end)    FinishOperation: head row                            a running head: the next attempt finds nothing to move, and ends
/// (given up, by the sweep) RebalanceGivenUp: no marks           a running head: the next sweep does it again
/// </code>
/// A failover in the middle wins: what it has changed is not moved by an older plan, since every step plans on the state as it is. Where leaderships have moved more copies can, so both are gone through again until nothing is left to
/// move, <see cref="MaxPasses"/> times at most. Cancelled (note "cancel"), it begins nothing more, and takes its marks back.
/// </summary>
internal static class RebalanceOrchestration
{
    /// <summary>The orchestration's name, and its operations' kind.</summary>
    public const string Name = "rebalance";

    /// <summary>How often copies and leaderships are gone through. Two passes are enough where nothing else happens, and the third finds nothing.</summary>
    public const int MaxPasses = 5;

    /// <summary>How long copies may go without one more of them being where it belongs.</summary>
    public static readonly TimeSpan CopiesLimit = TimeSpan.FromMinutes(10);

    /// <summary>The orchestrator.</summary>
    [Function(Name)]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var input = context.GetInput<RebalanceInput>()!;
        var planned = await context.CallActivityAsync<RebalanceCounts>(nameof(PlanRebalance), input, Backoff.Storage);
        ApiError? error = null;
        if (planned.Left > 0)
        {
            (error, var again) = await PassAsync(context, input);
            if (again is not null)
            {
                context.ContinueAsNew(again);
                return;
            }
        }

        await context.CallActivityAsync(nameof(ReportRebalance), new RebalanceToReport(input.OperationId, error), Backoff.Storage);
        await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId, error), Backoff.Storage);
    }

    // One pass an execution; one with many leaderships takes several.
    private static async Task<(ApiError? Error, RebalanceInput? Again)> PassAsync(TaskOrchestrationContext context, RebalanceInput input)
    {
        if (await CopiesAsync(context, input) is { } stuck)
        {
            return (stuck, null);
        }

        for (var round = 0; round < Backoff.RoundsPerExecution / 2; round++)
        {
            var next = new SwitchoverRound(input.OperationId, input.Round + round);
            var moved = await context.CallActivityAsync<LeadersMoved>(nameof(MoveLeaders), next, Backoff.Storage);
            if (moved.Cancelled)
            {
                return (Cancelled, null);
            }

            if (moved.Moves > 0)
            {
                await context.CallActivityAsync(nameof(OpenMoved), next, Backoff.Storage);
                var confirmation = await ConfirmOrchestration.WaitAsync(context, next);
                if (confirmation.Pending > 0)
                {
                    return (ConfirmMoved.Unconfirmed(confirmation), null);
                }
            }
            else if (moved.Left == 0)
            {
                return (null, null);
            }
            else if (input.Pass + 1 == MaxPasses)
            {
                return (new ApiError(ApiErrorCode.Unavailable, $"After {MaxPasses} passes {moved.Left} moves are left, since the cluster went on changing, or nodes that are to lead are silent: ask again."), null);
            }
            else
            {
                // A node that is silent is heard of again by then, or will soon be no member that counts.
                await Backoff.Copies.WaitAsync(context, input.Pass + 2);
                return (null, input with { Pass = input.Pass + 1, Round = next.Round + 1 });
            }
        }

        return (null, input with { Round = input.Round + (Backoff.RoundsPerExecution / 2) });
    }

    private static async Task<ApiError?> CopiesAsync(TaskOrchestrationContext context, RebalanceInput input)
    {
        var (fewest, since) = (int.MaxValue, context.CurrentUtcDateTime);
        for (var look = 0; ; look++)
        {
            var copies = await context.CallActivityAsync<CopiesMoving>(nameof(MoveCopies), input, Backoff.Storage);
            if (copies.Cancelled)
            {
                return Cancelled;
            }

            if (copies.Left == 0)
            {
                return null;
            }

            if (copies.Left < fewest)
            {
                (fewest, since, look) = (copies.Left, context.CurrentUtcDateTime, 0);
            }
            else if (context.CurrentUtcDateTime - since >= CopiesLimit)
            {
                return new ApiError(
                    ApiErrorCode.Unavailable,
                    $"For {CopiesLimit.TotalMinutes:0} min no further copy has come in sync where it was to be ({copies.Waiting}). See GET /api/recovery/replicas for why, and ask again.");
            }

            await Backoff.Copies.WaitAsync(context, look);
        }
    }

    private static ApiError Cancelled => ApiError.Conflict("The rebalance was cancelled: what has moved stays where it is.");
}
