using System.Collections.Concurrent;
using System.Threading.Channels;
using Azure;
using Baton.Storage.Tables;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>An instance to be made.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">The orchestrator.</param>
/// <param name="Version">As the orchestrator is told; null for none.</param>
/// <param name="Input">JSON text.</param>
/// <param name="Parent">Who waits for it.</param>
internal sealed record NewInstance(string Id, string Name, string? Version, string? Input, ParentLink? Parent);

/// <summary>Which instances there are: the unfinished in memory, the finished in the table.</summary>
/// <param name="store">The hub's table.</param>
/// <param name="ready">Instances with something to do.</param>
/// <param name="cache">Bounds the histories in memory.</param>
/// <param name="assertOwner">Throws when this engine has lost the hub.</param>
/// <param name="time">For stamps.</param>
/// <param name="log">For damage.</param>
internal sealed class InstanceDirectory(
    HubStore store,
    ChannelWriter<LiveInstance> ready,
    HistoryCache cache,
    Func<CancellationToken, Task> assertOwner,
    TimeProvider time,
    ILogger log)
{
    private readonly ConcurrentDictionary<string, LiveInstance> _live = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte> _unconfirmed = new(StringComparer.Ordinal);
    private volatile bool _allSendersKnown;
    private readonly SemaphoreSlim[] _gates = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];

    public int LiveCount => _live.Count;

    public LiveInstance? Live(string id) => _live.GetValueOrDefault(id);

    /// <summary>Whoever holds this may make or remove the instance. One that is just finishing is waited for: its last messages would be lost with its row.</summary>
    public async Task<IDisposable> LockAsync(string id, CancellationToken ct)
    {
        var gate = _gates[(uint)StringComparer.Ordinal.GetHashCode(id) % (uint)_gates.Length];
        while (true)
        {
            await gate.WaitAsync(ct);
            if (Live(id) is not { Record.IsFinished: true } finishing)
            {
                return new Exit(gate);
            }

            gate.Release();
            await finishing.Removed.WaitAsync(ct);
        }
    }

    /// <summary>Takes up all unfinished instances. Nothing may run before it has ended: see <see cref="IsUnconfirmed"/>.</summary>
    /// <returns>What finished ones left to run.</returns>
    public async Task<IReadOnlyCollection<DetachedGroup>> LoadOpenAsync(CancellationToken ct)
    {
        var detached = new ConcurrentBag<DetachedGroup>();
        var ids = await store.OpenInstancesAsync(ct).ToListAsync(ct);
        await Parallel.ForEachAsync(ids, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = ct }, async (id, token) =>
        {
            try
            {
                await LoadOpenAsync(id, detached, token);
            }
            catch (DamagedInstanceException e)
            {
                await FailDamagedAsync(e, token);
            }
        });
        foreach (var instance in _live.Values)
        {
            instance.MakeReady();
        }

        return detached;
    }

    /// <summary>Takes up what an engine that did not know yet that it had lost the hub has begun after <see cref="LoadOpenAsync(CancellationToken)"/> had looked.</summary>
    /// <returns>What finished ones left to run.</returns>
    public async Task<IReadOnlyCollection<DetachedGroup>> LoadStragglersAsync(CancellationToken ct)
    {
        var detached = new List<DetachedGroup>();
        foreach (var id in await store.OpenInstancesAsync(ct).ToListAsync(ct))
        {
            if (await FindLiveAsync(id, ct) is null && await store.ReadAsync(id, ct) is { } settled)
            {
                detached.AddRange(settled.Detached.Select(rowKey => new DetachedGroup(id, rowKey)));
            }
        }

        _allSendersKnown = true;
        return detached;
    }

    /// <summary>An instance that has work to do, from memory, or from the table if the call that started it got no answer.</summary>
    public async Task<LiveInstance?> FindLiveAsync(string id, CancellationToken ct)
    {
        if (Live(id) is { } live)
        {
            return live;
        }

        if (await store.ReadAsync(id, ct) is not { IsSettled: false })
        {
            return null;
        }

        using var gate = await LockAsync(id, ct);
        return await TakeUpUnderLockAsync(id, ct);
    }

    /// <summary>The instance as committed; null when there is none.</summary>
    public async Task<InstanceRecord?> FindAsync(string id, CancellationToken ct) => Live(id)?.Record ?? await store.ReadAsync(id, ct);

    /// <summary>Makes an instance, in place of a finished one of its id. The caller holds <see cref="LockAsync"/>.</summary>
    /// <returns>The unfinished one that was there instead, or null when the new one was made.</returns>
    public async Task<InstanceRecord?> CreateAsync(NewInstance wanted, CancellationToken ct)
    {
        var id = wanted.Id;
        if (Live(id) is { } live)
        {
            return live.Record;
        }

        var now = time.GetUtcNow();
        var executionId = Guid.NewGuid().ToString("N");
        var record = new InstanceRecord
        {
            Id = id,
            Name = wanted.Name,
            Version = wanted.Version,
            ExecutionId = executionId,
            Status = OrchestrationStatus.Pending,
            CreatedAt = now,
            UpdatedAt = now,
            Parent = wanted.Parent,
            Input = await store.StoreTextAsync(id, executionId, wanted.Input, "The input", ct),
        };
        try
        {
            record = await store.InsertAsync(record, ct);
        }
        catch (RequestFailedException e) when (e.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            return await ReplaceAsync(record, ct);
        }

        TakeUp(new StoredInstance(record, new ExecutionHistory([]), [], [])).MakeReady();
        return null;
    }

    /// <summary>Reads an instance again.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="afterFault">Whether a write may still be on its way, so that it must be taken up again; else its history was only dropped to save memory.</param>
    /// <param name="ct">The engine stops.</param>
    /// <returns>Its history; null when it is gone.</returns>
    /// <exception cref="HubLostException">Another engine has taken it up.</exception>
    public async Task<ExecutionHistory?> ReloadAsync(LiveInstance instance, bool afterFault, CancellationToken ct)
    {
        using var entered = await instance.EnterAsync(ct);
        var found = await store.LoadAsync(instance.Id, ct);
        while (found is { Record.IsOpen: true } && (afterFault || !store.IsOwn(found.Record)))
        {
            if (!store.IsOwn(found.Record))
            {
                await assertOwner(ct);
            }

            if (await store.TryTakeUpAsync(found, ct) is { } taken)
            {
                found = taken;
                break;
            }

            found = await store.LoadAsync(instance.Id, ct);
        }

        if (found is { } stored)
        {
            instance.Adopt(stored);
            instance.NeedsSettling = true;
            cache.Use(instance, stored.History.SizeBytes);
            return stored.History;
        }

        Remove(instance);
        return null;
    }

    /// <summary>Changes the row of an instance outside its turn. When that fails, the instance is read again before its next one.</summary>
    public async Task ChangeAsync(LiveInstance instance, Func<InstanceRecord, InstanceRecord?> change, CancellationToken ct)
    {
        using var entered = await instance.EnterAsync(ct);
        try
        {
            if (change(instance.Record) is { } changed)
            {
                instance.Commit(await store.UpdateAsync(changed, ct), instance.History);
            }
        }
        catch (Exception e) when (!ct.IsCancellationRequested && StorageRetry.IsStorageFault(e))
        {
            instance.SetStale();
            throw;
        }
    }

    /// <summary>Gives an instance a message, in the table and in memory.</summary>
    /// <param name="receiver">The instance.</param>
    /// <param name="make">The message; null when it has it already. Called while nobody else gives it one.</param>
    /// <param name="ct">Gives up; whether it was given is then unknown.</param>
    /// <returns>Whether the instance still runs.</returns>
    public async Task<bool> DeliverAsync(LiveInstance receiver, Func<StoredMessage?> make, CancellationToken ct)
    {
        using var entered = await receiver.EnterAsync(ct);
        if (receiver.Record.IsFinished)
        {
            return false;
        }

        if (make() is not { } message)
        {
            return true;
        }

        try
        {
            receiver.Commit(await store.AddMessageAsync(receiver.Record, message, ct), receiver.History);
        }
        catch (Exception e) when (ct.IsCancellationRequested || StorageRetry.IsStorageFault(e))
        {
            receiver.SetStale();
            throw;
        }

        receiver.Post(new Message(message.Event, message.RowKey, ExecutionId: null));
        return true;
    }

    /// <summary>
    /// Learns the version of an instance's row, if no more than a message of this engine can have touched it. What the message was is learned when the instance is
    /// read again.
    /// </summary>
    public async Task RefreshAsync(LiveInstance instance, CancellationToken ct)
    {
        using var entered = await instance.EnterAsync(ct);
        var known = instance.Record;
        if (await store.ReadAsync(instance.Id, ct) is { Damage: null } row
            && store.IsOwn(row)
            && (row.ExecutionId, row.Status, row.Pages) == (known.ExecutionId, known.Status, known.Pages)
            && row.Tail.AsSpan().SequenceEqual(known.Tail))
        {
            instance.Commit(known with { ETag = row.ETag }, instance.History);
        }
    }

    /// <summary>Ends an instance whose rows cannot be read.</summary>
    public async Task<InstanceRecord?> FailDamagedAsync(DamagedInstanceException damage, CancellationToken ct)
    {
        log.LogError(damage, "Instance {InstanceId} is damaged and fails.", damage.InstanceId);
        return await store.FailDamagedAsync(damage.InstanceId, damage, time.GetUtcNow(), ct);
    }

    public void Remove(LiveInstance instance)
    {
        cache.Forget(instance);
        _live.TryRemove(KeyValuePair.Create(instance.Id, instance));
        instance.SetRemoved();
    }

    /// <summary>What an instance has sent, each with its row key at the receiver.</summary>
    public async Task<IReadOnlyList<(HistoryEvent Sent, string RowKey)>> OutgoingAsync(InstanceRecord record, CancellationToken ct) => record.Outgoing is null
        ? []
        : [.. EventsOf(record, await store.BytesAsync(record.Id, record.Outgoing, ct)).Select(e => (e, HubRows.Message(record.OutgoingExecutionId!, e.EventId)))];

    /// <summary>Whether a message's sender may send it again, so that its row, though consumed, is still needed to recognise the repeat.</summary>
    /// <remarks>Until the stragglers are taken up, any message from an orchestration may be one of theirs.</remarks>
    public bool IsUnconfirmed(string rowKey) => _unconfirmed.ContainsKey(rowKey) || (!_allSendersKnown && HubRows.IsFromOrchestration(rowKey));

    public void SetUnconfirmed(string rowKey) => _unconfirmed[rowKey] = 0;

    public void SetConfirmed(string rowKey) => _unconfirmed.TryRemove(rowKey, out _);

    private async Task<InstanceRecord?> ReplaceAsync(InstanceRecord record, CancellationToken ct)
    {
        if (await TakeUpUnderLockAsync(record.Id, ct) is { } live)
        {
            return live.Record;
        }

        var finished = await store.ReadAsync(record.Id, ct);
        if (finished is { IsSettled: false })
        {
            // Another engine has put one there since. Who asked tries again, or learns who has the hub.
            throw new RequestFailedException(412, $"Instance '{record.Id}' was begun by another engine in this moment.");
        }

        // What the finished one did not take is not for the new one.
        await store.DeleteRowsAsync(record.Id, HubRows.IsMessage, ct);
        await store.UpdateAsync(record with { ETag = finished?.ETag ?? ETag.All, Detached = finished?.Detached ?? [] }, ct);
        await TakeUpUnderLockAsync(record.Id, ct);
        return null;
    }

    // An unfinished instance that is not in memory: the call that made it got no answer from the table.
    private async Task<LiveInstance?> TakeUpUnderLockAsync(string id, CancellationToken ct)
    {
        if (Live(id) is { } live)
        {
            return live;
        }

        try
        {
            // An engine that has lost the hub must not take it from the one that has it.
            await assertOwner(ct);
            if (await store.TakeUpAsync(id, ct) is not { Record.IsSettled: false } stored)
            {
                return null;
            }

            foreach (var (_, key) in await OutgoingAsync(stored.Record, ct))
            {
                SetUnconfirmed(key);
            }

            var instance = TakeUp(stored);
            instance.MakeReady();
            return instance;
        }
        catch (DamagedInstanceException e)
        {
            await FailDamagedAsync(e, ct);
            return null;
        }
    }

    private async Task LoadOpenAsync(string id, ConcurrentBag<DetachedGroup> detached, CancellationToken ct)
    {
        if (await store.TakeUpAsync(id, ct) is not { } stored)
        {
            return;
        }

        if (stored.Record.IsSettled)
        {
            foreach (var rowKey in stored.Record.Detached)
            {
                detached.Add(new DetachedGroup(id, rowKey));
            }

            return;
        }

        foreach (var (_, key) in await OutgoingAsync(stored.Record, ct))
        {
            _unconfirmed[key] = 0;
        }

        TakeUp(stored);
    }

    private LiveInstance TakeUp(StoredInstance stored)
    {
        var instance = new LiveInstance(stored, ready) { NeedsSettling = true };
        _live[instance.Id] = instance;
        cache.Use(instance, stored.History.SizeBytes);
        return instance;
    }

    private static List<HistoryEvent> EventsOf(InstanceRecord record, byte[] outgoing) => DamagedInstanceException.Guard(record.Id, "What it sends", () => EventPage.Read(outgoing));

    private sealed class Exit(SemaphoreSlim gate) : IDisposable
    {
        public void Dispose() => gate.Release();
    }
}
