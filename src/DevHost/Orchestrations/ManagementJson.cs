using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>The bodies of the management API, with the extension's own property names.</summary>
internal static class ManagementJson
{
    public static JsonObject Status(InstanceStatus status) => new()
    {
        ["name"] = status.Name,
        ["instanceId"] = status.InstanceId,
        ["runtimeStatus"] = status.RuntimeStatus,
        ["input"] = Parse(status.Input),
        ["customStatus"] = Parse(status.CustomStatus),
        ["output"] = Parse(status.Output),
        ["createdTime"] = Time(status.CreatedTime),
        ["lastUpdatedTime"] = Time(status.LastUpdatedTime),
    };

    /// <summary>One event of a history.</summary>
    public static JsonObject Event(HistoryEvent e, bool showOutput)
    {
        var shown = new JsonObject { ["EventType"] = e.EventTypeCase.ToString(), ["EventId"] = e.EventId, ["Timestamp"] = Time(e.Timestamp.ToDateTimeOffset()) };
        if (ExecutionHistory.CompletedId(e) is { } id)
        {
            shown["TaskScheduledId"] = id;
        }

        if ((e.TaskScheduled?.Name ?? e.ExecutionStarted?.Name ?? e.SubOrchestrationInstanceCreated?.Name ?? e.EventRaised?.Name ?? e.EventSent?.Name) is { } name)
        {
            shown["Name"] = name;
        }

        if ((e.TaskFailed?.FailureDetails ?? e.SubOrchestrationInstanceFailed?.FailureDetails ?? e.ExecutionCompleted?.FailureDetails) is { } failure)
        {
            shown["Reason"] = PlatformFailures.Render(failure);
        }

        if (showOutput && (e.TaskCompleted?.Result ?? e.SubOrchestrationInstanceCompleted?.Result ?? e.ExecutionCompleted?.Result) is { } result)
        {
            shown["Result"] = Parse(result);
        }

        return shown;
    }

    /// <summary>The addresses at which an instance is looked after.</summary>
    public static JsonObject CheckStatus(string instanceId, Uri root, string query)
    {
        var instance = $"{root.AbsoluteUri}/instances/{Uri.EscapeDataString(instanceId)}";
        return new JsonObject
        {
            ["id"] = instanceId,
            ["statusQueryGetUri"] = $"{instance}?{query}",
            ["sendEventPostUri"] = $"{instance}/raiseEvent/{{eventName}}?{query}",
            ["terminatePostUri"] = $"{instance}/terminate?reason={{text}}&{query}",
            ["purgeHistoryDeleteUri"] = $"{instance}?{query}",
            ["restartPostUri"] = $"{instance}/restart?{query}",
            ["suspendPostUri"] = $"{instance}/suspend?reason={{text}}&{query}",
            ["resumePostUri"] = $"{instance}/resume?reason={{text}}&{query}",
        };
    }

    /// <summary>JSON text as JSON; text that is none, such as a failure's, as a string.</summary>
    public static JsonNode? Parse(string? text)
    {
        if (text is null)
        {
            return null;
        }

        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);
}
