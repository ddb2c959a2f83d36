namespace Baton.Durable;

public sealed class TaskFailedException : Exception
{
    public TaskFailedException(string taskName, int taskId, Exception innerException) => throw null!;

    public TaskFailedException(string taskName, int taskId, TaskFailureDetails failureDetails) => throw null!;

    public string TaskName => throw null!;

    public int TaskId => throw null!;

    public TaskFailureDetails FailureDetails => throw null!;
}

public record TaskFailureDetails(
    string ErrorType, string ErrorMessage, string? StackTrace, TaskFailureDetails? InnerFailure, IDictionary<string, object?>? Properties)
{
    public static TaskFailureDetails FromException(Exception exception) => throw null!;

    public bool IsCausedBy<T>()
        where T : Exception => throw null!;

    public bool IsCausedBy(Type targetBaseExceptionType) => throw null!;

    public override string ToString() => throw null!;
}
