namespace Baton.Durable;

/// <summary>How an instance stands.</summary>
public enum OrchestrationRuntimeStatus
{
    /// <summary>At work, or waiting for something.</summary>
    Running,

    /// <summary>Ended well.</summary>
    Completed,

    /// <summary>Between two executions.</summary>
    ContinuedAsNew,

    /// <summary>Ended with a failure.</summary>
    Failed,

    /// <summary>Cancelled; the platform no longer uses it.</summary>
    Canceled,

    /// <summary>Ended by an operator.</summary>
    Terminated,

    /// <summary>Not started yet.</summary>
    Pending,

    /// <summary>Held by an operator.</summary>
    Suspended,
}

/// <summary>What the host says of an instance.</summary>
/// <param name="Name">The orchestration's name.</param>
/// <param name="InstanceId">The instance's id.</param>
/// <param name="RuntimeStatus">How it stands.</param>
/// <param name="CreatedAt">When it was started.</param>
/// <param name="LastUpdatedAt">When it last changed.</param>
public sealed record OrchestrationMetadata(
    string Name,
    string InstanceId,
    OrchestrationRuntimeStatus RuntimeStatus,
    DateTimeOffset CreatedAt,
    DateTimeOffset LastUpdatedAt)
{
    /// <summary>The input's JSON text, when asked for.</summary>
    public string? SerializedInput { get; init; }

    /// <summary>The output's JSON text, when asked for. Of a failed instance: the failure in words, as a JSON string.</summary>
    public string? SerializedOutput { get; init; }

    /// <summary>The custom status' JSON text, when asked for.</summary>
    public string? SerializedCustomStatus { get; init; }

    /// <summary>Whether the instance is at work.</summary>
    public bool IsRunning => RuntimeStatus is OrchestrationRuntimeStatus.Running;

    /// <summary>Whether the instance has ended, in whatever way.</summary>
    public bool IsCompleted => RuntimeStatus
        is OrchestrationRuntimeStatus.Completed
        or OrchestrationRuntimeStatus.Failed
        or OrchestrationRuntimeStatus.Canceled
        or OrchestrationRuntimeStatus.Terminated;

    /// <summary>The input.</summary>
    public T? ReadInputAs<T>() => DurableJson.Read<T>(SerializedInput);

    /// <summary>The output.</summary>
    public T? ReadOutputAs<T>() => DurableJson.Read<T>(SerializedOutput);

    /// <summary>The custom status.</summary>
    public T? ReadCustomStatusAs<T>() => DurableJson.Read<T>(SerializedCustomStatus);
}
