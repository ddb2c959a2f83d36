using Azure;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>A request about an instance that cannot be done, with the status that the management API answers.</summary>
public sealed class InstanceRequestException(int status, string message) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;
}

/// <summary>An instance as clients see it.</summary>
/// <param name="Name">The orchestrator.</param>
/// <param name="InstanceId">The instance.</param>
/// <param name="RuntimeStatus">Pending, Running, Suspended, Completed, Failed or Terminated.</param>
/// <param name="Input">JSON text.</param>
/// <param name="CustomStatus">JSON text.</param>
/// <param name="Output">JSON text of a completed one; plain text of one that failed or was terminated.</param>
/// <param name="CreatedTime">When it was started (UTC).</param>
/// <param name="LastUpdatedTime">When its last turn ended (UTC).</param>
public sealed record InstanceStatus(
    string Name,
    string InstanceId,
    string RuntimeStatus,
    string? Input,
    string? CustomStatus,
    string? Output,
    DateTimeOffset CreatedTime,
    DateTimeOffset LastUpdatedTime)
{
    /// <summary>Whether it has ended.</summary>
    public bool IsFinished => RuntimeStatus is "Completed" or "Failed" or "Terminated" or "Canceled";
}

/// <summary>What clients can do with the instances of a hub.</summary>
public sealed class InstanceOperations
{
    // How often a message is given again to an instance whose row has changed: for a second and a half.
    private const int MaxDeliveries = 6;

    private readonly HubStore _store;
    private readonly InstanceDirectory _directory;
    private readonly IOrchestrationInvoker _invoker;
    private readonly OrchestrationEngineOptions _options;
    private readonly TimeProvider _time;
    private readonly Func<bool> _isRunning;
    private readonly Func<CancellationToken, Task> _assertOwner;
    private readonly CancellationToken _stopping;

    internal InstanceOperations(
        HubStore store,
        InstanceDirectory directory,
        IOrchestrationInvoker invoker,
        OrchestrationEngineOptions options,
        TimeProvider time,
        Func<bool> isRunning,
        Func<CancellationToken, Task> assertOwner,
        CancellationToken stopping) =>
        (_store, _directory, _invoker, _options, _time, _isRunning, _assertOwner, _stopping) = (store, directory, invoker, options, time, isRunning, assertOwner, stopping);

    /// <summary>Starts an instance. One of this id that has finished is replaced.</summary>
    /// <param name="name">The orchestrator.</param>
    /// <param name="instanceId">The id; null for a new one.</param>
    /// <param name="inputJson">JSON text.</param>
    /// <param name="ct">Gives up; whether it was started is then unknown.</param>
    /// <returns>The id.</returns>
    /// <exception cref="InstanceRequestException">400: no such orchestrator, or a bad id; 409: it runs; 413: the input is too large; 429: too many run.</exception>
    public Task<string> StartAsync(string name, string? instanceId, string? inputJson, CancellationToken ct) => StartAsync(name, instanceId, inputJson, version: null, ct);

    /// <inheritdoc cref="StartAsync(string, string?, string?, CancellationToken)"/>
    /// <param name="name">The orchestrator.</param>
    /// <param name="instanceId">The id; null for a new one.</param>
    /// <param name="inputJson">JSON text.</param>
    /// <param name="version">What the orchestrator is told as its version; null for the default.</param>
    /// <param name="ct">Gives up; whether it was started is then unknown.</param>
    public async Task<string> StartAsync(string name, string? instanceId, string? inputJson, string? version, CancellationToken ct)
    {
        Require(_isRunning(), 503, "The engine is not running.");
        Require(_invoker.HasOrchestrator(name), 400, $"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function.");
        instanceId ??= Guid.NewGuid().ToString("N");
        if (InstanceIds.Check(instanceId) is { } wrong)
        {
            throw new InstanceRequestException(400, wrong);
        }

        Require(_directory.LiveCount < _options.MaxLiveInstances, 429, $"{_options.MaxLiveInstances} instances are unfinished; no more are started.");

        // A client that gives up ends its waiting only: what is in the table must be in memory too.
        try
        {
            await CreateAsync(new NewInstance(instanceId, name, version ?? _options.DefaultVersion, inputJson, Parent: null)).WaitAsync(ct);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new InstanceRequestException(503, "The engine has stopped.");
        }

        return instanceId;
    }

    /// <summary>An instance as committed; null when there is none.</summary>
    public async Task<InstanceStatus?> GetAsync(string instanceId, bool showInput, CancellationToken ct)
    {
        if (InstanceIds.Check(instanceId) is not null)
        {
            return null;
        }

        for (var attempt = 1; await _directory.FindAsync(instanceId, ct) is { } record; attempt++)
        {
            // In the table but not in memory: the start got no answer from the table. Whoever asks after it must not wait for nobody.
            if (record.IsOpen && _isRunning())
            {
                await _directory.FindLiveAsync(instanceId, ct);
            }

            try
            {
                return await StatusAsync(record, showInput, ct);
            }
            catch (DamagedInstanceException) when (attempt < 3)
            {
                // A turn that was committed meanwhile deletes what this record names; the next look finds its record.
            }
            catch (DamagedInstanceException e)
            {
                return await StatusAsync(record with { Input = null, CustomStatus = null, Damage = e.Message }, showInput, ct);
            }
        }

        return null;
    }

