namespace Baton.Durable;

/// <summary>Starts, asks about and steers orchestration instances.</summary>
public abstract class DurableTaskClient
{
    /// <summary>Starts an orchestration.</summary>
    /// <param name="orchestratorName">The orchestration's name.</param>
    /// <param name="input">Its input.</param>
    /// <param name="options">The instance's id and version; an id is made up when absent.</param>
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

    /// <summary>Instances that fit a filter, page by page as they are read; all of the task hub when the filter is null.</summary>
    /// <param name="filter">Which, and how many are fetched at a time.</param>
    /// <exception cref="DurableTaskClientException">The host refused.</exception>
    /// <exception cref="NotSupportedException">This client cannot list.</exception>
    public virtual IAsyncEnumerable<OrchestrationMetadata> GetAllInstancesAsync(OrchestrationQuery? filter = null) => throw Unsupported("list instances");

    /// <summary>Waits until an instance is no longer pending: it runs, or has ended already.</summary>
    /// <param name="instanceId">Its id.</param>
    /// <param name="getInputsAndOutputs">Whether input, output and custom status are wanted too.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="DurableTaskClientException">There is no such instance, or the host refused.</exception>
    /// <exception cref="NotSupportedException">This client cannot wait for it.</exception>
    public virtual Task<OrchestrationMetadata> WaitForInstanceStartAsync(
        string instanceId,
        bool getInputsAndOutputs = false,
        CancellationToken cancellation = default)
        => throw Unsupported("wait for a start");

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

    /// <summary>Deletes the records of all instances that fit a filter and have ended.</summary>
    /// <exception cref="DurableTaskClientException">The host refused.</exception>
    /// <exception cref="NotSupportedException">This client cannot purge by filter.</exception>
    public virtual Task<PurgeResult> PurgeAllInstancesAsync(PurgeInstancesFilter filter, CancellationToken cancellation = default) => throw Unsupported("purge by filter");

    /// <summary>Starts a copy of an instance: its orchestration with its input.</summary>
    /// <param name="instanceId">The instance to copy.</param>
    /// <param name="restartWithNewInstanceId">Whether the copy gets an id of its own; otherwise it takes the place of the instance.</param>
    /// <param name="cancellation">Gives up waiting for the answer; the copy may have started.</param>
    /// <returns>The copy's id.</returns>
    /// <exception cref="OrchestrationAlreadyExistsException">The instance that is to be replaced has not ended.</exception>
    /// <exception cref="DurableTaskClientException">There is no such instance, or the host refused.</exception>
    /// <exception cref="NotSupportedException">This client cannot restart.</exception>
    public virtual Task<string> RestartAsync(string instanceId, bool restartWithNewInstanceId = false, CancellationToken cancellation = default)
        => throw Unsupported("restart an instance");

    /// <summary>Has a failed instance run again from where it failed. Not every storage provider of the host can.</summary>
    /// <exception cref="DurableTaskClientException">There is no such instance, it has not failed, or the host refused or cannot (501).</exception>
    /// <exception cref="NotSupportedException">This client cannot rewind.</exception>
    public virtual Task RewindInstanceAsync(string instanceId, string reason, CancellationToken cancellation = default) => throw Unsupported("rewind an instance");

    private NotSupportedException Unsupported(string what) => new($"{GetType().Name} cannot {what}.");
}

/// <summary>How an orchestration is started.</summary>
/// <param name="InstanceId">The instance's id; one is made up when null.</param>
public sealed record StartOrchestrationOptions(string? InstanceId = null)
{
    /// <summary>The instance's version; the host's default when null.</summary>
    public TaskVersion? Version { get; init; }
}

/// <summary>What a purge did.</summary>
/// <param name="PurgedInstanceCount">Instances deleted: 0 when there was none.</param>
public sealed record PurgeResult(int PurgedInstanceCount);
