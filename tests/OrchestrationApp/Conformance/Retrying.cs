using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>Activities that are tried again.</summary>
public static class Retrying
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(10);

    /// <summary>Retries as its input says.</summary>
    [Function("Retries")]
    public static async Task<int> RetriesAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var plan = context.GetInput<RetryPlan>()!;
        var policy = new RetryPolicy(
            plan.Attempts,
            TimeSpan.FromMilliseconds(plan.FirstMs),
            plan.Backoff,
            TimeSpan.FromMilliseconds(plan.MaxMs));
        return await context.CallActivityAsync<int>("FailUntil", new FailingTask(context.InstanceId, plan.SucceedsAt), new TaskOptions(policy));
    }

    /// <summary>The policy does not take this failure.</summary>
    [Function("RetryRefused")]
    public static async Task<string> RetryRefusedAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var policy = new RetryPolicy(maxNumberOfAttempts: 5, Soon)
        {
            HandleFailure = static failure => !failure.ErrorMessage.Contains("fatal", StringComparison.Ordinal),
        };
        return await context.CallActivityAsync<string>("Fail", context.GetInput<string>(), new TaskOptions(policy));
    }

    /// <summary>The failure says that trying again is useless.</summary>
    [Function("NonRetriable")]
    public static async Task<string> NonRetriableAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var policy = new RetryPolicy(maxNumberOfAttempts: 5, Soon);
        return await context.CallActivityAsync<string>("Refuse", context.GetInput<string>(), new TaskOptions(policy));
    }
}

/// <summary>How an activity fails and is tried again.</summary>
/// <param name="Attempts">In all.</param>
/// <param name="FirstMs">The first wait.</param>
/// <param name="Backoff">What each wait is multiplied with.</param>
/// <param name="MaxMs">The longest wait.</param>
/// <param name="SucceedsAt">The attempt that succeeds.</param>
public sealed record RetryPlan(int Attempts, int FirstMs, double Backoff, int MaxMs, int SucceedsAt);