    /// <summary>Waits until an instance has ended.</summary>
    /// <returns>As it is then, or when the time is over; null when there is none.</returns>
    public async Task<InstanceStatus?> WaitForCompletionAsync(string instanceId, TimeSpan timeout, CancellationToken ct)
    {
        if (_directory.Live(instanceId) is { } live)
        {
            try
            {
                await live.Removed.WaitAsync(timeout, _time, ct);
            }
            catch (TimeoutException)
            {
                // Then it is answered as it is.
            }
        }

        return await GetAsync(instanceId, showInput: true, ct);
    }

    /// <summary>Instances in the order of their ids.</summary>
    public async Task<(IReadOnlyList<InstanceStatus> Instances, string? Continuation)> ListAsync(InstanceFilter filter, int top, bool showInput, string? continuation, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(filter);
        var (records, next) = await _store.ListAsync(filter.ToOData(), top, continuation, ct);
        var all = new List<InstanceStatus>();
        foreach (var record in records)
        {
            try
            {
                all.Add(await StatusAsync(record, showInput, ct));
            }
            catch (DamagedInstanceException)
            {
                if (await GetAsync(record.Id, showInput, ct) is { } again)
                {
                    all.Add(again);
                }
            }
        }

        return (all, next);
    }

    /// <summary>Sends an event. It waits until the orchestration asks for it.</summary>
    /// <exception cref="InstanceRequestException">404: no such instance; 410: it has ended; 413: too large.</exception>
    public Task RaiseEventAsync(string instanceId, string eventName, string? dataJson, CancellationToken ct) =>
        PostAsync(instanceId, new HistoryEvent { EventRaised = new EventRaisedEvent { Name = eventName, Input = dataJson } }, ct);

    /// <summary>Ends an instance; its orchestrator is told, its activities run on.</summary>
    /// <exception cref="InstanceRequestException">404: no such instance; 410: it has ended.</exception>
    public Task TerminateAsync(string instanceId, string? reason, CancellationToken ct) =>
        PostAsync(instanceId, new HistoryEvent { ExecutionTerminated = new ExecutionTerminatedEvent { Input = reason } }, ct);

    /// <summary>Holds an instance: its messages wait.</summary>
    /// <exception cref="InstanceRequestException">404: no such instance; 410: it has ended.</exception>
    public Task SuspendAsync(string instanceId, string? reason, CancellationToken ct) =>
        PostAsync(instanceId, new HistoryEvent { ExecutionSuspended = new ExecutionSuspendedEvent { Input = reason } }, ct);

    /// <summary>Lets a suspended instance go on.</summary>
    /// <exception cref="InstanceRequestException">404: no such instance; 410: it has ended.</exception>
    public Task ResumeAsync(string instanceId, string? reason, CancellationToken ct) =>
        PostAsync(instanceId, new HistoryEvent { ExecutionResumed = new ExecutionResumedEvent { Input = reason } }, ct);

    /// <summary>Deletes a finished instance.</summary>
    /// <exception cref="InstanceRequestException">404: no such instance; 412: it has not ended.</exception>
    public async Task PurgeAsync(string instanceId, CancellationToken ct)
    {
        Require(_isRunning(), 503, "The engine is not running.");
        Require(InstanceIds.Check(instanceId) is null, 404, NotFound(instanceId));
        using var gate = await _directory.LockAsync(instanceId, ct);
        var record = await _directory.FindAsync(instanceId, ct) ?? throw new InstanceRequestException(404, NotFound(instanceId));
        Require(record.IsSettled, 412, $"Instance '{instanceId}' is {record.Status}; only one that has ended can be purged.");

        // The row that counts goes last: a purge that stops half-way can be done again.
        await _store.DeleteRowsAsync(instanceId, rowKey => !string.Equals(rowKey, InstanceRecord.RowKey, StringComparison.Ordinal), ct);
        try
        {
            await _store.DeleteAsync(record, ct);
        }
        catch (RequestFailedException e) when (e.Status == 412)
        {
            await RequireHubAsync(ct);
            throw new InstanceRequestException(412, $"Instance '{instanceId}' has been started again.");
        }
    }

