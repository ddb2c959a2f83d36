using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Topology;

namespace Baton.Functions.ForcedPromotion;

/// <summary>A promotion whose supplementation is to be planned.</summary>
internal sealed record SupplementToPlan(string OperationId, long BroadcastId);

/// <summary>What a promotion completes: the note "supplement". Some 70 bytes a broadcast, a tenth of it compressed: tens of thousands fit its row.</summary>
/// <param name="Steps">The broadcasts, in the order of their ids.</param>
/// <param name="LeftIncomplete">Those that stay incomplete: because supplementation is switched off, or, and then they are among the steps too, on channels that this cluster does not have.</param>
internal sealed record SupplementPlan(IReadOnlyList<SupplementedBroadcast> Steps, IReadOnlyList<SupplementedBroadcast> LeftIncomplete);

/// <summary>What an orchestration needs to know of the plan; the plan itself would go through its history at every turn.</summary>
/// <param name="Broadcasts">How many there are to complete.</param>
internal sealed record SupplementSize(int Broadcasts);

/// <summary>One broadcast to complete.</summary>
/// <param name="BroadcastId">Which.</param>
/// <param name="Kind">What it does.</param>
/// <param name="VChannels">How many vchannels were without it.</param>
/// <param name="MarkIgnored">It is a stale change of configuration.</param>
internal sealed record SupplementedBroadcast(long BroadcastId, string Kind, int VChannels, bool MarkIgnored);

/// <summary>
/// Activity, first part of step 4 of a promotion: what is incomplete, kept as the note "supplement", so that every attempt completes (and the report counts) the same
/// broadcasts. After step 2 no more can turn up: the nodes have acked what they had, and accept nothing from the old primary.
/// </summary>
internal sealed class PlanSupplement(OperationStore operations, BroadcastStore broadcasts, ClusterStateStore states, ForceUpdateOptions forceUpdate, ILogger<PlanSupplement> logger)
{
    /// <summary>The note that holds the <see cref="SupplementPlan"/>.</summary>
    public const string NoteName = "supplement";

    /// <summary>Plans it.</summary>
    [Function(nameof(PlanSupplement))]
    public async Task<SupplementSize> RunAsync([ActivityTrigger] SupplementToPlan promotion, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(promotion.OperationId, PromotionSteps.Supplement, nameof(PromotionSteps.Supplement), null, cancellationToken);
        if (await operations.ReadNoteAsync<SupplementPlan>(promotion.OperationId, NoteName, cancellationToken) is { } planned)
        {
            return new SupplementSize(planned.Steps.Count);
        }

        var state = (await states.ReadAsync(cancellationToken)).State;
        var incomplete = BroadcastRules.Supplement(await broadcasts.ListIncompleteAsync(cancellationToken), promotion.BroadcastId)
            .Select(s => (
                Broadcast: new SupplementedBroadcast(s.Task.BroadcastId, s.Task.Message.Kind, s.PendingVChannels.Count, s.MarkIgnored),
                LacksChannel: s.PendingVChannels.Any(v => !state.HasPChannel(VChannels.ChannelOf(v)))))
            .ToList();
        List<SupplementedBroadcast> all = [.. incomplete.Select(i => i.Broadcast)];
        var plan = forceUpdate.Supplement ? new SupplementPlan(all, [.. incomplete.Where(i => i.LacksChannel).Select(i => i.Broadcast)]) : new SupplementPlan([], all);
        foreach (var step in plan.Steps)
        {
            logger.LogInformation(
                "Promotion {OperationId}: broadcast {BroadcastId} is missing on {VChannels} vchannels (forceUpdate=true)",
                promotion.OperationId, step.BroadcastId, step.VChannels);
        }

        var kept = await operations.KeepNoteAsync(promotion.OperationId, NoteName, plan, cancellationToken);
        return new SupplementSize(kept.Steps.Count);
    }
}
