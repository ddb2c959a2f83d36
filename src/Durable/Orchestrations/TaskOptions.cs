namespace Baton.Durable;

/// <summary>How an activity or sub-orchestration is called.</summary>
/// <param name="Retry">How often a failure is tried again; not at all when null.</param>
public record TaskOptions(RetryPolicy? Retry = null)
{
    /// <summary>Options that retry by <paramref name="policy"/>.</summary>
    public static TaskOptions FromRetryPolicy(RetryPolicy policy) => new(policy);
}

/// <summary>How a sub-orchestration is called.</summary>
/// <param name="Retry">How often a failure is tried again; not at all when null.</param>
/// <param name="InstanceId">
/// The child's instance id, kept over retries. When null each attempt gets an id of its own, the same in every replay.
/// </param>
public sealed record SubOrchestrationOptions(RetryPolicy? Retry = null, string? InstanceId = null) : TaskOptions(Retry);