    /// <summary>Starts the orchestrator of an instance again with the same input.</summary>
    /// <returns>The id of the new instance.</returns>
    /// <exception cref="InstanceRequestException">400: no such instance; otherwise as <see cref="StartAsync(string, string?, string?, CancellationToken)"/>.</exception>
    public async Task<string> RestartAsync(string instanceId, bool withNewId, CancellationToken ct)
    {
        var found = InstanceIds.Check(instanceId) is null ? await _directory.FindAsync(instanceId, ct) : null;
        var record = found ?? throw new InstanceRequestException(400, $"InstanceId does not match a valid orchestration instance: there is no '{instanceId}'.");
        try
        {
            return await StartAsync(record.Name, withNewId ? null : instanceId, await _store.TextAsync(instanceId, record.Input, ct), ct);
        }
        catch (DamagedInstanceException e)
        {
            throw new InstanceRequestException(500, e.Message);
        }
    }

    /// <summary>Would run a failed instance again from where it failed.</summary>
    /// <exception cref="InstanceRequestException">404: no such instance; 412: it has not failed; 501: this engine cannot.</exception>
    public async Task RewindAsync(string instanceId, CancellationToken ct)
    {
        var status = await GetAsync(instanceId, showInput: false, ct) ?? throw new InstanceRequestException(404, NotFound(instanceId));
        Require(status.RuntimeStatus == "Failed", 412, $"Instance '{instanceId}' is {status.RuntimeStatus}; only one that has failed can be rewound.");
        throw new InstanceRequestException(501, "Rewind is not supported by this engine.");
    }

    /// <summary>The committed history of an instance's present execution; empty when there is none, or none that can be read.</summary>
    public async Task<IReadOnlyList<HistoryEvent>> HistoryAsync(string instanceId, CancellationToken ct)
    {
        try
        {
            return InstanceIds.Check(instanceId) is null && await _store.LoadAsync(instanceId, ct) is { } stored ? stored.History.Events() : [];
        }
        catch (DamagedInstanceException)
        {
            return [];
        }
    }

    private async Task CreateAsync(NewInstance wanted)
    {
        using var gate = await _directory.LockAsync(wanted.Id, _stopping);
        try
        {
            var present = await _directory.CreateAsync(wanted, _stopping);
            Require(present is null, 409, $"An orchestration instance with the id '{wanted.Id}' and the status {present?.Status} exists already.");
        }
        catch (ValueTooLargeException e)
        {
            throw new InstanceRequestException(413, e.Message);
        }

        await RequireHubAsync(_stopping);
    }

    private async Task PostAsync(string instanceId, HistoryEvent message, CancellationToken ct)
    {
        Require(_isRunning(), 503, "The engine is not running.");
        Require(InstanceIds.Check(instanceId) is null, 404, NotFound(instanceId));
        var gone = $"Instance '{instanceId}' has ended.";
        for (var attempt = 0; ; attempt++)
        {
            var instance = await _directory.FindLiveAsync(instanceId, ct)
                ?? throw (await _store.ReadAsync(instanceId, ct) is null ? new InstanceRequestException(404, NotFound(instanceId)) : new InstanceRequestException(410, gone));
            try
            {
                Require(await _directory.DeliverAsync(instance, () => Stored(instance), ct), 410, gone);
                await RequireHubAsync(ct);
                return;
            }
            catch (ValueTooLargeException e)
            {
                throw new InstanceRequestException(413, e.Message);
            }
            catch (RequestFailedException e) when (e.Status == 412 && attempt < MaxDeliveries)
            {
                // Either the hub is lost, or a call whose answer was lost has changed the row.
                await RequireHubAsync(ct);
                await _directory.RefreshAsync(instance, ct);
                await Task.Delay(StorageRetry.Delay(attempt), _time, ct);
            }
        }

        StoredMessage Stored(LiveInstance instance)
        {
            Require(message.EventRaised is null || instance.PendingCount < _options.MaxWaitingEvents, 429, $"{_options.MaxWaitingEvents} events wait for instance '{instanceId}'; no more are taken.");
            var now = _time.GetUtcNow();
            (message.EventId, message.Timestamp) = (-1, now.ToTimestamp());
            var sequence = instance.NextSequence(now);
            return new StoredMessage(HubRows.Message(sequence), sequence, message);
        }
    }

    /// <summary>What was just written counts only if this engine still has the hub: its successor does not look for it.</summary>
    private async Task RequireHubAsync(CancellationToken ct)
    {
        try
        {
            await _assertOwner(ct);
        }
        catch (HubLostException e)
        {
            throw new InstanceRequestException(503, e.Message);
        }
    }

    private async Task<InstanceStatus> StatusAsync(InstanceRecord record, bool showInput, CancellationToken ct) => new(
        record.Name,
        record.Id,
        record.Status.ToString(),
        showInput ? await _store.TextAsync(record.Id, record.Input, ct) : null,
        await _store.TextAsync(record.Id, record.CustomStatus, ct),
        record.Damage ?? await _store.TextAsync(record.Id, record.Output, ct),
        record.CreatedAt,
        record.UpdatedAt);

    private static string NotFound(string instanceId) => $"There is no instance '{instanceId}'.";

    private static void Require(bool holds, int status, string otherwise)
    {
        if (!holds)
        {
            throw new InstanceRequestException(status, otherwise);
        }
    }
}
