namespace Baton.Durable;

/// <summary>A bounded retry with exponential back-off. Its waits are durable timers.</summary>
public sealed class RetryPolicy
{
    private static readonly TimeSpan DefaultMaxRetryInterval = TimeSpan.FromHours(1);

    /// <summary>A policy.</summary>
    /// <param name="maxNumberOfAttempts">Attempts in all, the first included; at least 1.</param>
    /// <param name="firstRetryInterval">The wait after the first failure; above zero.</param>
    /// <param name="backoffCoefficient">What each wait is multiplied with to get the next; at least 1.</param>
    /// <param name="maxRetryInterval">The longest wait; one hour when null.</param>
    /// <param name="retryTimeout">A failure this long after the first attempt began is the last; unlimited when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
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

        MaxNumberOfAttempts = maxNumberOfAttempts;
        FirstRetryInterval = firstRetryInterval;
        BackoffCoefficient = backoffCoefficient;
        MaxRetryInterval = maxRetryInterval ?? (firstRetryInterval > DefaultMaxRetryInterval ? firstRetryInterval : DefaultMaxRetryInterval);
        RetryTimeout = retryTimeout;
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxRetryInterval, firstRetryInterval, nameof(maxRetryInterval));
        if (retryTimeout is { } timeout)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(timeout, firstRetryInterval, nameof(retryTimeout));
        }
    }

    /// <summary>Attempts in all, the first included.</summary>
    public int MaxNumberOfAttempts { get; }

    /// <summary>The wait after the first failure.</summary>
    public TimeSpan FirstRetryInterval { get; }

    /// <summary>What each wait is multiplied with to get the next.</summary>
    public double BackoffCoefficient { get; }

    /// <summary>The longest wait.</summary>
    public TimeSpan MaxRetryInterval { get; }

    /// <summary>A failure this long after the first attempt began, in orchestration time, is the last.</summary>
    public TimeSpan? RetryTimeout { get; }

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
            || elapsed >= RetryTimeout
            || !HandleFailure(failure);
        if (isOver)
        {
            return null;
        }

        // Compared as ticks in floating point: the power overflows a TimeSpan long before the attempts run out.
        double ticks = FirstRetryInterval.Ticks * Math.Pow(BackoffCoefficient, failedAttempts - 1);
        return ticks >= MaxRetryInterval.Ticks ? MaxRetryInterval : TimeSpan.FromTicks((long)ticks);
    }
}
