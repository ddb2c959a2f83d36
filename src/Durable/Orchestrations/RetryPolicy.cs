namespace Baton.Durable;

/// <summary>A bounded retry with exponential back-off. Its waits are durable timers.</summary>
public class RetryPolicy
{
    /// <summary>A policy.</summary>
    /// <param name="maxNumberOfAttempts">Attempts in all, the first included; at least 1.</param>
    /// <param name="firstRetryInterval">The wait after the first failure; above zero.</param>
    /// <param name="backoffCoefficient">What each wait is multiplied with to get the next; at least 1.</param>
    /// <param name="maxRetryInterval">The longest wait; one hour when null, unlimited when <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    /// <param name="retryTimeout">
    /// A failure this long after the first attempt began is the last; unlimited when null or <see cref="Timeout.InfiniteTimeSpan"/>.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range, or a limit is below the first wait.</exception>
    public RetryPolicy(
        int maxNumberOfAttempts,
        TimeSpan firstRetryInterval,
        double backoffCoefficient = 1.0,
        TimeSpan? maxRetryInterval = null,
        TimeSpan? retryTimeout = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxNumberOfAttempts, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(firstRetryInterval, TimeSpan.Zero);
        if (!double.IsFinite(backoffCoefficient) || backoffCoefficient < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(backoffCoefficient), backoffCoefficient, "It must be at least 1.");
        }

        CheckLimit(maxRetryInterval, firstRetryInterval, nameof(maxRetryInterval));
        CheckLimit(retryTimeout, firstRetryInterval, nameof(retryTimeout));
        MaxNumberOfAttempts = maxNumberOfAttempts;
        FirstRetryInterval = firstRetryInterval;
        BackoffCoefficient = backoffCoefficient;
        MaxRetryInterval = maxRetryInterval ?? TimeSpan.FromHours(1);
        RetryTimeout = retryTimeout ?? Timeout.InfiniteTimeSpan;
    }

    /// <summary>Attempts in all, the first included.</summary>
    public int MaxNumberOfAttempts { get; }

    /// <summary>The wait after the first failure.</summary>
    public TimeSpan FirstRetryInterval { get; }

    /// <summary>What each wait is multiplied with to get the next.</summary>
    public double BackoffCoefficient { get; }

    /// <summary>The longest wait; <see cref="Timeout.InfiniteTimeSpan"/> for no limit.</summary>
    public TimeSpan MaxRetryInterval { get; }

    /// <summary>
    /// A failure this long after the first attempt began, in orchestration time, is the last; <see cref="Timeout.InfiniteTimeSpan"/>
    /// for no limit.
    /// </summary>
    public TimeSpan RetryTimeout { get; }

    /// <summary>Whether an exception is worth another attempt: asks <see cref="HandleFailure"/>.</summary>
    public Func<Exception, bool> Handle
        => error => HandleFailure(error is TaskFailedException failed ? failed.FailureDetails : TaskFailureDetails.FromException(error));

    /// <summary>Whether a failure is worth another attempt. Must be deterministic: it runs again in every replay.</summary>
    public Func<TaskFailureDetails, bool> HandleFailure { get; init; } = static _ => true;

    /// <summary>The wait before the next attempt, or null when there is none.</summary>
    /// <param name="failedAttempts">Attempts so far, all failed.</param>
    /// <param name="elapsed">Orchestration time since the first attempt started.</param>
    /// <param name="failure">The last failure.</param>
    internal TimeSpan? NextDelay(int failedAttempts, TimeSpan elapsed, TaskFailureDetails failure)
    {
        bool isOver = failure.IsNonRetriable
            || failedAttempts >= MaxNumberOfAttempts
            || elapsed >= Unlimited(RetryTimeout)
            || !HandleFailure(failure);
        if (isOver)
        {
            return null;
        }

        // Compared as ticks in floating point: the power overflows a TimeSpan long before the attempts run out.
        double ticks = FirstRetryInterval.Ticks * Math.Pow(BackoffCoefficient, failedAttempts - 1);
        TimeSpan longest = Unlimited(MaxRetryInterval);
        return ticks >= longest.Ticks ? longest : TimeSpan.FromTicks((long)ticks);
    }

    private static TimeSpan Unlimited(TimeSpan limit) => limit == Timeout.InfiniteTimeSpan ? TimeSpan.MaxValue : limit;

    private static void CheckLimit(TimeSpan? limit, TimeSpan firstRetryInterval, string parameter)
    {
        if (limit is { } given && given != Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(given, firstRetryInterval, parameter);
        }
    }
}
