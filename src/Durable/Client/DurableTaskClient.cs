namespace Baton.Durable;

/// <summary>Starts, asks about and steers orchestration instances.</summary>
public abstract class DurableTaskClient
{
    /// <summary>Starts an orchestration.</summary>
    /// <param name="orchestratorName">The orchestration's name.</param>
    /// <param name="input">Its input.</param>
    /// <param name="options">The instance's id; one is made up when absent.</param>
    /// <param name="cancellation">Gives up waiting for the answer; the instance may have started.</param>
    /// <returns>The instance's id.</returns>
    /// <exception cref="OrchestrationAlreadyExistsException">An instance with this id is running. One that has ended is replaced.</exception>
    /// <exception cref="DurableTaskClientException">The host refused.</exception>
    public abstract Task<string> ScheduleNewOrchestrationInstanceAsync(
        TaskName orchestratorName,
        object? input = null,
        StartOrchestrationOptions? options = null,
        CancellationToken cancellation = default);

    /// <summary>An instance as it stands, or null when there is none.</summary>
    /// <param name="instanceId">Its id.</param>
    /// <param name="getInputsAndOutputs">Whether input, output and custom status are wanted too.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="DurableTaskClientException">The host refused.</exception>
    public abstract Task<OrchestrationMetadata?> GetInstanceAsync(
        string instanceId,
        bool getInputsAndOutputs = false,
        CancellationToken cancellation = default);

    /// <summary>Waits until an instance has ended.</summary>
    /// <param name="instanceId">Its id.</param>
    /// <param name="getInputsAndOutputs">Whether input, output and custom status are wanted too.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="DurableTaskClientException">There is no such instance, or the host refused.</exception>
    public abstract Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(
        string instanceId,
        bool getInputsAndOutputs = false,
        CancellationToken cancellation = default);

    /// <summary>Raises an event for an instance to take.</summary>
    /// <exception cref="DurableTaskClientException">There is no such instance, it has ended, or the host refused.</exception>
    public abstract Task RaiseEventAsync(string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default);

    /// <summary>Ends an instance where it stands.</summary>
    /// <exception cref="DurableTaskClientException">There is no such instance, it has ended, or the host refused.</exception>
    public abstract Task TerminateInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default);

    /// <summary>Holds an instance; events for it are kept.</summary>
    /// <exception cref="DurableTaskClientException">There is no such instance, it has ended, or the host refused.</exception>
    public abstract Task SuspendInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default);

    /// <summary>Lets a held instance go on.</summary>
    /// <exception cref="DurableTaskClientException">There is no such instance, it has ended, or the host refused.</exception>
    public abstract Task ResumeInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default);

    /// <summary>Deletes the record of an instance that has ended.</summary>
    /// <exception cref="DurableTaskClientException">It has not ended, or the host refused.</exception>
    public abstract Task<PurgeResult> PurgeInstanceAsync(string instanceId, CancellationToken cancellation = default);
}

/// <summary>How an orchestration is started.</summary>
/// <param name="InstanceId">The instance's id; one is made up when null.</param>
public sealed record StartOrchestrationOptions(string? InstanceId = null);

/// <summary>What a purge did.</summary>
/// <param name="PurgedInstanceCount">Instances deleted: 0 when there was none.</param>
public sealed record PurgeResult(int PurgedInstanceCount);
