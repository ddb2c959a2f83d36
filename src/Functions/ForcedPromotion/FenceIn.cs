using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.ForcedPromotion;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;

namespace Baton.Functions.ForcedPromotion;

/// <summary>A promotion that is alone in the cluster and decided.</summary>
/// <param name="BroadcastId">The id that every append of it carries.</param>
/// <param name="Message">The forced configuration as a message, to every channel that the cluster had when it was decided.</param>
internal sealed record Fenced(long BroadcastId, BroadcastMessage Message);

/// <summary>What became of fencing in. Exactly one of three, or none of them: then there is nothing left but to finish.</summary>
/// <param name="HeldBy">Not yet: these operations hold the lock.</param>
/// <param name="Fenced">It may go on.</param>
/// <param name="Refused">A check failed under the lock.</param>
internal sealed record FenceState(IReadOnlyList<string>? HeldBy = null, Fenced? Fenced = null, ApiError? Refused = null);

/// <summary>
/// Activity, step 1 of a promotion. Writes, in this order: the step; the lock, as the operation; the note "fence", which fixes broadcast id and channels; the
/// task of the forced configuration, pending; the first timeline row. Whatever it was interrupted at, doing it again writes what is missing:
/// before the note the checks run again (an id allocated in vain is never used), after it they do not, since appends may have begun.
/// </summary>
internal sealed class FenceIn(
    OperationStore operations,
    LockStore locks,
    BroadcastStore broadcasts,
    ReplicateConfigurationStore configurations,
    ClusterStateStore states,
    TimelineStore timeline,
    ForceUpdateOptions forceUpdate,
    ClusterOptions cluster,
    TimeProvider time,
    ILogger<FenceIn> logger)
{
    /// <summary>The note that holds the <see cref="Fenced"/>.</summary>
    public const string NoteName = "fence";

    /// <summary>One attempt to fence in.</summary>
    [Function(nameof(FenceIn))]
    public async Task<FenceState> RunAsync([ActivityTrigger] PromotionInput promotion, CancellationToken cancellationToken)
    {
        var id = promotion.OperationId;
        await operations.RecordStepAsync(id, PromotionSteps.FenceIn, nameof(PromotionSteps.FenceIn), null, cancellationToken);

        // An attempt before this one stored the result: everything is done, and the lock may be somebody else's by now.
        if (await operations.ReadResultAsync<UpdateResult>(id, cancellationToken) is not null)
        {
            return new FenceState();
        }

        if (await locks.TryAcquireAsync(id, ResourceLocks.ExclusiveCluster, cancellationToken, first: true) is { } heldBy)
        {
            await operations.RecordStepAsync(id, PromotionSteps.FenceIn, nameof(PromotionSteps.FenceIn), $"waiting for {string.Join(", ", heldBy)}", cancellationToken);
            return new FenceState(HeldBy: heldBy);
        }

        var fenced = await operations.ReadNoteAsync<Fenced>(id, NoteName, cancellationToken);
        if (fenced is null)
        {
            var state = (await states.ReadAsync(cancellationToken)).State;
            var meta = (await configurations.ReadAsync(cancellationToken)).Meta;
            switch (ForceUpdateCheck.Check(promotion.Configuration, meta, cluster.Id, forceUpdate.Enabled))
            {
                case ForceUpdateDecision.Refused(var error):
                    return new FenceState(Refused: error);
                case ForceUpdateDecision.Unchanged:
                    await operations.KeepResultAsync(id, new UpdateResult(UpdateOutcome.Unchanged), cancellationToken);
                    return new FenceState();
                default:
                    var message = ConfigurationMessage.Forced(state, promotion.Configuration);
                    fenced = await operations.KeepNoteAsync(id, NoteName, new Fenced(await broadcasts.AllocateIdAsync(cancellationToken), message), cancellationToken);
                    break;
            }
        }

        await broadcasts.AddAsync(BroadcastRules.Create(fenced.BroadcastId, fenced.Message, time.GetUtcNow()), cancellationToken);
        await timeline.AddAsync(
            new TimelineEntry(
                $"{id}-started",
                TimelineKinds.PromotionStarted,
                promotion.RequestedAt,
                $"Forced promotion of cluster {cluster.Id} begins: {fenced.Message.VChannels.Count} channels, broadcast {fenced.BroadcastId}.",
                id),
            cancellationToken);
        logger.LogInformation("Promotion {OperationId} is fenced in: broadcast {BroadcastId}, {Channels} channels (forceUpdate=true)", id, fenced.BroadcastId, fenced.Message.VChannels.Count);
        return new FenceState(Fenced: fenced);
    }
}
