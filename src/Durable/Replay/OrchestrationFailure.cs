using Protocol = Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Replay;

/// <summary>The failure details with which an orchestration ends.</summary>
internal static class OrchestrationFailure
{
    // The host does not fail an instance whose inner failure has this type: it runs the turn again.
    private static readonly string RunAgainType = typeof(OutOfMemoryException).FullName!;

    public static Protocol.TaskFailureDetails Describe(Exception error)
    {
        TaskFailureDetails details = TaskFailureDetails.FromException(error);
        details = error switch
        {
            NonDeterminismException => details with { ErrorType = NonDeterminismException.ErrorType },

            // It was an activity that ran out of memory. The same history would fail every further turn alike, without end.
            TaskFailedException { FailureDetails: var cause } when string.Equals(cause.ErrorType, RunAgainType, StringComparison.Ordinal)
                => details with { InnerFailure = cause with { ErrorType = nameof(OutOfMemoryException) } },
            _ => details,
        };
        return details.ToProtocol();
    }
}
