using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.Hosting;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;

namespace Baton.Functions.Broadcasts;

/// <summary>What became of an attempt to take a broadcast's locks.</summary>
/// <param name="HeldBy">Who is in the way; null when they are held now, or not needed.</param>
/// <param name="Refused">The broadcast cannot be carried out any more.</param>
internal sealed record BroadcastLocks(IReadOnlyList<string>? HeldBy = null, ApiError? Refused = null);

/// <summary>
/// Activity: takes the locks of a pending task as its operation, then looks at the cluster's role under them. On a cluster that has become a secondary meanwhile nothing more
/// can be appended, so nothing is held: a broadcast must not stand in the way of the promotion that completes it. What nobody has appended yet is refused; what is half delivered waits
/// without locks; what is acked everywhere needs none for its callback.
/// </summary>
internal sealed class TakeBroadcastLocks(BroadcastStore broadcasts, LockStore locks, ReplicateConfigurationStore configurations, ClusterOptions cluster, TimeProvider time)
{
    /// <summary>One attempt.</summary>
    [Function(nameof(TakeBroadcastLocks))]
    public async Task<BroadcastLocks> RunAsync([ActivityTrigger] BroadcastInput input, CancellationToken cancellationToken)
    {
        var task = (await broadcasts.ReadUnlessCollectedAsync(input.BroadcastId, cancellationToken))?.Task;
        if (task is not { State: BroadcastState.Pending })
        {
            return new BroadcastLocks();
        }

        if (await locks.TryAcquireAsync(input.OperationId, ResourceLocks.KeysOf(task.Message.ResourceKeys), cancellationToken) is { } heldBy)
        {
            return new BroadcastLocks(HeldBy: heldBy);
        }

        var stored = await configurations.ReadAsync(cancellationToken);
        if (ReplicateRoles.RoleOf(stored.Meta.Configuration, cluster.Id) != ClusterRole.Secondary)
        {
            return new BroadcastLocks();
        }

        if (task.Acks.Count > 0)
        {
            await locks.ReleaseAsync(input.OperationId, cancellationToken);
            return BroadcastRules.AllAcked(task) ? new BroadcastLocks() : new BroadcastLocks(HeldBy: ["this cluster to be a primary again, or to be promoted"]);
        }

        await broadcasts.UpdateAsync(input.BroadcastId, t => BroadcastRules.Refuse(t, time.GetUtcNow()), cancellationToken);
        return new BroadcastLocks(Refused: ApiError.ReplicateViolation("This cluster became a secondary before the broadcast began."));
    }
}
