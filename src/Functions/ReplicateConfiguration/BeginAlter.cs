using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Settings;
using Baton.Functions.Topology;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>How a normal update goes on.</summary>
/// <param name="HeldBy">Not yet: the cluster lock is held.</param>
/// <param name="Ended">Nothing more to do: it is in force, or was before.</param>
/// <param name="Refused">It cannot be done.</param>
/// <param name="BroadcastId">On the primary: the broadcast to deliver. Null on a secondary: the configuration arrives by replication.</param>
internal sealed record AlterBegun(IReadOnlyList<string>? HeldBy = null, bool Ended = false, ApiError? Refused = null, long? BroadcastId = null);

/// <summary>
/// Which way the first attempt took, by the role it found. Every later one keeps to it: an update that waits on a secondary must not turn into one that
/// a newly promoted primary carries out.
/// </summary>
/// <param name="BroadcastId">The broadcast of a primary's update; null when a secondary waits.</param>
internal sealed record AlterNote(long? BroadcastId);

/// <summary>
/// Activity: takes the exclusive cluster lock, looks at role, equality and validity under it, and on a primary makes the broadcast. The note in
/// the operation fixes the broadcast's id before its task is made, so a crash in between makes the same task at the next attempt.
/// </summary>
internal sealed class BeginAlter(
    OperationStore operations,
    LockStore locks,
    BroadcastStore broadcasts,
    ReplicateConfigurationStore configurations,
    ClusterStateStore states,
    ClusterOptions cluster,
    TimeProvider time)
{
    /// <summary>The note that holds the <see cref="AlterNote"/>.</summary>
    public const string NoteName = "way";

    /// <summary>One attempt.</summary>
    [Function(nameof(BeginAlter))]
    public async Task<AlterBegun> RunAsync([ActivityTrigger] AlterInput input, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(input.OperationId, 1, "Begin", null, cancellationToken);
        if (await operations.ReadResultAsync<UpdateResult>(input.OperationId, cancellationToken) is not null)
        {
            return new AlterBegun(Ended: true);
        }

        var taken = await operations.ReadNoteAsync<AlterNote>(input.OperationId, NoteName, cancellationToken);
        if (taken is { BroadcastId: null })
        {
            return await WaitAsync(input, cancellationToken);
        }

        if (await locks.TryAcquireAsync(input.OperationId, ResourceLocks.ExclusiveCluster, cancellationToken) is { } heldBy)
        {
            return new AlterBegun(HeldBy: heldBy);
        }

        if (taken is not null)
        {
            return await BroadcastAsync(input, taken.BroadcastId.Value, cancellationToken);
        }

        var meta = (await configurations.ReadAsync(cancellationToken)).Meta;
        if (ReplicateEquality.Same(input.Configuration, meta.Configuration))
        {
            await operations.KeepResultAsync(input.OperationId, new UpdateResult(UpdateOutcome.Unchanged), cancellationToken);
            return new AlterBegun(Ended: true);
        }

        var secondary = ReplicateRoles.RoleOf(meta.Configuration, cluster.Id) == ClusterRole.Secondary;
        if (input.OfSecondary && !secondary)
        {
            return new AlterBegun(Refused: CheckArrival.Overtaken(meta));
        }

        var state = (await states.ReadAsync(cancellationToken)).State;
        if (ReplicateConfigurationValidator.Validate(input.Configuration, meta.Configuration, cluster.Id, [.. state.PChannels.Select(c => c.Key)]) is { } error)
        {
            return new AlterBegun(Refused: error);
        }

        if (secondary)
        {
            await operations.KeepNoteAsync(input.OperationId, NoteName, new AlterNote(null), cancellationToken);
            return await WaitAsync(input, cancellationToken);
        }

        var note = await operations.KeepNoteAsync(input.OperationId, NoteName, new AlterNote(await broadcasts.AllocateIdAsync(cancellationToken)), cancellationToken);
        return await BroadcastAsync(input, note.BroadcastId!.Value, cancellationToken);
    }

    // Without the lock, which it took a moment ago: a promotion must be able to overtake it.
    private async Task<AlterBegun> WaitAsync(AlterInput input, CancellationToken cancellationToken)
    {
        await locks.ReleaseAsync(input.OperationId, cancellationToken);
        return new AlterBegun();
    }

    private async Task<AlterBegun> BroadcastAsync(AlterInput input, long broadcastId, CancellationToken cancellationToken)
    {
        var state = (await states.ReadAsync(cancellationToken)).State;
        var message = ConfigurationMessage.Normal(state, input.Configuration, cluster.Id);
        await broadcasts.AddAsync(BroadcastRules.Create(broadcastId, message, time.GetUtcNow()), cancellationToken);
        return new AlterBegun(BroadcastId: broadcastId);
    }
}
