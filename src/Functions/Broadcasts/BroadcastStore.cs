using System.Globalization;
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
internal sealed record StoredBroadcast(BroadcastTask Task, string? SourceClusterId, long? SourceTimeTick, ETag ETag);

/// <summary>Table <c>BroadcastTasks</c>: one row a task, in the order of ids, and the counter that gives ids out.</summary>
internal sealed class BroadcastStore(ControlPlaneTables tables, TimeProvider time)
{
    private const string Partition = "task";
    private const string CounterPartition = "ids";
    private const string CounterRow = "last";

    /// <summary>The task, or null.</summary>
    public async Task<StoredBroadcast?> ReadAsync(long broadcastId, CancellationToken cancellationToken)
    {
        var row = await tables.BroadcastTasks.GetEntityIfExistsAsync<TableEntity>(Partition, RowKey(broadcastId), cancellationToken: cancellationToken);
        return row.HasValue ? ToStored(row.Value!) : null;
    }

    /// <summary>Tasks in the order of their ids.</summary>
    /// <param name="state">Only those in this state; all when null.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<BroadcastTask>> ListAsync(BroadcastState? state, int max, CancellationToken cancellationToken)
    {
        var filter = state is null
            ? TableClient.CreateQueryFilter($"PartitionKey eq {Partition}")
            : TableClient.CreateQueryFilter($"PartitionKey eq {Partition} and State eq {state.Value.ToString()}");
        return await ListAsync(filter, max, cancellationToken);
    }

    /// <summary>Every task whose callback is still to be done.</summary>
    public Task<IReadOnlyList<BroadcastTask>> ListIncompleteAsync(CancellationToken cancellationToken) => ListAsync(
        TableClient.CreateQueryFilter($"PartitionKey eq {Partition} and (State eq {nameof(BroadcastState.Pending)} or State eq {nameof(BroadcastState.Replicated)})"),
        int.MaxValue,
        cancellationToken);

    /// <summary>A new id, above every id given out or heard of here before.</summary>
    public Task<long> AllocateIdAsync(CancellationToken cancellationToken) =>
        MoveCounterAsync(last => BroadcastIds.Next(last, time.GetUtcNow()), cancellationToken);

    /// <summary>Inserts a task that is not there; answers what is there then.</summary>
    public async Task<BroadcastTask> AddAsync(BroadcastTask task, CancellationToken cancellationToken)
    {
        try
        {
            await tables.BroadcastTasks.AddEntityAsync(ToRow(task, null, null), cancellationToken);
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
                    await tables.BroadcastTasks.UpdateEntityAsync(ToRow(next, stored.SourceClusterId, stored.SourceTimeTick), stored.ETag, TableUpdateMode.Replace, ct);
                }

                return next;
            },
            cancellationToken);

    /// <summary>Takes in the ack of a node; an unknown id becomes a replicated task.</summary>
    public Task<BroadcastTask> AckAsync(long broadcastId, string vchannel, BroadcastAck ack, BroadcastMessage message, SourcePosition? source, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            $"broadcast {broadcastId}",
            async ct =>
            {
                var stored = await ReadAsync(broadcastId, ct);
                var next = BroadcastRules.Ack(stored?.Task, broadcastId, vchannel, ack, message, time.GetUtcNow());
                if (stored is null)
                {
                    // First the counter, then the task: an id that this cluster has heard of is never given out here again.
                    await MoveCounterAsync(last => Math.Max(last, broadcastId), ct);
                    await tables.BroadcastTasks.AddEntityAsync(ToRow(next, source?.ClusterId, source?.TimeTick), ct);
                }
                else if (!ReferenceEquals(next, stored.Task))
                {
                    var tick = source is null ? stored.SourceTimeTick : Math.Max(stored.SourceTimeTick ?? 0, source.TimeTick);
                    await tables.BroadcastTasks.UpdateEntityAsync(ToRow(next, stored.SourceClusterId ?? source?.ClusterId, tick), stored.ETag, TableUpdateMode.Replace, ct);
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
            tasks.Add(ToStored(row).Task);
            if (tasks.Count == max)
            {
                break;
            }
        }

        return tasks;
    }

    private static string RowKey(long broadcastId) => broadcastId.ToString("D20", CultureInfo.InvariantCulture);

    private static TableEntity ToRow(BroadcastTask task, string? sourceClusterId, long? sourceTimeTick)
    {
        var row = new TableEntity(Partition, RowKey(task.BroadcastId)) { ["State"] = task.State.ToString() };
        if (sourceClusterId is not null)
        {
            row["SourceClusterId"] = sourceClusterId;
        }

        if (sourceTimeTick is { } tick)
        {
            row["SourceTimeTick"] = tick;
        }

        row.SetValue(task);
        return row;
    }

    private static StoredBroadcast ToStored(TableEntity row) =>
        new(row.GetRequired<BroadcastTask>(), row.GetString("SourceClusterId"), row.GetInt64("SourceTimeTick"), row.ETag);
}
