using Azure;
using Baton.Core.Broadcasts;
using Baton.Core.Wal;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Broadcasts;

/// <summary>A broadcast task as it is stored.</summary>
/// <param name="Task">The task.</param>
/// <param name="SourceClusterId">Where it was replicated from, if it was.</param>
/// <param name="SourceTimeTick">The highest time tick of its records over there.</param>
/// <param name="ETag">The row's version.</param>
/// <param name="Place">Key of the row with its place in the order of callbacks, if there is one.</param>
internal sealed record StoredBroadcast(BroadcastTask Task, string? SourceClusterId = null, long? SourceTimeTick = null, ETag ETag = default, string? Place = null);

/// <summary>A change of one task among many.</summary>
/// <param name="Known">The task as it was read.</param>
/// <param name="Rule">The pure rule that changes it.</param>
internal sealed record BroadcastChange(StoredBroadcast Known, Func<BroadcastTask, BroadcastTask> Rule);

/// <summary>Table <c>BroadcastTasks</c>: the tasks in the order of ids, their places in the order of callbacks, and the counter that gives ids out.</summary>
internal sealed class BroadcastStore(ControlPlaneTables tables, TombstoneStore tombstones, TimeProvider time)
{
    private const string Partition = BroadcastRows.Partition;
    private const string CounterPartition = "ids";
    private const string CounterRow = "last";

    /// <summary>The task, or null.</summary>
    public async Task<StoredBroadcast?> ReadAsync(long broadcastId, CancellationToken cancellationToken)
    {
        var row = await tables.BroadcastTasks.GetEntityIfExistsAsync<TableEntity>(Partition, BroadcastRows.Key(broadcastId), cancellationToken: cancellationToken);
        return row.HasValue ? BroadcastRows.ToStored(row.Value!) : null;
    }

    /// <summary>A task that must be there; null where it has ended and is collected.</summary>
    /// <exception cref="InvalidOperationException">It was never there.</exception>
    public async Task<StoredBroadcast?> ReadUnlessCollectedAsync(long broadcastId, CancellationToken cancellationToken) =>
        await ReadAsync(broadcastId, cancellationToken) is { } stored ? stored
        : (await tombstones.ReadCollectedAsync(cancellationToken)).HighestId >= broadcastId ? null
        : throw new InvalidOperationException($"There is no broadcast {broadcastId}.");

    /// <summary>Tasks in the order of their ids.</summary>
    /// <param name="state">Only those in this state; all when null.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<BroadcastTask>> ListAsync(BroadcastState? state, int max, CancellationToken cancellationToken)
    {
        var filter = state is null
            ? TableClient.CreateQueryFilter($"PartitionKey eq {Partition} and RowKey lt {BroadcastRows.PlacePrefix}")
            : TableClient.CreateQueryFilter($"PartitionKey eq {Partition} and State eq {state.Value.ToString()}");
        return await ListAsync(filter, max, cancellationToken);
    }

    /// <summary>Every task whose callback is still to be done.</summary>
    public Task<IReadOnlyList<BroadcastTask>> ListIncompleteAsync(CancellationToken cancellationToken) => ListAsync(
        TableClient.CreateQueryFilter($"PartitionKey eq {Partition} and (State eq {nameof(BroadcastState.Pending)} or State eq {nameof(BroadcastState.Replicated)})"),
        int.MaxValue,
        cancellationToken);

    /// <summary>Places before <paramref name="place"/>, in their order: keys alone are read.</summary>
    /// <param name="place">The place of who asks.</param>
    /// <param name="maxKnown">How many with a known tick at most; they come behind those without.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<CallbackPlace>> ListPlacesBeforeAsync(CallbackPlace place, int maxKnown, CancellationToken cancellationToken)
    {
        var places = new List<CallbackPlace>();
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {Partition} and RowKey ge {BroadcastRows.PlacePrefix} and RowKey lt {BroadcastRows.Key(place)}");
        await foreach (var row in tables.BroadcastTasks.QueryAsync<TableEntity>(filter, select: ["PartitionKey", "RowKey"], cancellationToken: cancellationToken))
        {
            places.Add(BroadcastRows.ToPlace(row.RowKey));
            if (places[^1].ControlTick > 0 && --maxKnown == 0)
            {
                break;
            }
        }

        return places;
    }

