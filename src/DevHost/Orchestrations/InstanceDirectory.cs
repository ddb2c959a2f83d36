using System.Collections.Concurrent;
using System.Threading.Channels;
using Azure;
using Baton.Storage.Tables;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Which instances there are: the unfinished in memory, the finished in the table.</summary>
internal sealed class InstanceDirectory(HubStore store, ChannelWriter<LiveInstance> ready, HistoryCache cache, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, LiveInstance> _live = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte> _unconfirmed = new(StringComparer.Ordinal);
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
    public async Task LoadOpenAsync(CancellationToken ct)
    {
        var ids = await store.OpenInstancesAsync(ct).ToListAsync(ct);
        await Parallel.ForEachAsync(ids, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = ct }, async (id, token) =>
        {
            if (await store.LoadAsync(id, token) is { Record.IsOpen: true } stored)
            {
                foreach (var (_, key) in await OutgoingAsync(stored.Record, token))
                {
                    _unconfirmed[key] = 0;
                }

                TakeUp(stored);
            }
        });
        foreach (var instance in _live.Values)
        {
            instance.MakeReady();
        }
    }

    /// <summary>An instance that has work to do, from memory, or from the table if the call that started it got no answer.</summary>
    public async Task<LiveInstance?> FindLiveAsync(string id, CancellationToken ct)
    {
        if (Live(id) is { } live)
        {
            return live;
        }

        if (await store.ReadAsync(id, ct) is not { IsOpen: true })
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
    public async Task<InstanceRecord?> CreateAsync(string id, string name, string? input, ParentLink? parent, CancellationToken ct)
    {
        if (Live(id) is { } live)
        {
            return live.Record;
        }

        var now = time.GetUtcNow();
        var executionId = Guid.NewGuid().ToString("N");
        var record = new InstanceRecord
        {
            Id = id,
            Name = name,
            ExecutionId = executionId,
            Status = OrchestrationStatus.Pending,
            CreatedAt = now,
            UpdatedAt = now,
            Parent = parent,
            Input = await store.StoreTextAsync(id, executionId, input, "The input", ct),
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

    /// <summary>Reads an instance again: its history was dropped, or nobody knows whether a write was done.</summary>
    /// <returns>Its history; null when it is gone.</returns>
    public async Task<ExecutionHistory?> ReloadAsync(LiveInstance instance, CancellationToken ct)
    {
        using var entered = await instance.EnterAsync(ct);
        if (await store.LoadAsync(instance.Id, ct) is { } stored)
        {
            instance.Adopt(stored);
            instance.NeedsSettling = true;
            cache.Use(instance, stored.History.SizeBytes);
            return stored.History;
        }

        Remove(instance);
        return null;
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
        : [.. EventPage.Read(await store.BytesAsync(record.Id, record.Outgoing, ct)).Select(e => (e, HubRows.Message(record.OutgoingExecutionId!, e.EventId)))];

    /// <summary>Whether a message's sender may send it again, so that its row, though consumed, is still needed to recognise the repeat.</summary>
    public bool IsUnconfirmed(string rowKey) => _unconfirmed.ContainsKey(rowKey);

    public void SetUnconfirmed(string rowKey) => _unconfirmed[rowKey] = 0;

    public void SetConfirmed(string rowKey) => _unconfirmed.TryRemove(rowKey, out _);

    private async Task<InstanceRecord?> ReplaceAsync(InstanceRecord record, CancellationToken ct)
    {
        if (await TakeUpUnderLockAsync(record.Id, ct) is { } live)
        {
            return live.Record;
        }

        // What the finished one did not take is not for the new one.
        await store.DeleteRowsAsync(record.Id, HubRows.IsMessage, ct);
        var finished = await store.ReadAsync(record.Id, ct);
        await store.UpdateAsync(record with { ETag = finished?.ETag ?? ETag.All }, ct);
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

        if (await store.LoadAsync(id, ct) is not { Record.IsOpen: true } stored)
        {
            return null;
        }

        var instance = TakeUp(stored);
        instance.MakeReady();
        return instance;
    }

    private LiveInstance TakeUp(StoredInstance stored)
    {
        var instance = new LiveInstance(stored, ready) { NeedsSettling = true };
        _live[instance.Id] = instance;
        cache.Use(instance, stored.History.SizeBytes);
        return instance;
    }

    private sealed class Exit(SemaphoreSlim gate) : IDisposable
    {
        public void Dispose() => gate.Release();
    }
}
