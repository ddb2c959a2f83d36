using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

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
        ["createdTime"] = Seconds(status.CreatedTime),
        ["lastUpdatedTime"] = Seconds(status.LastUpdatedTime),
    };

    /// <summary>A history as the extension shows it: what was scheduled stands with what became of it, and turns are left out.</summary>
    public static JsonArray History(IEnumerable<HistoryEvent> history, bool showOutput)
    {
        var scheduled = new Dictionary<int, HistoryEvent>();
        var shown = new JsonArray();
        foreach (var e in history)
        {
            switch (e.EventTypeCase)
            {
                case EventType.TaskScheduled or EventType.SubOrchestrationInstanceCreated or EventType.TimerCreated:
                    scheduled[e.EventId] = e;
                    break;
                case EventType.OrchestratorStarted or EventType.OrchestratorCompleted:
                    break;
                default:
                    shown.Add(Event(e, ExecutionHistory.CompletedId(e) is { } id ? scheduled.GetValueOrDefault(id) : null, showOutput));
                    break;
            }
        }

        return shown;
    }

    private static JsonObject Event(HistoryEvent e, HistoryEvent? scheduled, bool showOutput)
    {
        var shown = new JsonObject { ["EventType"] = e.EventTypeCase.ToString(), ["Timestamp"] = Time(e.Timestamp.ToDateTimeOffset()) };
        if (scheduled is not null)
        {
            shown["ScheduledTime"] = Time(scheduled.Timestamp.ToDateTimeOffset());
        }

        if ((e.ExecutionStarted?.Name ?? scheduled?.TaskScheduled?.Name ?? scheduled?.SubOrchestrationInstanceCreated?.Name) is { } function)
        {
            shown["FunctionName"] = function;
        }

        if ((e.EventRaised?.Name ?? e.EventSent?.Name) is { } name)
        {
            shown["Name"] = name;
        }

        if (e.TimerFired is { } fired)
        {
            shown["FireAt"] = Time(fired.FireAt.ToDateTimeOffset());
        }

        if (e.ExecutionCompleted is { } completed)
        {
            shown["OrchestrationStatus"] = completed.OrchestrationStatus.ToString();
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

    /// <summary>A fault that nobody expected.</summary>
    public static JsonObject Fault(Exception e) => new()
    {
        ["Message"] = "Something went wrong while processing your request",
        ["ExceptionMessage"] = e.Message,
        ["ExceptionType"] = e.GetType().FullName,
        ["StackTrace"] = e.StackTrace,
    };

    // The extension cuts these two to seconds.
    private static string Seconds(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);
}
