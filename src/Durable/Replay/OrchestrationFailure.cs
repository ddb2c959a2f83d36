using Protocol = Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Replay;

/// <summary>The failure details with which an orchestration ends.</summary>
internal static class OrchestrationFailure
{
    // The host does not fail an instance whose inner failure has this type: it runs the turn again.
    private static readonly string RunAgainType = typeof(OutOfMemoryException).FullName!;

    /// <summary>An answer by which the host runs the same turn again. It does not end the instance and changes nothing.</summary>
    public static Protocol.OrchestratorResponse RunAgain(string instanceId, string reason)
    {
        var cause = new TaskFailureDetails(RunAgainType, reason, StackTrace: null, InnerFailure: null, Properties: null);
        var completion = new Protocol.CompleteOrchestrationAction
        {
            OrchestrationStatus = Protocol.OrchestrationStatus.Failed,
            FailureDetails = (cause with { InnerFailure = cause }).ToProtocol(),
        };
        return new() { InstanceId = instanceId, Actions = { new Protocol.OrchestratorAction { CompleteOrchestration = completion } } };
    }

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
