using System.Globalization;
using System.Text.Json;
using Azure;
using Baton.Core.Api;
using Baton.Core.Operations;
using Baton.Functions.Tables;
using Baton.Storage.Tables;
using Operation = Baton.Core.Operations.Operation;

namespace Baton.Functions.Operations;

/// <summary>
/// Table <c>Operations</c>: the record of every workflow that outlives any orchestration instance. Heads are in one partition, so that the
/// sweep finds those that run; everything else of an operation is in a partition of its own:
/// <c>input</c> (what the next attempt starts with), <c>step-NN-name</c>, <c>note-name</c> (what one attempt decided and every later one
/// must keep to), <c>result</c>.
/// </summary>
internal sealed class OperationStore(ControlPlaneTables tables, TimeProvider time)
{
    private const string Heads = "operation";
    private const string InputRow = "input";
    private const string ResultRow = "result";

    /// <summary>The operation with its steps, or null.</summary>
    public async Task<Operation?> ReadAsync(string id, CancellationToken cancellationToken)
    {
        if (await ReadHeadAsync(id, cancellationToken) is not { } head)
        {
            return null;
        }

        var steps = await ReadStepsAsync(id, cancellationToken);
        return new Operation(head.Id, head.Kind, head.Status, head.Attempt, head.StartedAt, head.FinishedAt, steps, head.Error is null ? null : Problem.From(head.Error));
    }

    /// <summary>The head row, or null.</summary>
    public async Task<OperationHead?> ReadHeadAsync(string id, CancellationToken cancellationToken)
    {
        var row = await tables.Operations.GetEntityIfExistsAsync<TableEntity>(Heads, id, cancellationToken: cancellationToken);
        return row.HasValue ? OperationRows.ToHead(row.Value!) : null;
    }

    /// <summary>Every operation that is not finished.</summary>
    public async Task<IReadOnlyList<OperationHead>> ListRunningAsync(CancellationToken cancellationToken)
    {
        var running = new List<OperationHead>();
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {Heads} and Status eq {nameof(OperationStatus.Running)}");
        await foreach (var row in tables.Operations.QueryAsync<TableEntity>(filter, cancellationToken: cancellationToken))
        {
            running.Add(OperationRows.ToHead(row));
        }

        return running;
    }

