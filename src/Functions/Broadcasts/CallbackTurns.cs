using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.ForcedPromotion;
using Baton.Functions.Operations;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;

namespace Baton.Functions.Broadcasts;

/// <summary>
/// Runs callbacks in their order (<see cref="CallbackOrder"/>, case B60). A task whose turn it is not runs the callbacks before its own where their tasks are complete, so that nobody waits for
/// another operation to come round; only one that is still missing somewhere is waited for. Of thousands that become complete at once, the first few to be looked at carry
/// all out, and the others find their tombstones.
/// <para>
/// Several may run the same callback at once, or again after a crash between callback and tombstone: callbacks find their own write. What is before a place is read after the task is
/// complete, places first and locks second: a record that precedes this one in the control vchannel's log belongs to a task that has a place by then, and one created here
/// whose locks are gone by then is finished, or has been given up.
/// </para>
/// </summary>
internal sealed class CallbackTurns(
    BroadcastStore broadcasts, LockStore locks, OperationStore operations, ReplicateConfigurationStore configurations, ConfigurationCallback callback, ClusterOptions cluster, TimeProvider time)
{
    // A round of an operation stays short however many are before it; the next round goes on.
    private const int MaxAhead = 100;

    /// <summary>Runs the callback of a task that is acked everywhere, and makes it a tombstone, if it is its turn.</summary>
    /// <returns>Null when that is done; else the broadcast whose callback it waits for.</returns>
    public async Task<long?> RunAsync(StoredBroadcast complete, CancellationToken cancellationToken)
    {
        if (CallbackOrder.PlaceOf(complete.Task) is { } own && await RunAheadAsync(own, cancellationToken) is { } waitsFor)
        {
            return waitsFor;
        }

        await FinishAsync(complete, cancellationToken);
        return null;
    }

    private async Task<long?> RunAheadAsync(CallbackPlace own, CancellationToken cancellationToken)
    {
        var places = await broadcasts.ListPlacesBeforeAsync(own, MaxAhead + 1, cancellationToken);
        if (places.Count == 0)
        {
            return null;
        }

        var held = await locks.ListAsync(cancellationToken);
        var change = await ChangeUnderWayAsync(held, cancellationToken);
        var secondary = ReplicateRoles.RoleOf((await configurations.ReadAsync(cancellationToken)).Meta.Configuration, cluster.Id) == ClusterRole.Secondary;
        var known = 0;
        foreach (var place in places)
        {
            if (place.ControlTick > 0 && ++known > MaxAhead)
            {
                return place.BroadcastId;
            }

            // Of those created here that are not acked yet, most wait for their locks: no row of theirs need be read.
            if (place.ControlTick == 0 && !HoldsLocks(place.BroadcastId, held, change))
            {
                continue;
            }

            if (await broadcasts.ReadAsync(place.BroadcastId, cancellationToken) is not { } ahead)
            {
                continue;
            }

            switch (CallbackOrder.Of(own, place, ahead.Task, HoldsLocks(place.BroadcastId, held, change), secondary))
            {
                case CallbackAhead.WaitFor:
                    return place.BroadcastId;
                case CallbackAhead.RunFirst:
                    await FinishAsync(ahead, cancellationToken);
                    break;
                case CallbackAhead.PassBy when IsLeft(place, ahead, secondary):
                    // What a promotion left incomplete, or an operation that was given up, is passed by once: the next to come finds no place.
                    await broadcasts.GiveUpPlaceAsync(ahead, cancellationToken);
                    break;
            }
        }

        return null;
    }

    // One whose place is another by now is at work. One that holds no locks yet has no known tick either.
    private static bool IsLeft(CallbackPlace place, StoredBroadcast ahead, bool secondary) =>
        CallbackOrder.PlaceOf(ahead.Task) == place
        && ahead.Task.State switch
        {
            BroadcastState.Replicated => !secondary,
            BroadcastState.Pending => place.ControlTick > 0,
            _ => false,
        };

    private static bool HoldsLocks(long broadcastId, IReadOnlyList<HeldLock> held, long? change) => broadcastId == change || held.Any(h => IsOwner(h, broadcastId));

    // The operations that change the configuration have names of their own; there is one at a time, and it holds the cluster alone. Which broadcast is its own, its note says, which is there before the broadcast's
    // place. Any other change is one that was given up half delivered: who waited for it would wait for ever, with the lock without which nobody completes it.
    private async Task<long?> ChangeUnderWayAsync(IReadOnlyList<HeldLock> held, CancellationToken cancellationToken) =>
        held.FirstOrDefault(h => h is { Domain: ResourceDomain.Cluster, Shared: false })?.Owner is not { } owner ? null
        : (await operations.ReadNoteAsync<AlterNote>(owner, BeginAlter.NoteName, cancellationToken))?.BroadcastId
        ?? (await operations.ReadNoteAsync<Fenced>(owner, FenceIn.NoteName, cancellationToken))?.BroadcastId;

    private static bool IsOwner(HeldLock held, long broadcastId) => string.Equals(held.Owner, BroadcastViews.OperationId(broadcastId), StringComparison.Ordinal);

    private async Task FinishAsync(StoredBroadcast complete, CancellationToken cancellationToken)
    {
        await callback.RunAsync(complete, cancellationToken);
        await broadcasts.UpdateAsync(complete.Task.BroadcastId, t => BroadcastRules.Tombstone(t, time.GetUtcNow()), cancellationToken);
    }
}
