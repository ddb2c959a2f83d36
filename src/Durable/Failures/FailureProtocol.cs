using Baton.Core.Api;
using Google.Protobuf.WellKnownTypes;
using Protocol = Microsoft.DurableTask.Protobuf;

namespace Baton.Durable;

/// <summary>Failure details to and from the protocol's message.</summary>
internal static class FailureProtocol
{
    private const string ApiCodeProperty = "apiCode";

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
        if (details.ApiCode is { } code)
        {
            message.Properties[ApiCodeProperty] = Value.ForString(code.ToString());
        }

        return message;
    }

    /// <summary>The details of a failed task. The host sends none when, for one, no function has the activity's name.</summary>
    public static TaskFailureDetails ToDetails(this Protocol.TaskFailureDetails? message) => message is null
        ? new TaskFailureDetails(
            "Unknown",
            "The host reported the failure without details: perhaps no function of this name is deployed, or the child was terminated.")
        : new TaskFailureDetails(message.ErrorType, message.ErrorMessage, message.StackTrace, message.InnerFailure?.ToDetails())
        {
            IsNonRetriable = message.IsNonRetriable,
            ApiCode = message.Properties.TryGetValue(ApiCodeProperty, out Value? value)
                && System.Enum.TryParse(value.StringValue, out ApiErrorCode code) ? code : null,
        };
}
