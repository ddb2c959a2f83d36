using System.Runtime.CompilerServices;
using System.Text;
using Azure;
using Baton.Storage.Tables;
using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>The hub's table. One row of an instance decides (<see cref="InstanceRecord"/>); every other row counts only if that one names it.</summary>
/// <remarks>
/// What is true when the engine dies right after each step, and who repairs it:
/// <code>
/// take-up  1 rows read                        nothing is done yet
///          2 owner written (ETag)             what the engine before has on its way is refused from here on: its pages and values,
///                                             which nobody names, may be deleted. If it was faster, the rows are read again
/// start    1 value row (large input)          nobody names it: left over, deleted when the partition is next loaded or purged
///          2 instance row inserted            pending: the next engine runs its first turn
/// replace  1 old messages deleted             the old instance is finished and takes none
///          2 instance row written (ETag)      the new execution counts; the old one's rows are left over
/// message  1 message row inserted             taken by the next engine, in the order of its sequence
/// turn     1 page and value rows inserted     beyond what the instance row counts: left over; the turn is done again
///          2 instance row written (ETag)      THE COMMIT. Open tasks, timers and sub-orchestrations follow from history and are
///                                             dispatched again; sent messages follow from Outgoing
///          3 each sent message inserted       inserted again under the same key: is there, or is among the receiver's Consumed. The
///                                             insert touches the receiver's row under its ETag: an engine without the hub is refused
///          4 Outgoing cleared                 nothing left to send
///          5 sub-orchestrations inserted      insert-if-absent, recognised by the parent's execution and task id
///            activities of an ended execution follow from the rows that Detached names, written before the commit: run again
///            until Detached no longer names them, which is a conditional write of its own, after all of a row have run
///          6 consumed message rows deleted    still named in Consumed: not taken twice; deleted later. A row sent by an
///                                             orchestration is kept until step 4 of its sender, or step 3 could add it twice
///          7 rows of old executions deleted   left over
/// child    1 its last turn committed          the parent's history still has it open: the next engine reads the child's row
///          2 parent's turn committed          closed
/// activity   result in memory only            the task is open: it runs again (at least once, as in Azure)
/// </code>
/// What is left over of an instance that has ended stays until it is purged or replaced. Rows that cannot be read fail their instance and no other.
/// Pages are inserted, never overwritten, and the commit is conditional: an engine that lost the hub but does not know it yet
/// can change nothing that its successor has taken up. A call of an engine's own that it has given up may arrive as late as one of another:
/// after a fault, it takes the instance up again.
/// </remarks>
/// <param name="table">The hub's table.</param>
/// <param name="owner">The engine: no two have the same.</param>
internal sealed class HubStore(TableClient table, string owner)
{
    // The engine before can be faster as often as it has commits on their way; it learns within seconds that it is no longer the owner.
    private const int MaxTakeUps = 100;

    // What one transaction of a table takes.
    private const int MaxBatch = 100;
    private static readonly string[] KeyOnly = ["RowKey"];

    public Task PrepareAsync(CancellationToken ct) => table.CreateIfNotExistsAsync(ct);

    /// <summary>Ids of the instances for which an engine has something to do.</summary>
    public async IAsyncEnumerable<string> OpenInstancesAsync([EnumeratorCancellation] CancellationToken ct)
    {
        var filter = TableClient.CreateQueryFilter($"RowKey eq {InstanceRecord.RowKey} and Open eq {true}");
        await foreach (var entity in table.QueryAsync<TableEntity>(filter, select: ["PartitionKey"], cancellationToken: ct))
        {
            yield return entity.PartitionKey;
        }
    }

    /// <summary>A page of instances, in the order of their ids.</summary>
    public async Task<(IReadOnlyList<InstanceRecord> Records, string? Continuation)> ListAsync(string? filter, int top, string? continuation, CancellationToken ct)
    {
        var onlyInstances = TableClient.CreateQueryFilter($"RowKey eq {InstanceRecord.RowKey}");
        var query = table.QueryAsync<TableEntity>(filter is null ? onlyInstances : $"{onlyInstances} and {filter}", cancellationToken: ct);
        await foreach (var page in query.AsPages(continuation, top).WithCancellation(ct))
        {
            return ([.. page.Values.Select(InstanceRecord.From)], page.ContinuationToken);
        }

        return ([], null);
    }

    public async Task<InstanceRecord?> ReadAsync(string id, CancellationToken ct)
    {
        var answer = await table.GetEntityIfExistsAsync<TableEntity>(id, InstanceRecord.RowKey, cancellationToken: ct);
        return answer.HasValue ? InstanceRecord.From(answer.Value!) : null;
    }

