using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Protocol = Microsoft.DurableTask.Protobuf;

namespace Baton.Durable;

/// <summary>Failure details to and from the protocol's message and an activity's JSON.</summary>
internal static class FailureProtocol
{
    public static Protocol.TaskFailureDetails ToProtocol(this TaskFailureDetails details)
    {
        var message = new Protocol.TaskFailureDetails
        {
            ErrorType = details.ErrorType,
            ErrorMessage = details.ErrorMessage,
            StackTrace = details.StackTrace,
            InnerFailure = details.InnerFailure?.ToProtocol(),
            IsNonRetriable = details.IsNonRetriable,
        };
        foreach ((string name, object? value) in details.Properties ?? new Dictionary<string, object?>(StringComparer.Ordinal))
        {
            message.Properties[name] = ProtocolValues.FromPlain(value);
        }

        return message;
    }

    /// <summary>The details of a failed task. The host sends none when, for one, no function has the activity's name.</summary>
    public static TaskFailureDetails ToDetails(this Protocol.TaskFailureDetails? message) => message is null
        ? new TaskFailureDetails(
            "Unknown",
            "The host reported the failure without details: perhaps no function of this name is deployed, or the child was terminated.",
            StackTrace: null,
            InnerFailure: null,
            Properties: null)
        : new TaskFailureDetails(
            message.ErrorType,
            message.ErrorMessage,
            message.StackTrace,
            message.InnerFailure?.ToDetails(),
            message.Properties.Count == 0 ? null : ProtocolValues.ToPlain(message.Properties))
        {
            IsNonRetriable = message.IsNonRetriable,
        };

    /// <summary>Details as read from JSON, with the values of their properties in the same form as from the protocol.</summary>
    public static TaskFailureDetails Plain(this TaskFailureDetails read) => read with
    {
        ErrorType = read.ErrorType ?? "Unknown",
        ErrorMessage = read.ErrorMessage ?? string.Empty,
        InnerFailure = read.InnerFailure?.Plain(),
        Properties = read.Properties?.ToDictionary(
            static property => property.Key,
            static property => property.Value is JsonElement json ? ProtocolValues.ToPlain(Value.Parser.ParseJson(json.GetRawText())) : property.Value,
            StringComparer.Ordinal),
    };
}
