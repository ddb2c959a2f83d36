using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Operations;
using Baton.Storage.Tables;

namespace Baton.Functions.Operations;

/// <summary>Head rows and their table form.</summary>
internal static class OperationRows
{
    /// <summary>The row that says <paramref name="head"/>.</summary>
    public static TableEntity ToRow(string partition, OperationHead head)
    {
        var row = new TableEntity(partition, head.Id)
        {
            ["Kind"] = head.Kind,
            ["Status"] = head.Status.ToString(),
            ["Attempt"] = head.Attempt,
            ["FirstAttempt"] = head.FirstAttempt,
            ["Requests"] = head.Requests,
            ["StartedAt"] = head.StartedAt,
            ["AttemptAt"] = head.AttemptAt,
        };
        if (head.FinishedAt is { } finishedAt)
        {
            row["FinishedAt"] = finishedAt;
        }

        if (head.Error is { } error)
        {
            row["Error"] = JsonSerializer.Serialize(error, BatonJson.Options);
        }

        return row;
    }

    /// <summary>What <paramref name="row"/> says.</summary>
    public static OperationHead ToHead(TableEntity row) => new(
        row.RowKey,
        row.GetString("Kind")!,
        Enum.Parse<OperationStatus>(row.GetString("Status")!),
        row.GetInt32("Attempt")!.Value,
        row.GetInt32("FirstAttempt")!.Value,
        row.GetInt64("Requests")!.Value,
        row.GetDateTimeOffset("StartedAt")!.Value,
        row.GetDateTimeOffset("AttemptAt")!.Value,
        row.GetDateTimeOffset("FinishedAt"),
        row.GetString("Error") is { } error ? JsonSerializer.Deserialize<ApiError>(error, BatonJson.Options) : null,
        row.ETag);
}
