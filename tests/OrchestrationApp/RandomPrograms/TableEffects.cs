using Azure;
using Baton.Storage.Tables;

namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>Effects in a table: a partition for each program, and rows that are only ever inserted.</summary>
public sealed class TableEffects(TableClient table) : IEffects
{
    /// <summary>The app setting with the connection string.</summary>
    public const string StorageSetting = "EffectsStorage";

    /// <summary>The app setting with the table's name.</summary>
    public const string TableSetting = "EffectsTable";

    private const string AppliedPrefix = "applied-";
    private const string RunPrefix = "run-";
    private const string AskPrefix = "ask-";

    public static TableEffects Open(string connectionString, string tableName) => new(new TableServiceClient(connectionString).GetTableClient(tableName));

    /// <summary>Makes the table. Nothing works before.</summary>
    public Task PrepareAsync(CancellationToken ct) => table.CreateIfNotExistsAsync(ct);

    public Task NoteRunAsync(string root, string key, CancellationToken ct) =>
        table.AddEntityAsync(new TableEntity(root, $"{RunPrefix}{key}:{Guid.NewGuid():N}"), ct);

    public async Task<int> RunsAsync(string root, string key, CancellationToken ct)
    {
        var (from, to) = ($"{RunPrefix}{key}:", $"{RunPrefix}{key};");
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {root} and RowKey ge {from} and RowKey lt {to}");
        return await table.QueryAsync<TableEntity>(filter, select: ["RowKey"], cancellationToken: ct).CountAsync(ct);
    }

    public async Task<string> ApplyAsync(string root, string key, string value, CancellationToken ct) =>
        await TryAddAsync(new TableEntity(root, AppliedPrefix + key) { ["Value"] = value }, ct)
            ? value
            : (await table.GetEntityAsync<TableEntity>(root, AppliedPrefix + key, cancellationToken: ct)).Value.GetString("Value")!;

    public async Task<bool> IsAppliedAsync(string root, string key, CancellationToken ct) =>
        (await table.GetEntityIfExistsAsync<TableEntity>(root, AppliedPrefix + key, cancellationToken: ct)).HasValue;

    public Task AskAsync(string root, Ask ask, CancellationToken ct) => TryAddAsync(
        new TableEntity(root, $"{AskPrefix}{ask.EventName}")
        {
            [nameof(ask.InstanceId)] = ask.InstanceId,
            [nameof(ask.EventName)] = ask.EventName,
            [nameof(ask.Payload)] = ask.Payload,
        },
        ct);

    /// <summary>What all programs have asked for.</summary>
    public async Task<IReadOnlyList<Ask>> AsksAsync(CancellationToken ct)
    {
        var (from, to) = (AskPrefix, "ask.");
        return await table.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"RowKey ge {from} and RowKey lt {to}"), cancellationToken: ct)
            .Select(row => new Ask(row.GetString(nameof(Ask.InstanceId))!, row.GetString(nameof(Ask.EventName))!, row.GetString(nameof(Ask.Payload))!))
            .ToListAsync(ct);
    }

    /// <summary>What is seen of a program.</summary>
    public async Task<Effects> ReadAsync(string root, CancellationToken ct)
    {
        var (applied, runs) = (new Dictionary<string, string>(StringComparer.Ordinal), new Dictionary<string, int>(StringComparer.Ordinal));
        await foreach (var row in table.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"PartitionKey eq {root}"), cancellationToken: ct))
        {
            if (row.RowKey.StartsWith(AppliedPrefix, StringComparison.Ordinal))
            {
                applied.Add(row.RowKey[AppliedPrefix.Length..], row.GetString("Value")!);
            }
            else if (row.RowKey.StartsWith(RunPrefix, StringComparison.Ordinal))
            {
                var key = row.RowKey[RunPrefix.Length..row.RowKey.IndexOf(':', StringComparison.Ordinal)];
                runs[key] = runs.GetValueOrDefault(key) + 1;
            }
        }

        return new Effects(applied, runs);
    }

    private async Task<bool> TryAddAsync(TableEntity row, CancellationToken ct)
    {
        try
        {
            await table.AddEntityAsync(row, ct);
            return true;
        }
        catch (RequestFailedException e) when (e.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            return false;
        }
    }
}
