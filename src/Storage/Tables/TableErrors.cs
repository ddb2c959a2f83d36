using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Azure;
using Azure.Core;

namespace Baton.Storage.Tables;

/// <summary>Error codes of the Table service that callers act on: <see cref="RequestFailedException.ErrorCode"/>.</summary>
public static class TableErrorCode
{
    /// <summary>409: an insert found the entity.</summary>
    public const string EntityAlreadyExists = "EntityAlreadyExists";

    /// <summary>409: a table to be created exists.</summary>
    public const string TableAlreadyExists = "TableAlreadyExists";

    /// <summary>409: the table is being deleted; its name comes free within a minute or so.</summary>
    public const string TableBeingDeleted = "TableBeingDeleted";

    /// <summary>404: no such table.</summary>
    public const string TableNotFound = "TableNotFound";

    /// <summary>404: no such entity.</summary>
    public const string ResourceNotFound = "ResourceNotFound";

    /// <summary>412: the entity has another ETag than the one given.</summary>
    public const string UpdateConditionNotSatisfied = "UpdateConditionNotSatisfied";

    /// <summary>400: an entity above 1 MiB.</summary>
    public const string EntityTooLarge = "EntityTooLarge";

    /// <summary>400: a property above 64 KiB.</summary>
    public const string PropertyValueTooLarge = "PropertyValueTooLarge";
}

/// <summary>Reads the code and text of <c>{"odata.error":{"code":…,"message":{"value":…}}}</c>.</summary>
internal sealed class TableErrorParser : RequestFailedDetailsParser
{
    public static TableErrorParser Instance { get; } = new();

    public override bool TryParse(Response response, [NotNullWhen(true)] out ResponseError? error, out IDictionary<string, string>? data)
    {
        data = null;
        error = Read(response);
        return error is not null;
    }

    /// <summary>The position in front of the text of a failed transaction's error: <c>1:The specified entity already exists.</c></summary>
    public static int? FailedIndex(Response response)
    {
        var text = Read(response)?.Message;
        var colon = text?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        return colon > 0 && int.TryParse(text.AsSpan(0, colon), NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;
    }

    private static ResponseError? Read(Response response)
    {
        if (response.ContentStream is not { CanSeek: true })
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(response.Content);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("odata.error", out var body) || body.ValueKind != JsonValueKind.Object)
            {
                return null;
            }

            var code = body.TryGetProperty("code", out var c) && c.ValueKind == JsonValueKind.String ? c.GetString() : null;
            var text = body.TryGetProperty("message", out var m) && m.ValueKind == JsonValueKind.Object && m.TryGetProperty("value", out var v) && v.ValueKind == JsonValueKind.String
                ? v.GetString()
                : null;
            return code is null ? null : new ResponseError(code, text);
        }
        catch (JsonException)
        {
            // A proxy's page or an empty body: the status line says what there is to say.
            return null;
        }
    }
}