    /// <summary>
    /// Takes away the place of a task that nobody works for, so that it is met once. Whatever changes the task meanwhile wins, and a later change gives the place back.
    /// </summary>
    public async Task GiveUpPlaceAsync(StoredBroadcast broadcast, CancellationToken cancellationToken)
    {
        try
        {
            if (broadcast.Place is not null)
            {
                await WriteAsync(BroadcastRows.WithoutPlace(broadcast), cancellationToken);
            }
        }
        catch (RequestFailedException e) when (ConditionalWrite.IsLostRace(e))
        {
            // It has changed, and keeps its place or has none any more.
        }
    }

    /// <summary>A new id, above every id given out or heard of here before.</summary>
    public Task<long> AllocateIdAsync(CancellationToken cancellationToken) =>
        MoveCounterAsync(last => BroadcastIds.Next(last, time.GetUtcNow()), cancellationToken);

    /// <summary>Inserts a task that is not there; answers what is there then.</summary>
    public async Task<BroadcastTask> AddAsync(BroadcastTask task, CancellationToken cancellationToken)
    {
        try
        {
            await WriteAsync(BroadcastRows.Change(null, new StoredBroadcast(task)), cancellationToken);
            return task;
        }
        catch (RequestFailedException e) when (e.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            return (await ReadAsync(task.BroadcastId, cancellationToken))!.Task;
        }
    }

    /// <summary>Changes a task by a pure rule until the write wins. A rule that answers the same task writes nothing.</summary>
    public Task<BroadcastTask> UpdateAsync(long broadcastId, Func<BroadcastTask, BroadcastTask> rule, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            $"broadcast {broadcastId}",
            async ct =>
            {
                var stored = await ReadAsync(broadcastId, ct) ?? throw new InvalidOperationException($"There is no broadcast {broadcastId}.");
                var next = rule(stored.Task);
                if (!ReferenceEquals(next, stored.Task))
                {
                    await WriteAsync(BroadcastRows.Change(stored, stored with { Task = next }), ct);
                }

                return next;
            },
            cancellationToken);

    /// <summary>Changes tasks in their order, as many as possible in one write. Where somebody else changed one meanwhile, those are changed one after the other.</summary>
    public async Task UpdateAsync(IReadOnlyList<BroadcastChange> changes, CancellationToken cancellationToken)
    {
        foreach (var batch in Batches(changes))
        {
            try
            {
                await WriteAsync([.. batch.SelectMany(b => b.Actions)], cancellationToken);
            }
            catch (RequestFailedException e) when (ConditionalWrite.IsLostRace(e))
            {
                foreach (var (change, _) in batch)
                {
                    await UpdateAsync(change.Known.Task.BroadcastId, change.Rule, cancellationToken);
                }
            }
        }
    }

