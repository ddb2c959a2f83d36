using Protocol = Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Replay;

/// <summary>The failure details with which an orchestration ends.</summary>
internal static class OrchestrationFailure
{
    // Far below the hundred levels of a message that a protobuf reader takes.
    private const int MaxLevels = 32;

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
        return Bounded(details).ToProtocol();
    }

    // Each sub-orchestration on the way up adds a level. The innermost say what happened, the outermost through whom it came; what lies between is left out.
    private static TaskFailureDetails Bounded(TaskFailureDetails details)
    {
        var levels = new List<TaskFailureDetails>();
        for (TaskFailureDetails? level = details; level is not null; level = level.InnerFailure)
        {
            levels.Add(level);
        }

        if (levels.Count <= MaxLevels)
        {
            return details;
        }

        levels.RemoveRange(MaxLevels / 2, levels.Count - MaxLevels);
        return levels.AsEnumerable().Reverse().Aggregate((inner, outer) => outer with { InnerFailure = inner });
    }
}
