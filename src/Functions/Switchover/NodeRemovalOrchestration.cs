using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Timeline;

namespace Baton.Functions.Switchover;

/// <summary>A removal.</summary>
/// <param name="OperationId">Its operation.</param>
/// <param name="NodeId">The node.</param>
internal sealed record RemovalInput(string OperationId, string NodeId);

/// <summary>
/// Takes a node out of the cluster: first everything that it leads, then, once others are in sync, its copies with its membership. It lives and serves until others have fenced it.
/// <code>
/// step     who changes what, in this order                   a crash leaves
/// Drain    DrainNode: step row, state row (draining, new      no state: nothing has happened. State without note: the next attempt takes from the node's
///          leaders), note "plan"                              heartbeat what it still serves. The node may be given nothing until this ends
/// Open     OpenMoved: step row; one call per new leader       leaders that were not told learn it from their heartbeats
/// Confirm  ConfirmMoved: step row                             nothing: the next attempt looks again, for 60 s at most
/// Replicas AwaitReplicas: state row (as any repair), step row  copies that fill: repairs go on with them. The next attempt looks again
/// Remove   RemoveMember: step row, state row (removed)        a removed node: the next attempt finds it so and reports
/// Report   ReportSwitchover: step row, timeline row,          at most a further pass of reconciliation, which drops the node's copies and makes others
///          reconcile's head row
/// (end)    FinishOperation: head row                          a running head: the next attempt finds the node removed, and ends
/// (failed) UndrainNode: state row (not draining)              a draining node, until the next attempt has failed as well
/// (given up, by the sweep) RemovalGivenUp: the same           a running head: the next sweep does it again
/// </code>
/// A failover in the middle wins. Where it gave channels back to this node, for want of another, they are moved again, <see cref="MaxRounds"/> times at most; then, as whenever it fails, the
/// draining is taken back, so that the node is a member as before.
/// </summary>
internal static class NodeRemovalOrchestration
{
    /// <summary>The orchestration's name, and its operations' kind.</summary>
    public const string Name = "remove-node";

    /// <summary>How often a node is drained that has come to lead again.</summary>
    public const int MaxRounds = 3;

    /// <summary>How long the copies may take to come in sync elsewhere, in each round.</summary>
    public static readonly TimeSpan ReplicasLimit = TimeSpan.FromMinutes(10);

    /// <summary>The orchestrator.</summary>
    [Function(Name)]
    public static async Task RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        var input = context.GetInput<RemovalInput>()!;
        ApiError? error = null;
        for (var round = 0; round < MaxRounds; round++)
        {
            (error, var again) = await RemoveAsync(context, input, new SwitchoverRound(input.OperationId, round));
            if (!again)
            {
                break;
            }
        }

        if (error is null)
        {
            await context.CallActivityAsync(nameof(ReportSwitchover), new SwitchoverToReport(input.OperationId, TimelineKinds.NodeRemoved, $"Node {input.NodeId} was removed."), Backoff.Storage);
        }
        else
        {
            await context.CallActivityAsync(nameof(UndrainNode), input.NodeId, Backoff.Storage);
        }

        await context.CallActivityAsync<bool>(nameof(FinishOperation), new OperationEnd(input.OperationId, context.InstanceId, error), Backoff.Storage);
    }

    private static async Task<(ApiError? Error, bool Again)> RemoveAsync(TaskOrchestrationContext context, RemovalInput input, SwitchoverRound round)
    {
        var drained = await context.CallActivityAsync<Planned>(nameof(DrainNode), new NodeToDrain(input.OperationId, round.Round, input.NodeId), Backoff.Storage);
        if (drained.Refused is not null || drained.AlreadyRemoved)
        {
            return (drained.Refused, false);
        }

        await context.CallActivityAsync(nameof(OpenMoved), round, Backoff.Storage);
        var confirmation = await ConfirmOrchestration.WaitAsync(context, round);
        if (confirmation.Pending > 0)
        {
            return (ConfirmMoved.Unconfirmed(confirmation), false);
        }

        if (await ReplicasAsync(context, input, round) is { } behind)
        {
            return (behind, false);
        }

        var removed = await context.CallActivityAsync<MemberRemoved>(nameof(RemoveMember), new MemberToRemove(input.OperationId, input.NodeId), Backoff.Storage);
        return (removed.Refused, removed.Refused is not null);
    }

    // 300 looks at most, and a history of as many small entries: no reason to begin afresh.
    private static async Task<ApiError?> ReplicasAsync(TaskOrchestrationContext context, RemovalInput input, SwitchoverRound round)
    {
        var began = context.CurrentUtcDateTime;
        for (var look = 0; ; look++)
        {
            var needed = await context.CallActivityAsync<CopiesNeeded>(nameof(AwaitReplicas), new NodeToDrain(input.OperationId, round.Round, input.NodeId), Backoff.Storage);
            if (needed.Channels == 0)
            {
                return null;
            }

            if (context.CurrentUtcDateTime - began >= ReplicasLimit)
            {
                return new ApiError(
                    ApiErrorCode.Unavailable,
                    $"Without node '{input.NodeId}' {needed.Channels} channels would have fewer live copies: within {ReplicasLimit.TotalMinutes:0} min the others have not come in sync ({needed.Waiting}). See GET /api/recovery/replicas for why, and ask again.");
            }

            await Backoff.Copies.WaitAsync(context, look);
        }
    }
}
