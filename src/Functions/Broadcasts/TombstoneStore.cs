using Azure;
using Baton.Core.Broadcasts;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Broadcasts;

/// <summary>
/// The ended tasks of table <c>BroadcastTasks</c>, and one row of what is remembered of those that are gone. Both are in one partition: a tombstone goes in the transaction that remembers
/// it, so whoever finds no task and reads that row afterwards finds it remembered.
/// </summary>
internal sealed class TombstoneStore(ControlPlaneTables tables)
{
    /// <summary>Tombstones that go in one transaction, with the row that remembers them.</summary>
    public const int MaxBatch = 90;

    // Behind the keys of tasks and of places.
    private const string Row = "tombstones-collected";
    private const string Partition = BroadcastRows.Partition;

    /// <summary>What is remembered.</summary>
    public async Task<CollectedTombstones> ReadCollectedAsync(CancellationToken cancellationToken) => (await ReadRowAsync(cancellationToken)).Collected;

    /// <summary>Ended tasks with the time of their end, in the order of ids; nothing else of them is read.</summary>
    public async Task<IReadOnlyList<(long BroadcastId, DateTimeOffset EndedAt)>> ListAsync(int max, CancellationToken cancellationToken)
    {
        var ended = new List<(long BroadcastId, DateTimeOffset EndedAt)>();
        var filter = TableClient.CreateQueryFilter(
            $"PartitionKey eq {Partition} and RowKey lt {BroadcastRows.PlacePrefix} and (State eq {nameof(BroadcastState.Tombstone)} or State eq {nameof(BroadcastState.Done)})");
        await foreach (var row in tables.BroadcastTasks.QueryAsync<TableEntity>(filter, select: ["PartitionKey", "RowKey", BroadcastRows.EndedAt], cancellationToken: cancellationToken))
        {
            // One of a version that did not keep the time counts as old.
            ended.Add((BroadcastRows.ToId(row.RowKey), row.GetDateTimeOffset(BroadcastRows.EndedAt) ?? DateTimeOffset.MinValue));
            if (ended.Count == max)
            {
                break;
            }
        }

        return ended;
    }

    /// <summary>Removes ended tasks and remembers them, all or none; none where they, or what is remembered, changed meanwhile.</summary>
    public async Task<bool> RemoveAsync(IReadOnlyList<StoredBroadcast> ended, CancellationToken cancellationToken)
    {
        var (collected, etag) = await ReadRowAsync(cancellationToken);
        var row = new TableEntity(Partition, Row);
        row.SetValue(collected.With(ended.Select(e => e.Task)));
        var remember = etag == default
            ? new TableTransactionAction(TableTransactionActionType.Add, row)
            : new TableTransactionAction(TableTransactionActionType.UpdateReplace, row, etag);
        try
        {
            await tables.BroadcastTasks.SubmitTransactionAsync(
                [remember, .. ended.Select(e => new TableTransactionAction(TableTransactionActionType.Delete, new TableEntity(Partition, BroadcastRows.Key(e.Task.BroadcastId)), e.ETag))],
                cancellationToken);
            return true;
        }
        catch (RequestFailedException e) when (ConditionalWrite.IsLostRace(e))
        {
            return false;
        }
    }

    private async Task<(CollectedTombstones Collected, ETag ETag)> ReadRowAsync(CancellationToken cancellationToken)
    {
        var row = await tables.BroadcastTasks.GetEntityIfExistsAsync<TableEntity>(Partition, Row, cancellationToken: cancellationToken);
        return row.HasValue ? (row.Value!.GetRequired<CollectedTombstones>(), row.Value!.ETag) : (CollectedTombstones.None, default);
    }
}
