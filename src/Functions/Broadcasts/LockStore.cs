using Azure;
using Baton.Core.Broadcasts;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Broadcasts;

/// <summary>
/// The table of locks, one row: all of an owner's locks are taken by one conditional write or none. An owner is an operation, so a next
/// attempt of it enters again; and a lock outlives every process. Who is blocked waits in the row from its first attempt on, which is written once; its place goes with its operation.
/// </summary>
internal sealed class LockStore(ControlPlaneTables tables)
{
    private const string Partition = "locks";
    private const string Row = "table";

    /// <summary>Takes every key for <paramref name="owner"/>, or none.</summary>
    /// <param name="owner">The operation.</param>
    /// <param name="keys">What it asks for.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="first">It goes before all that wait.</param>
    /// <returns>Null when they are held now, else the owners in the way.</returns>
    public Task<IReadOnlyList<string>?> TryAcquireAsync(string owner, IReadOnlyList<ResourceKey> keys, CancellationToken cancellationToken, bool first = false) =>
        ConditionalWrite.RunAsync<IReadOnlyList<string>?>(
            "the locks",
            async ct =>
            {
                var (locks, etag) = await ReadAsync(ct);
                var attempt = locks.TryAcquire(owner, keys, first);
                if (!attempt.Acquired)
                {
                    if (!ReferenceEquals(attempt.Locks, locks))
                    {
                        await WriteAsync(attempt.Locks, etag, ct);
                    }

                    return attempt.Blockers;
                }

                // Written even when nothing changes (an owner that enters again): the new ETag defeats a release that was decided before.
                await WriteAsync(attempt.Locks, etag, ct);
                return null;
            },
            cancellationToken);

    /// <summary>Lets go of everything of <paramref name="owner"/>; of nothing, when it holds nothing.</summary>
    public Task ReleaseAsync(string owner, CancellationToken cancellationToken) => ReleaseAsync(owner, static _ => Task.FromResult(true), cancellationToken);

    /// <summary>The same for a caller that may come too late.</summary>
    /// <param name="owner">The operation.</param>
    /// <param name="isPresent">Whether the caller still speaks for the owner.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task ReleaseAsync(string owner, Func<CancellationToken, Task<bool>> isPresent, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            "the locks",
            async ct =>
            {
                // The row is read before the question is asked: an owner that begins anew in between enters again, and this write loses.
                var (locks, etag) = await ReadAsync(ct);
                if (locks.IsOf(owner) && await isPresent(ct))
                {
                    await WriteAsync(locks.Release(owner), etag, ct);
                }

                return true;
            },
            cancellationToken);

    /// <summary>Lets go of what finished operations still hold: those that were given up could not do it themselves.</summary>
    /// <param name="isFinished">Whether the operation with this id is finished.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task ReleaseFinishedAsync(Func<string, CancellationToken, Task<bool>> isFinished, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            "the locks",
            async ct =>
            {
                // In this order for the same reason.
                var (locks, etag) = await ReadAsync(ct);
                var next = locks;
                foreach (var owner in locks.Owners)
                {
                    next = await isFinished(owner, ct) ? next.Release(owner) : next;
                }

                if (!ReferenceEquals(next, locks))
                {
                    await WriteAsync(next, etag, ct);
                }

                return true;
            },
            cancellationToken);

    /// <summary>The locks held now.</summary>
    public async Task<IReadOnlyList<HeldLock>> ListAsync(CancellationToken cancellationToken) => (await ReadAsync(cancellationToken)).Locks.Held;

    private async Task<(ResourceLocks Locks, ETag ETag)> ReadAsync(CancellationToken cancellationToken)
    {
        var row = await tables.BroadcastTasks.GetEntityIfExistsAsync<TableEntity>(Partition, Row, cancellationToken: cancellationToken);
        return row.HasValue ? (row.Value!.GetRequired<ResourceLocks>(), row.Value!.ETag) : (ResourceLocks.Empty, default);
    }

    private async Task WriteAsync(ResourceLocks locks, ETag etag, CancellationToken cancellationToken)
    {
        var row = new TableEntity(Partition, Row);
        row.SetValue(locks);
        await (etag == default
            ? tables.BroadcastTasks.AddEntityAsync(row, cancellationToken)
            : tables.BroadcastTasks.UpdateEntityAsync(row, etag, TableUpdateMode.Replace, cancellationToken));
    }
}
