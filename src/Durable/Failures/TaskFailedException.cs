namespace Baton.Durable;

/// <summary>An activity or sub-orchestration failed. Thrown by awaiting its task.</summary>
public sealed class TaskFailedException : Exception
{
    /// <summary>Reports the failure of a task.</summary>
    /// <param name="taskName">The activity's or orchestration's name.</param>
    /// <param name="taskId">Its id within the calling instance.</param>
    /// <param name="failureDetails">Why it failed.</param>
    public TaskFailedException(string taskName, int taskId, TaskFailureDetails failureDetails)
        : base($"Task '{taskName}' (#{taskId}) failed: {failureDetails?.ErrorMessage}")
    {
        ArgumentNullException.ThrowIfNull(failureDetails);
        TaskName = taskName;
        TaskId = taskId;
        FailureDetails = failureDetails;
    }

    /// <summary>The activity's or orchestration's name.</summary>
    public string TaskName { get; }

    /// <summary>Its id within the calling instance.</summary>
    public int TaskId { get; }

    /// <summary>Why it failed.</summary>
    public TaskFailureDetails FailureDetails { get; }
}
