using Azure;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Cdc;

/// <summary>A CDC task as it is stored.</summary>
/// <param name="Task">The task.</param>
/// <param name="ETag">The row's version.</param>
internal sealed record StoredCdcTask(CdcTask Task, ETag ETag);

/// <summary>
/// Table <c>CdcTasks</c>: one row a channel and target cluster, all in one partition, so that those of many channels are written in a few calls.
/// <code>
/// who                                  writes                                   under which condition
/// ConfigurationCallback                new tasks; superseded ones ended         each row is what it was before the configuration was read
/// CdcReportReceive                     superseded, with salvage; ended          the row is what was read
/// CdcTasksGiveUp                       ended                                    the rows are what they were before the configuration was read
/// </code>
/// A row's version is that of the configuration which it belongs to: one above the version in force was written by a callback that has not finished, and shows nowhere.
/// </summary>
internal sealed class CdcTaskStore(ControlPlaneTables tables)
{
    private const string Partition = "task";

    /// <summary>The task of this pair, or null.</summary>
    public async Task<StoredCdcTask?> ReadAsync(string channel, string targetCluster, CancellationToken cancellationToken)
    {
        var row = await tables.CdcTasks.GetEntityIfExistsAsync<TableEntity>(Partition, RowKey(channel, targetCluster), cancellationToken: cancellationToken);
        return row.HasValue ? ToStored(row.Value!) : null;
    }

    /// <summary>All tasks, by channel and target cluster.</summary>
    public async Task<IReadOnlyList<StoredCdcTask>> ListAsync(CancellationToken cancellationToken)
    {
        var rows = new List<StoredCdcTask>();
        await foreach (var row in tables.CdcTasks.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"PartitionKey eq {Partition}"), cancellationToken: cancellationToken))
        {
            rows.Add(ToStored(row));
        }

        return [.. rows.OrderBy(r => r.Task.Channel, StringComparer.Ordinal).ThenBy(r => r.Task.TargetCluster, StringComparer.Ordinal)];
    }

    /// <summary>
    /// Writes <paramref name="changed"/>, each under the condition that its row is what it was among <paramref name="read"/>, or still not there. A hundred at a time, each hundred whole or not at all.
    /// </summary>
    /// <exception cref="RequestFailedException">Somebody else wrote in between: <see cref="ConditionalWrite.IsLostRace"/>.</exception>
    public async Task WriteAsync(IReadOnlyList<StoredCdcTask> read, IReadOnlyList<CdcTask> changed, CancellationToken cancellationToken)
    {
        var before = read.ToDictionary(r => (r.Task.Channel, r.Task.TargetCluster));
        foreach (var batch in changed.Chunk(TableClient.MaxTransactionActions))
        {
            await tables.CdcTasks.SubmitTransactionAsync(batch.Select(task => ToAction(task, before.GetValueOrDefault((task.Channel, task.TargetCluster)))), cancellationToken);
        }
    }

    /// <summary>Writes <paramref name="next"/> if its row still is what was <paramref name="read"/>.</summary>
    /// <exception cref="RequestFailedException">Somebody else wrote in between: <see cref="ConditionalWrite.IsLostRace"/>.</exception>
    public Task ReplaceAsync(StoredCdcTask read, CdcTask next, CancellationToken cancellationToken) =>
        tables.CdcTasks.UpdateEntityAsync(ToRow(next), read.ETag, TableUpdateMode.Replace, cancellationToken);

    private static TableTransactionAction ToAction(CdcTask task, StoredCdcTask? before)
    {
        if (before is null)
        {
            return new TableTransactionAction(TableTransactionActionType.Add, ToRow(task));
        }

        // Only the state, which is a column of its own: a hundred salvage lists could be too much for one transaction.
        return before.Task with { State = task.State } == task
            ? new TableTransactionAction(TableTransactionActionType.UpdateMerge, KeysOf(task), before.ETag)
            : new TableTransactionAction(TableTransactionActionType.UpdateReplace, ToRow(task), before.ETag);
    }

    private static TableEntity ToRow(CdcTask task)
    {
        var row = KeysOf(task);
        row.SetValue(task);
        return row;
    }

    private static TableEntity KeysOf(CdcTask task) => new(Partition, RowKey(task.Channel, task.TargetCluster)) { ["State"] = task.State.ToString() };

    private static StoredCdcTask ToStored(TableEntity row) =>
        new(row.GetRequired<CdcTask>() with { State = Enum.Parse<CdcTaskState>(row.GetString("State")!) }, row.ETag);

    // Neither name can hold a colon.
    private static string RowKey(string channel, string targetCluster) => $"{channel}:{targetCluster}";
}
