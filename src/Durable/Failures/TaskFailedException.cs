namespace Baton.Durable;

/// <summary>An activity or sub-orchestration failed. Thrown by awaiting its task.</summary>
public sealed class TaskFailedException : Exception
{
    /// <summary>Reports the failure of a task by an exception.</summary>
    /// <param name="taskName">The activity's or orchestration's name.</param>
    /// <param name="taskId">Its id within the calling instance.</param>
    /// <param name="innerException">Why it failed.</param>
    public TaskFailedException(string taskName, int taskId, Exception innerException)
        : base(Describe(taskName, taskId, innerException?.Message), innerException)
    {
        ArgumentNullException.ThrowIfNull(innerException);
        TaskName = taskName;
        TaskId = taskId;
        FailureDetails = TaskFailureDetails.FromException(innerException);
    }

    /// <summary>Reports the failure of a task.</summary>
    /// <param name="taskName">The activity's or orchestration's name.</param>
    /// <param name="taskId">Its id within the calling instance.</param>
    /// <param name="failureDetails">Why it failed.</param>
    public TaskFailedException(string taskName, int taskId, TaskFailureDetails failureDetails)
        : base(Describe(taskName, taskId, failureDetails?.ErrorMessage))
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

    private static string Describe(string taskName, int taskId, string? reason) => $"Task '{taskName}' (#{taskId}) failed: {reason}";
}
