namespace Baton.Durable;

#pragma warning disable CA1711, MA0095 // The platform's own name, which orchestrators are written against.

/// <summary>
/// Decides after each failure whether there is another attempt. It is orchestrator code: it runs in the turn and again in
/// every replay.
/// </summary>
/// <param name="retryContext">What happened so far.</param>
/// <returns>Whether there is another attempt: at once, without a wait of its own.</returns>
public delegate bool RetryHandler(RetryContext retryContext);

/// <summary>As <see cref="RetryHandler"/>, but it may await tasks of the orchestration's context, such as a timer.</summary>
/// <param name="retryContext">What happened so far.</param>
/// <returns>Whether there is another attempt.</returns>
public delegate Task<bool> AsyncRetryHandler(RetryContext retryContext);

#pragma warning restore CA1711, MA0095

/// <summary>What a retry handler decides by.</summary>
/// <param name="OrchestrationContext">The calling orchestration's context.</param>
/// <param name="LastAttemptNumber">Attempts so far, all failed.</param>
/// <param name="LastFailure">The last failure.</param>
/// <param name="TotalRetryTime">Orchestration time since the first attempt started.</param>
/// <param name="CancellationToken">Never cancelled; there because handlers are written for it.</param>
public record RetryContext(
    TaskOrchestrationContext OrchestrationContext,
    int LastAttemptNumber,
    TaskFailureDetails LastFailure,
    TimeSpan TotalRetryTime,
    CancellationToken CancellationToken);
