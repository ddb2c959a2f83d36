namespace Baton.Durable;

public record TaskOptions
{
    public TaskOptions(TaskRetryOptions? retry) => throw null!;

    public TaskOptions(TaskRetryOptions? retry = null, IDictionary<string, string>? tags = null) => throw null!;

    public TaskOptions(TaskOptions options) => throw null!;

    public TaskRetryOptions? Retry { get; init; }

    public IDictionary<string, string>? Tags { get; init; }

    public TaskVersion? Version { get; init; }

    public static TaskOptions FromRetryPolicy(RetryPolicy policy) => throw null!;

    public static TaskOptions FromRetryHandler(AsyncRetryHandler handler) => throw null!;

    public static TaskOptions FromRetryHandler(RetryHandler handler) => throw null!;

    public SubOrchestrationOptions WithInstanceId(string instanceId) => throw null!;
}

public record SubOrchestrationOptions : TaskOptions
{
    public SubOrchestrationOptions(TaskRetryOptions? retry = null, string? instanceId = null) => throw null!;

    public SubOrchestrationOptions(TaskOptions options, string? instanceId = null) => throw null!;

    public SubOrchestrationOptions(SubOrchestrationOptions options)
        : base(options) => throw null!;

    public string? InstanceId { get; init; }

    public new TaskVersion? Version { get; init; }
}

public sealed class TaskRetryOptions
{
    public TaskRetryOptions(RetryPolicy policy) => throw null!;

    public TaskRetryOptions(AsyncRetryHandler handler) => throw null!;

    public RetryPolicy? Policy => throw null!;

    public AsyncRetryHandler? Handler => throw null!;

    public static implicit operator TaskRetryOptions(RetryPolicy policy) => throw null!;

    public static implicit operator TaskRetryOptions(AsyncRetryHandler handler) => throw null!;

    public static implicit operator TaskRetryOptions(RetryHandler handler) => throw null!;

    public static TaskRetryOptions FromRetryPolicy(RetryPolicy policy) => throw null!;

    public static TaskRetryOptions FromRetryHandler(AsyncRetryHandler handler) => throw null!;

    public static TaskRetryOptions FromRetryHandler(RetryHandler handler) => throw null!;
}
