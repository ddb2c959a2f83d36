namespace Baton.Durable;

/// <summary>How an activity or sub-orchestration is called.</summary>
public record TaskOptions
{
    /// <summary>Options that retry.</summary>
    /// <param name="retry">How a failure is tried again; not at all when null.</param>
    public TaskOptions(TaskRetryOptions? retry)
        : this(retry, tags: null)
    {
    }

    /// <summary>Options that retry and tag.</summary>
    /// <param name="retry">How a failure is tried again; not at all when null.</param>
    /// <param name="tags">Sent with the action. The Functions host ignores them.</param>
    public TaskOptions(TaskRetryOptions? retry = null, IDictionary<string, string>? tags = null)
    {
        Retry = retry;
        Tags = tags;
    }

    /// <summary>A copy.</summary>
    /// <param name="options">What is copied.</param>
    public TaskOptions(TaskOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Retry = options.Retry;
        Tags = options.Tags;
        Version = options.Version;
    }

    /// <summary>How a failure is tried again; not at all when null.</summary>
    public TaskRetryOptions? Retry { get; init; }

    /// <summary>Sent with the action. The Functions host ignores them.</summary>
    public IDictionary<string, string>? Tags { get; init; }

    /// <summary>
    /// The version that is asked for. When null, an activity gets that of the orchestration, and a sub-orchestration the host's
    /// default version.
    /// </summary>
    public TaskVersion? Version { get; init; }

    /// <summary>Options that retry by <paramref name="policy"/>.</summary>
    public static TaskOptions FromRetryPolicy(RetryPolicy policy) => new(policy);

    /// <summary>Options that retry as long as <paramref name="handler"/> says so.</summary>
    public static TaskOptions FromRetryHandler(AsyncRetryHandler handler) => new(handler);

    /// <summary>Options that retry as long as <paramref name="handler"/> says so.</summary>
    public static TaskOptions FromRetryHandler(RetryHandler handler) => new(handler);

    /// <summary>These options for a sub-orchestration with the given instance id.</summary>
    public SubOrchestrationOptions WithInstanceId(string instanceId) => new(this, instanceId);
}

/// <summary>How a sub-orchestration is called.</summary>
public record SubOrchestrationOptions : TaskOptions
{
    /// <summary>Options that retry under an id.</summary>
    /// <param name="retry">How a failure is tried again; not at all when null.</param>
    /// <param name="instanceId">As <see cref="InstanceId"/>.</param>
    public SubOrchestrationOptions(TaskRetryOptions? retry = null, string? instanceId = null)
        : base(retry) => InstanceId = instanceId;

    /// <summary>Other options with an id.</summary>
    /// <param name="options">What is copied, its id included.</param>
    /// <param name="instanceId">As <see cref="InstanceId"/>; null keeps that of <paramref name="options"/>.</param>
    public SubOrchestrationOptions(TaskOptions options, string? instanceId = null)
        : base(options) => InstanceId = instanceId ?? (options as SubOrchestrationOptions)?.InstanceId;

    /// <summary>A copy.</summary>
    /// <param name="options">What is copied.</param>
    public SubOrchestrationOptions(SubOrchestrationOptions options)
        : base(options) => InstanceId = options.InstanceId;

    /// <summary>
    /// The child's instance id, kept over retries. When null it gets one that is the same in every replay.
    /// </summary>
    public string? InstanceId { get; init; }

    /// <summary>As <see cref="TaskOptions.Version"/>, under the name it first had here.</summary>
    public new TaskVersion? Version
    {
        get => base.Version;
        init => base.Version = value;
    }
}
