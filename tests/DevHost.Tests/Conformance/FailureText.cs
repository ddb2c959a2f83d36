using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>
/// A failure as the chain of messages that the app's own code wrote. Types are each language's own and left out. The words
/// in which a worker reports the failure of a task become "task #n failed >", and what such a report holds of the task's
/// details is left out: the rest of its message says it already.
/// </summary>
internal static partial class FailureText
{
    /// <summary>The failure in a line, led by a blank.</summary>
    public static string InLine(TaskFailureDetails? details, int firstId) => details is null
        ? " without details"
        : $" {Chain(details, firstId)}{(details.IsNonRetriable ? " (not retriable)" : string.Empty)}";

    /// <summary>The messages.</summary>
    public static string Chain(TaskFailureDetails details, int firstId)
    {
        var message = details.ErrorMessage;
        var reports = string.Empty;
        while (TaskReport().Match(message) is { Success: true } report)
        {
            var id = int.Parse(report.Groups["id"].ValueSpan, CultureInfo.InvariantCulture) - firstId;
            reports += string.Create(CultureInfo.InvariantCulture, $"task #{id} failed > ");
            message = message[report.Length..];
        }

        return reports.Length > 0 || details.InnerFailure is null
            ? reports + message
            : $"{message} <- {Chain(details.InnerFailure, firstId)}";
    }

    /// <summary>The details in the "failed" of an activity's envelope.</summary>
    public static TaskFailureDetails FromEnvelope(JsonElement failed)
    {
        var details = new TaskFailureDetails
        {
            ErrorType = failed.GetProperty("errorType").GetString(),
            ErrorMessage = failed.GetProperty("errorMessage").GetString(),
            IsNonRetriable = failed.TryGetProperty("isNonRetriable", out var flag) && flag.GetBoolean(),
        };
        if (failed.TryGetProperty("innerFailure", out var inner))
        {
            details.InnerFailure = FromEnvelope(inner);
        }

        return details;
    }

    // The .NET workers' words, and the peer's.
    [GeneratedRegex(@"^(Task '[^']*' \(#(?<id>\d+)\)|(Activity|Sub-orchestration) task #(?<id>\d+)) failed: ", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TaskReport();
}