    /// <summary>
    /// Asks for an operation: inserts it, or counts the request on one that runs, or reopens one that is finished where
    /// <paramref name="reopen"/> says so. The input row comes before the head: a head is never without what its next attempt needs.
    /// </summary>
    /// <param name="id">Its id; the same work must get the same id.</param>
    /// <param name="kind">Name of its orchestration.</param>
    /// <param name="input">Input of its orchestration; the first one stays.</param>
    /// <param name="reopen">Which finished operations run again when asked for.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<OperationHead> RequestAsync<T>(string id, string kind, T input, Func<OperationStatus, bool> reopen, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            $"operation {id}",
            async ct =>
            {
                var head = await ReadHeadAsync(id, ct);
                if (head is null)
                {
                    await AddRowAsync(id, InputRow, input, ct);
                    var now = time.GetUtcNow();
                    return await AddHeadAsync(new OperationHead(id, kind, OperationStatus.Running, 1, 1, 1, now, now, null, null, default), ct);
                }

                if (head.Running)
                {
                    return await ReplaceHeadAsync(head with { Requests = head.Requests + 1 }, ct);
                }

                return reopen(head.Status) ? await ReopenAsync(head, ct) : head;
            },
            cancellationToken);

    /// <summary>Decides that the next attempt may start, and shows why the last one was lost. Null when somebody else decided first, or the operation is finished.</summary>
    public async Task<OperationHead?> NextAttemptAsync(OperationHead head, string lost, CancellationToken cancellationToken)
    {
        try
        {
            return await ReplaceHeadAsync(
                head with { Attempt = head.Attempt + 1, AttemptAt = time.GetUtcNow(), Error = new ApiError(ApiErrorCode.Unavailable, $"Attempt {head.Attempt} was lost: {lost}.") },
                cancellationToken);
        }
        catch (RequestFailedException e) when (ConditionalWrite.IsLostRace(e))
        {
            return null;
        }
    }

    /// <summary>The input of its orchestration, as the JSON it was stored as.</summary>
    public async Task<JsonElement> ReadInputAsync(string id, CancellationToken cancellationToken)
    {
        var row = await tables.Operations.GetEntityAsync<TableEntity>(id, InputRow, cancellationToken: cancellationToken);
        return row.Value.GetRequired<JsonElement>();
    }

    /// <summary>Records a step before it starts. A repeat keeps the first time and takes over a new detail.</summary>
    public async Task RecordStepAsync(string id, int number, string name, string? detail, CancellationToken cancellationToken)
    {
        var row = new TableEntity(id, string.Create(CultureInfo.InvariantCulture, $"step-{number:D2}-{name}")) { ["Name"] = name, ["At"] = time.GetUtcNow() };
        SetDetail(row, detail);
        try
        {
            await tables.Operations.AddEntityAsync(row, cancellationToken);
        }
        catch (RequestFailedException e) when (e.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            if (detail is not null)
            {
                var change = new TableEntity(row.PartitionKey, row.RowKey);
                SetDetail(change, detail);
                await tables.Operations.UpdateEntityAsync(change, ETag.All, TableUpdateMode.Merge, cancellationToken);
            }
        }
    }

    /// <summary>Its steps so far, in order.</summary>
    public async Task<IReadOnlyList<OperationStep>> ReadStepsAsync(string id, CancellationToken cancellationToken)
    {
        var steps = new List<OperationStep>();
        await foreach (var row in tables.Operations.QueryAsync<TableEntity>(StepRows(id), cancellationToken: cancellationToken))
        {
            steps.Add(new OperationStep(row.GetString("Name")!, row.GetDateTimeOffset("At")!.Value, row.GetString("Detail")));
        }

        return steps;
    }

    /// <summary>What an attempt decided, or nothing yet.</summary>
    public Task<T?> ReadNoteAsync<T>(string id, string name, CancellationToken cancellationToken)
        where T : class => ReadRowAsync<T>(id, $"note-{name}", cancellationToken);

    /// <summary>Keeps what this attempt decided, and answers what counts: the first note of that name.</summary>
    public async Task<T> KeepNoteAsync<T>(string id, string name, T note, CancellationToken cancellationToken)
        where T : class
    {
        await AddRowAsync(id, $"note-{name}", note, cancellationToken);
        return (await ReadNoteAsync<T>(id, name, cancellationToken))!;
    }

    /// <summary>Its result, or nothing yet.</summary>
    public Task<T?> ReadResultAsync<T>(string id, CancellationToken cancellationToken)
        where T : class => ReadRowAsync<T>(id, ResultRow, cancellationToken);

    /// <summary>Keeps the result; the first one stays, and the answer says whether it is this.</summary>
    public Task<bool> KeepResultAsync<T>(string id, T result, CancellationToken cancellationToken) => AddRowAsync(id, ResultRow, result, cancellationToken);

    /// <summary>Whether an instance is an attempt of the operation's present run: its locks are then the operation's.</summary>
    public async Task<bool> IsPresentRunAsync(string id, string instanceId, CancellationToken cancellationToken) =>
        await ReadHeadAsync(id, cancellationToken) is { } head && head.IsAttemptOfThisRun(instanceId);

    /// <summary>
    /// Ends an operation that runs. Answers false, and leaves it running, when it was asked for more often than the end says that it
    /// served. A finished one stays as it is, and so does one that was reopened since.
    /// </summary>
    public Task<bool> FinishAsync(OperationEnd end, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            $"operation {end.OperationId}",
            async ct =>
            {
                var head = await ReadHeadAsync(end.OperationId, ct) ?? throw new InvalidOperationException($"There is no operation {end.OperationId} to finish.");
                if (!head.Running || !head.IsAttemptOfThisRun(end.InstanceId))
                {
                    return true;
                }

                if (head.Requests > end.RequestsServed)
                {
                    return false;
                }

                await ReplaceHeadAsync(head with { Status = end.Status, Error = end.Error, FinishedAt = time.GetUtcNow() }, ct);
                return true;
            },
            cancellationToken);

    // Steps and result of the earlier run go first: a crash in between leaves a finished operation without them, and the next request goes on.
    // Notes stay: what an earlier run decided and began is what the next one completes.
    private async Task<OperationHead> ReopenAsync(OperationHead head, CancellationToken cancellationToken)
    {
        await foreach (var row in tables.Operations.QueryAsync<TableEntity>(StepRows(head.Id), select: ["PartitionKey", "RowKey"], cancellationToken: cancellationToken))
        {
            await tables.Operations.DeleteEntityAsync(head.Id, row.RowKey, cancellationToken: cancellationToken);
        }

        await tables.Operations.DeleteEntityAsync(head.Id, ResultRow, cancellationToken: cancellationToken);
        var now = time.GetUtcNow();
        var attempt = head.Attempt + 1;
        return await ReplaceHeadAsync(
            head with { Status = OperationStatus.Running, Attempt = attempt, FirstAttempt = attempt, Requests = 1, StartedAt = now, AttemptAt = now, FinishedAt = null, Error = null },
            cancellationToken);
    }

    private async Task<OperationHead> AddHeadAsync(OperationHead head, CancellationToken cancellationToken)
    {
        var response = await tables.Operations.AddEntityAsync(OperationRows.ToRow(Heads, head), cancellationToken);
        return head with { ETag = response.Headers.ETag ?? default };
    }

    private async Task<OperationHead> ReplaceHeadAsync(OperationHead head, CancellationToken cancellationToken)
    {
        var response = await tables.Operations.UpdateEntityAsync(OperationRows.ToRow(Heads, head), head.ETag, TableUpdateMode.Replace, cancellationToken);
        return head with { ETag = response.Headers.ETag ?? default };
    }

    private async Task<bool> AddRowAsync<T>(string id, string rowKey, T value, CancellationToken cancellationToken)
    {
        var row = new TableEntity(id, rowKey);
        row.SetValue(value);
        try
        {
            await tables.Operations.AddEntityAsync(row, cancellationToken);
            return true;
        }
        catch (RequestFailedException e) when (e.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            return false;
        }
    }

    private async Task<T?> ReadRowAsync<T>(string id, string rowKey, CancellationToken cancellationToken)
        where T : class
    {
        var row = await tables.Operations.GetEntityIfExistsAsync<TableEntity>(id, rowKey, cancellationToken: cancellationToken);
        return row.HasValue ? row.Value!.GetRequired<T>() : null;
    }

    private static string StepRows(string id) => TableClient.CreateQueryFilter($"PartitionKey eq {id} and RowKey ge {"step-"} and RowKey lt {"step."}");

    private static void SetDetail(TableEntity row, string? detail)
    {
        // A property may hold 32 Ki characters; a detail that long helps nobody.
        const int MaxDetail = 4_000;
        if (detail is not null)
        {
            row["Detail"] = detail.Length <= MaxDetail ? detail : detail[..MaxDetail] + "…";
        }
    }
}
