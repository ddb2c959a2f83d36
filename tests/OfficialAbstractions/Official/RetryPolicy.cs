namespace Baton.Durable;

public class RetryPolicy
{
    public RetryPolicy(
        int maxNumberOfAttempts,
        TimeSpan firstRetryInterval,
        double backoffCoefficient = 1.0,
        TimeSpan? maxRetryInterval = null,
        TimeSpan? retryTimeout = null) => throw null!;

    public int MaxNumberOfAttempts => throw null!;

    public TimeSpan FirstRetryInterval => throw null!;

    public double BackoffCoefficient => throw null!;

    public TimeSpan MaxRetryInterval => throw null!;

    public TimeSpan RetryTimeout => throw null!;

    public Func<Exception, bool> Handle => throw null!;

    public Func<TaskFailureDetails, bool> HandleFailure
    {
        init => throw null!;
    }
}

public delegate bool RetryHandler(RetryContext retryContext);

public delegate Task<bool> AsyncRetryHandler(RetryContext retryContext);

public record RetryContext(
    TaskOrchestrationContext OrchestrationContext,
    int LastAttemptNumber,
    TaskFailureDetails LastFailure,
    TimeSpan TotalRetryTime,
    CancellationToken CancellationToken);
