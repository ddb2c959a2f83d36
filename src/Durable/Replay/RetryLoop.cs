namespace Baton.Durable.Replay;

/// <summary>Attempts at an activity or sub-orchestration, one after the other, in the turn.</summary>
internal static class RetryLoop
{
    /// <summary>The result of the first attempt that succeeds.</summary>
    /// <param name="retry">Whether and when there is another attempt; null for one only.</param>
    /// <param name="context">The calling orchestration's.</param>
    /// <param name="attempt">Makes one attempt, under ids of its own.</param>
    /// <exception cref="TaskFailedException">The last attempt failed.</exception>
    public static Task<T> RunAsync<T>(TaskRetryOptions? retry, TaskOrchestrationContext context, Func<Task<T>> attempt) => retry switch
    {
        { Policy: { } policy } => RunAsync(policy, context, attempt),
        { Handler: { } handler } => RunAsync(handler, context, attempt),
        _ => attempt(),
    };

    private static async Task<T> RunAsync<T>(RetryPolicy policy, TaskOrchestrationContext context, Func<Task<T>> attempt)
    {
        DateTime firstStarted = context.CurrentUtcDateTime;
        for (int attempts = 1; ; attempts++)
        {
            TimeSpan delay;
            try
            {
                return await attempt().ConfigureAwait(true);
            }
            catch (TaskFailedException failed)
            {
                // Not in a filter: what the policy's own code throws there would be taken for a refusal.
                if (policy.NextDelay(attempts, context.CurrentUtcDateTime - firstStarted, failed.FailureDetails) is not { } next)
                {
                    throw;
                }

                delay = next;
            }

            TimeSpan longest = DateTime.MaxValue - context.CurrentUtcDateTime;
            await context.CreateTimer(delay < longest ? delay : longest, CancellationToken.None).ConfigureAwait(true);
        }
    }

    private static async Task<T> RunAsync<T>(AsyncRetryHandler handler, TaskOrchestrationContext context, Func<Task<T>> attempt)
    {
        DateTime firstStarted = context.CurrentUtcDateTime;
        for (int attempts = 1; ; attempts++)
        {
            try
            {
                return await attempt().ConfigureAwait(true);
            }
            catch (TaskFailedException failed)
            {
                var soFar = new RetryContext(context, attempts, failed.FailureDetails, context.CurrentUtcDateTime - firstStarted, CancellationToken.None);
                if (failed.FailureDetails.IsNonRetriable || !await handler(soFar).ConfigureAwait(true))
                {
                    throw;
                }
            }
        }
    }
}