    /// <summary>Reads a whole instance.</summary>
    /// <exception cref="DamagedInstanceException">A row of it is missing or makes no sense.</exception>
    public async Task<StoredInstance?> LoadAsync(string id, CancellationToken ct)
    {
        // The rows are read while an engine that lost the hub may still commit: then the instance row is newer than the pages.
        for (var attempt = 1; ; attempt++)
        {
            var rows = new Dictionary<string, TableEntity>(StringComparer.Ordinal);
            await foreach (var row in table.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"PartitionKey eq {id}"), cancellationToken: ct))
            {
                rows[row.RowKey] = row;
            }

            if (!rows.TryGetValue(InstanceRecord.RowKey, out var entity))
            {
                return null;
            }

            var record = InstanceRecord.From(entity);
            if (record.Damage is { } damage)
            {
                throw new DamagedInstanceException(id, damage);
            }

            var pages = Enumerable.Range(0, record.Pages).Select(page => rows.GetValueOrDefault(HubRows.Page(record.ExecutionId, page))).ToList();
            if (pages.TrueForAll(page => page is not null))
            {
                return StoredInstance.Assemble(record, pages!, rows.Values);
            }

            if (attempt == 5)
            {
                throw new DamagedInstanceException(id, $"Of {record.Pages} pages of history, page {pages.IndexOf(null)} is missing.");
            }
        }
    }

    /// <summary>Reads a whole instance and makes it this engine's: whatever another one has on its way for it fails from now on.</summary>
    /// <returns>The instance; one that nobody has anything to do for is only read.</returns>
    /// <exception cref="DamagedInstanceException">A row of it is missing or makes no sense.</exception>
    public async Task<StoredInstance?> TakeUpAsync(string id, CancellationToken ct)
    {
        for (var attempt = 0; attempt < MaxTakeUps; attempt++)
        {
            if (await LoadAsync(id, ct) is not { Record.IsOpen: true } stored)
            {
                return null;
            }

            if (await TryTakeUpAsync(stored, ct) is { } taken)
            {
                return taken;
            }
        }

        throw new HubLostException($"Instance '{id}' was changed by another engine {MaxTakeUps} times while this one took it up.", innerException: null);
    }

    /// <summary>Makes an instance this engine's if it is still as it was read.</summary>
    /// <returns>Null when it is not.</returns>
    public async Task<StoredInstance?> TryTakeUpAsync(StoredInstance stored, CancellationToken ct)
    {
        try
        {
            var mark = new TableEntity(stored.Record.Id, InstanceRecord.RowKey) { [nameof(InstanceRecord.Owner)] = owner };
            var response = await table.UpdateEntityAsync(mark, stored.Record.ETag, TableUpdateMode.Merge, ct);
            return stored with { Record = stored.Record with { Owner = owner, ETag = ETagOf(response) } };
        }
        catch (RequestFailedException e) when (e.Status is 404 or 412)
        {
            return null;
        }
    }

    /// <summary>Whether this engine was the last to write an instance or to take it up.</summary>
    public bool IsOwn(InstanceRecord record) => string.Equals(record.Owner, owner, StringComparison.Ordinal);

    /// <summary>Ends an instance whose rows cannot be read. The pages stay for whoever looks into it; what it had yet to do is given up.</summary>
    /// <returns>As it is now; null when there is none.</returns>
    public async Task<InstanceRecord?> FailDamagedAsync(string id, DamagedInstanceException damage, DateTimeOffset now, CancellationToken ct)
    {
        if (await ReadAsync(id, ct) is not { } record)
        {
            return null;
        }

        var ended = record with { Damage = null, Carried = null, Consumed = [], Outgoing = null, OutgoingExecutionId = null, Detached = [] };
        if (!record.IsFinished || record.Damage is not null)
        {
            var details = PlatformFailures.Of(typeof(InvalidDataException).FullName!, damage.Message);
            ended = ended with
            {
                Status = OrchestrationStatus.Failed,
                UpdatedAt = now,
                Output = new StoredBytes(StoredBytes.Encode(PlatformFailures.Render(details), "The output"), null),
                Failure = new StoredBytes(StoredBytes.Encode(details.ToByteArray(), "The failure"), null),
            };
        }

        return await UpdateAsync(ended, ct);
    }

    /// <summary>Inserts an instance that must not be there.</summary>
    /// <exception cref="RequestFailedException">409: it is.</exception>
    public async Task<InstanceRecord> InsertAsync(InstanceRecord record, CancellationToken ct)
    {
        record = record with { Owner = owner };
        var response = await table.AddEntityAsync(record.ToEntity(), ct);
        return response.Headers.ETag is { } etag ? record with { ETag = etag } : (await ReadAsync(record.Id, ct))!;
    }

    /// <summary>Writes an instance that must be as it was read.</summary>
    /// <exception cref="RequestFailedException">412: it is not.</exception>
    public async Task<InstanceRecord> UpdateAsync(InstanceRecord record, CancellationToken ct)
    {
        record = record with { Owner = owner };
        return record with { ETag = ETagOf(await table.UpdateEntityAsync(record.ToEntity(), record.ETag, TableUpdateMode.Replace, ct)) };
    }

    /// <summary>Adds pages of history. They do not count before the instance row does.</summary>
    /// <returns>How many.</returns>
    public async Task<int> AddPagesAsync(InstanceRecord record, byte[] events, CancellationToken ct)
    {
        var pages = Encoded(events);
        for (var page = 0; page < pages.Count; page++)
        {
            await AddRowAsync(record.Id, HubRows.Page(record.ExecutionId, record.Pages + page), pages[page], ct);
        }

        return pages.Count;
    }

    /// <summary>Makes a value ready for the instance row, in a row of its own when it is large.</summary>
    public async Task<StoredBytes> StoreAsync(string id, string executionId, ReadOnlyMemory<byte> content, string what, CancellationToken ct)
    {
        var encoded = StoredBytes.Encode(content.Span, what);
        if (encoded.Length <= StoredBytes.MaxInlineBytes)
        {
            return new StoredBytes(encoded, null);
        }

        return new StoredBytes(null, await AddRowAsync(id, HubRows.Value(executionId), encoded, ct));
    }

    /// <summary>The same for events, which may be more than fit one row.</summary>
    public async Task<StoredBytes> StoreEventsAsync(string id, string executionId, IEnumerable<HistoryEvent> events, CancellationToken ct)
    {
        var pages = Encoded(EventPage.Write(events));
        if (pages is [{ Length: <= StoredBytes.MaxInlineBytes } only])
        {
            return new StoredBytes(only, null);
        }

        var rows = new List<string>();
        foreach (var page in pages)
        {
            rows.Add(await AddRowAsync(id, HubRows.Value(executionId), page, ct));
        }

        return new StoredBytes(null, string.Join(StoredBytes.RowSeparator, rows));
    }

    public async Task<StoredBytes?> StoreTextAsync(string id, string executionId, string? text, string what, CancellationToken ct) =>
        text is null ? null : await StoreAsync(id, executionId, Encoding.UTF8.GetBytes(text), what, ct);

    /// <exception cref="DamagedInstanceException">Its row is missing or makes no sense.</exception>
    public async Task<byte[]> BytesAsync(string id, StoredBytes value, CancellationToken ct)
    {
        if (value.Inline is { } inline)
        {
            return DamagedInstanceException.Guard(id, "A value of the instance row", () => StoredBytes.Decode(inline));
        }

        var parts = new List<byte[]>();
        foreach (var rowKey in value.Rows)
        {
            var row = await RowAsync(id, rowKey, ct);
            parts.Add(DamagedInstanceException.Guard(id, $"Value {rowKey}", () => StoredBytes.Decode(StoredBytes.ReadChunks(row))));
        }

        return parts is [var whole] ? whole : [.. parts.SelectMany(part => part)];
    }

    public async Task<string?> TextAsync(string id, StoredBytes? value, CancellationToken ct) =>
        value is null ? null : Encoding.UTF8.GetString(await BytesAsync(id, value, ct));

    /// <summary>Adds rows that list activities. They do not count before the instance row names them.</summary>
    /// <returns>Each row's key, and how many activities it lists.</returns>
    public async Task<IReadOnlyList<(string RowKey, int Count)>> AddDetachedAsync(string id, string executionId, IReadOnlyCollection<HistoryEvent> scheduled, CancellationToken ct)
    {
        var added = new List<(string RowKey, int Count)>();
        foreach (var page in EventPage.Split(EventPage.Write(scheduled)))
        {
            var row = new TableEntity(id, HubRows.Value(executionId)) { ["ExecutionId"] = executionId };
            StoredBytes.WriteChunks(row, StoredBytes.Encode(page.Span, "What a turn leaves to run"));
            await table.AddEntityAsync(row, ct);
            added.Add((row.RowKey, EventPage.Read(page.ToArray()).Count));
        }

        return added;
    }

    /// <summary>The activities that a row lists.</summary>
    /// <exception cref="DamagedInstanceException">The row is missing or makes no sense.</exception>
    public async Task<(string ExecutionId, IReadOnlyList<HistoryEvent> Scheduled)> DetachedAsync(string id, string rowKey, CancellationToken ct)
    {
        var row = await RowAsync(id, rowKey, ct);
        return DamagedInstanceException.Guard(id, $"List {rowKey}", () => (row.GetString("ExecutionId")!, EventPage.Read(StoredBytes.Decode(StoredBytes.ReadChunks(row)))));
    }

    /// <summary>Adds a message, unless it is there, to an instance that must be as it was read: an engine that has lost the hub adds nothing to what its successor has moved on.</summary>
    /// <returns>The instance as it is now.</returns>
    /// <exception cref="RequestFailedException">412: the instance is not as it was read.</exception>
    public async Task<InstanceRecord> AddMessageAsync(InstanceRecord receiver, StoredMessage message, CancellationToken ct)
    {
        var row = new TableEntity(receiver.Id, message.RowKey) { ["Sequence"] = message.Sequence };
        StoredBytes.WriteChunks(row, StoredBytes.Encode(EventPage.Write([message.Event]), "An event"));
        var touched = new TableEntity(receiver.Id, InstanceRecord.RowKey) { ["LastMessage"] = message.Sequence };
        try
        {
            var answers = await table.SubmitTransactionAsync(
                [
                    new TableTransactionAction(TableTransactionActionType.UpdateMerge, touched, receiver.ETag),
                    new TableTransactionAction(TableTransactionActionType.Add, row),
                ],
                ct);
            return receiver with { ETag = ETagOf(answers.Value[0]) };
        }
        catch (TableTransactionFailedException e) when (e.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            // Inserted before by a call whose answer was lost, or by the engine before this one.
            return receiver;
        }
    }

    /// <summary>Deletes the row of an instance that must be as it was read.</summary>
    /// <exception cref="RequestFailedException">412: it is not.</exception>
    public Task DeleteAsync(InstanceRecord record, CancellationToken ct) => table.DeleteEntityAsync(record.Id, InstanceRecord.RowKey, record.ETag, ct);

    public Task DeleteRowAsync(string id, string rowKey, CancellationToken ct) => table.DeleteEntityAsync(id, rowKey, cancellationToken: ct);

    /// <summary>Deletes rows of an instance that may be gone already.</summary>
    public async Task DeleteRowsAsync(string id, IReadOnlyCollection<LeftOverRow> rows, CancellationToken ct)
    {
        foreach (var batch in rows.Chunk(MaxBatch))
        {
            try
            {
                await table.SubmitTransactionAsync(batch.Select(row => new TableTransactionAction(TableTransactionActionType.Delete, new TableEntity(id, row.RowKey), row.ETag)), ct);
            }
            catch (TableTransactionFailedException)
            {
                // One that is gone, or is not the same any more, refuses the batch.
                foreach (var row in batch)
                {
                    await DeleteIfSameAsync(id, row, ct);
                }
            }
        }
    }

    /// <summary>Deletes the rows of an instance for which <paramref name="which"/> holds.</summary>
    public async Task DeleteRowsAsync(string id, Func<string, bool> which, CancellationToken ct)
    {
        var rowKeys = new List<string>();
        await foreach (var row in table.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"PartitionKey eq {id}"), select: KeyOnly, cancellationToken: ct))
        {
            if (which(row.RowKey))
            {
                rowKeys.Add(row.RowKey);
            }
        }

        await DeleteRowsAsync(id, [.. rowKeys.Select(LeftOverRow.Own)], ct);
    }

    private async Task DeleteIfSameAsync(string id, LeftOverRow row, CancellationToken ct)
    {
        try
        {
            await table.DeleteEntityAsync(id, row.RowKey, row.ETag, ct);
        }
        catch (RequestFailedException e) when (e.Status == 412)
        {
            // Under its key is one that counts now.
        }
    }

    // All pages before one is added: what fits no row must leave none in the way of the turn that says so.
    private static List<byte[]> Encoded(byte[] events) => [.. EventPage.Split(events).Select(page => StoredBytes.EncodePage(page.Span))];

    private async Task<string> AddRowAsync(string id, string rowKey, byte[] encoded, CancellationToken ct)
    {
        var row = new TableEntity(id, rowKey);
        StoredBytes.WriteChunks(row, encoded);
        await table.AddEntityAsync(row, ct);
        return rowKey;
    }

    private static ETag ETagOf(Response response) => response.Headers.ETag ?? throw new InvalidDataException("The Table service answered an update without an ETag.");

    private async Task<TableEntity> RowAsync(string id, string rowKey, CancellationToken ct)
    {
        var answer = await table.GetEntityIfExistsAsync<TableEntity>(id, rowKey, cancellationToken: ct);
        return answer.HasValue ? answer.Value! : throw new DamagedInstanceException(id, $"Row {rowKey} is missing.");
    }
}
