using System.Text;
using Azure.Core;

namespace Baton.Storage.Tables;

/// <summary>An entity-group transaction as the multipart body that the service reads: one batch with one change set.</summary>
internal static class TransactionRequest
{
    /// <summary>The service answers 202 whether or not the change set was taken.</summary>
    public static StatusCodeClassifier Accepted { get; } = new([202, 200]);

    /// <summary>Refuses here what the service would refuse in words that say less.</summary>
    public static void Check(List<TableTransactionAction> actions)
    {
        if (actions.Count is 0 or > TableClient.MaxTransactionActions)
        {
            throw new ArgumentException($"A transaction has 1 to {TableClient.MaxTransactionActions} actions, not {actions.Count}.", nameof(actions));
        }

        var partition = actions[0].Entity.PartitionKey;
        var rows = new HashSet<string>(StringComparer.Ordinal);
        foreach (var action in actions)
        {
            if (!string.Equals(action.Entity.PartitionKey, partition, StringComparison.Ordinal))
            {
                throw new ArgumentException($"A transaction stays in one partition; this one names '{partition}' and '{action.Entity.PartitionKey}'.", nameof(actions));
            }

            if (!rows.Add(action.Entity.RowKey))
            {
                throw new ArgumentException($"A transaction names a row once; this one names '{action.Entity.RowKey}' twice.", nameof(actions));
            }
        }
    }

    /// <summary>Sets the body.</summary>
    public static void SetBody(HttpMessage message, TablePipeline pipeline, string table, List<TableTransactionAction> actions)
    {
        var batch = $"batch_{Guid.NewGuid():D}";
        var changes = $"changeset_{Guid.NewGuid():D}";
        var body = new StringBuilder();
        body.Append("--").Append(batch).Append("\r\nContent-Type: multipart/mixed; boundary=").Append(changes).Append("\r\n\r\n");
        foreach (var action in actions)
        {
            body.Append("--").Append(changes).Append("\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n");
            Append(body, pipeline, table, action);
        }

        body.Append("--").Append(changes).Append("--\r\n\r\n--").Append(batch).Append("--\r\n");
        message.Request.Headers.SetValue("Content-Type", $"multipart/mixed; boundary={batch}");
        message.Request.Content = RequestContent.Create(Encoding.UTF8.GetBytes(body.ToString()));
    }

    private static void Append(StringBuilder body, TablePipeline pipeline, string table, TableTransactionAction action)
    {
        var add = action.ActionType == TableTransactionActionType.Add;
        var delete = action.ActionType == TableTransactionActionType.Delete;
        var path = add ? table : TablePipeline.EntityPath(table, action.Entity.PartitionKey, action.Entity.RowKey);
        body.Append(Verb(action.ActionType)).Append(' ').Append(pipeline.Address(path).AbsoluteUri).Append(" HTTP/1.1\r\n");
        body.Append("Accept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\n");
        if (add)
        {
            body.Append("Prefer: return-no-content\r\n");
        }

        if (action.ActionType is TableTransactionActionType.UpdateMerge or TableTransactionActionType.UpdateReplace or TableTransactionActionType.Delete)
        {
            body.Append("If-Match: ").Append(action.ETag == default ? "*" : action.ETag.ToString()).Append("\r\n");
        }

        if (!delete)
        {
            body.Append("Content-Type: application/json\r\n");
        }

        body.Append("\r\n");
        if (!delete)
        {
            // The writer escapes everything outside ASCII, so that no part of a value can look like a boundary or a header.
            body.Append(Encoding.UTF8.GetString(EntityJson.Write(action.Entity)));
        }

        body.Append("\r\n");
    }

    private static string Verb(TableTransactionActionType type) => type switch
    {
        TableTransactionActionType.Add => "POST",
        TableTransactionActionType.UpdateMerge or TableTransactionActionType.UpsertMerge => "PATCH",
        TableTransactionActionType.UpdateReplace or TableTransactionActionType.UpsertReplace => "PUT",
        _ => "DELETE",
    };
}