    /// <summary>Takes in the ack of a node; an unknown id becomes a replicated task, unless it is that of a tombstone that is gone.</summary>
    public Task<BroadcastTask> AckAsync(long broadcastId, string vchannel, BroadcastAck ack, BroadcastMessage message, SourcePosition? source, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            $"broadcast {broadcastId}",
            async ct =>
            {
                var stored = await ReadAsync(broadcastId, ct);
                if (stored is null && (await tombstones.ReadCollectedAsync(ct)).Covers(broadcastId, vchannel, ack))
                {
                    return BroadcastRules.Collected(broadcastId, message, time.GetUtcNow());
                }

                var next = BroadcastRules.Ack(stored?.Task, broadcastId, vchannel, ack, message, time.GetUtcNow());
                if (stored is null)
                {
                    // First the counter, then the task: an id that this cluster has heard of is never given out here again.
                    await MoveCounterAsync(last => Math.Max(last, broadcastId), ct);
                    await WriteAsync(BroadcastRows.Change(null, new StoredBroadcast(next, source?.ClusterId, source?.TimeTick)), ct);
                }
                else if (!ReferenceEquals(next, stored.Task))
                {
                    var tick = source is null ? stored.SourceTimeTick : Math.Max(stored.SourceTimeTick ?? 0, source.TimeTick);
                    await WriteAsync(BroadcastRows.Change(stored, stored with { Task = next, SourceClusterId = stored.SourceClusterId ?? source?.ClusterId, SourceTimeTick = tick }), ct);
                }

                return next;
            },
            cancellationToken);

    private Task<long> MoveCounterAsync(Func<long, long> move, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            "the counter of broadcast ids",
            async ct =>
            {
                var row = await tables.BroadcastTasks.GetEntityIfExistsAsync<TableEntity>(CounterPartition, CounterRow, cancellationToken: ct);
                var last = row.HasValue ? row.Value!.GetInt64("Last")!.Value : 0;
                var next = move(last);
                if (next == last)
                {
                    return next;
                }

                var changed = new TableEntity(CounterPartition, CounterRow) { ["Last"] = next };
                await (row.HasValue
                    ? tables.BroadcastTasks.UpdateEntityAsync(changed, row.Value!.ETag, TableUpdateMode.Replace, ct)
                    : tables.BroadcastTasks.AddEntityAsync(changed, ct));
                return next;
            },
            cancellationToken);

    private async Task<IReadOnlyList<BroadcastTask>> ListAsync(string filter, int max, CancellationToken cancellationToken)
    {
        var tasks = new List<BroadcastTask>();
        await foreach (var row in tables.BroadcastTasks.QueryAsync<TableEntity>(filter, cancellationToken: cancellationToken))
        {
            tasks.Add(BroadcastRows.ToStored(row).Task);
            if (tasks.Count == max)
            {
                break;
            }
        }

        return tasks;
    }

    // In the service's limits: 100 rows and 4 MiB a transaction; a task has up to three rows to write.
    private static IEnumerable<List<(BroadcastChange Change, IReadOnlyList<TableTransactionAction> Actions)>> Batches(IReadOnlyList<BroadcastChange> changes)
    {
        const long MaxBytes = 3 * 1024 * 1024;
        var batch = new List<(BroadcastChange Change, IReadOnlyList<TableTransactionAction> Actions)>();
        var (rows, bytes) = (0, 0L);
        foreach (var change in changes)
        {
            var next = change.Rule(change.Known.Task);
            if (ReferenceEquals(next, change.Known.Task))
            {
                continue;
            }

            var actions = BroadcastRows.Change(change.Known, change.Known with { Task = next });
            var size = BroadcastRows.SizeOf(actions);
            if (batch.Count > 0 && (rows + actions.Count > TableClient.MaxTransactionActions || bytes + size > MaxBytes))
            {
                yield return batch;
                batch = [];
                (rows, bytes) = (0, 0);
            }

            batch.Add((change, actions));
            rows += actions.Count;
            bytes += size;
        }

        if (batch.Count > 0)
        {
            yield return batch;
        }
    }

    // One row is one plain call; a task and its place are one transaction.
    private Task WriteAsync(IReadOnlyList<TableTransactionAction> actions, CancellationToken cancellationToken) => actions switch
    {
        [{ ActionType: TableTransactionActionType.Add } only] => tables.BroadcastTasks.AddEntityAsync(only.Entity, cancellationToken),
        [var only] => tables.BroadcastTasks.UpdateEntityAsync(only.Entity, only.ETag, TableUpdateMode.Replace, cancellationToken),
        _ => tables.BroadcastTasks.SubmitTransactionAsync(actions, cancellationToken),
    };
}
