using System.Threading.Channels;

namespace Baton.DevHost.Orchestrations;

/// <summary>Activities that an execution left unfinished when it ended, of one row.</summary>
/// <param name="InstanceId">The instance.</param>
/// <param name="RowKey">The row that names them.</param>
/// <param name="Work">They, if this engine knows them; null to read the row.</param>
internal sealed record DetachedGroup(string InstanceId, string RowKey, IReadOnlyList<ActivityWork>? Work = null);

/// <summary>
/// Runs activities whose execution is over: at least once as all others, with results that go nowhere. The instance row names a row that lists them until all have run, even when
/// the instance has finished; an engine that dies leaves that to the next.
/// </summary>
internal sealed class DetachedActivities(HubStore store, InstanceDirectory directory, ActivityQueue queue, StorageRetry retry, ILogger log)
{
    /// <summary>Rows of one instance that may be named at a time. A turn that could add one waits: the instance row must hold their keys.</summary>
    public const int MaxGroups = 64;

    private readonly Channel<DetachedGroup> _begun = Channel.CreateUnbounded<DetachedGroup>();
    private readonly Channel<DetachedGroup> _ended = Channel.CreateUnbounded<DetachedGroup>();
    private readonly Lock _lock = new();
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>Sees to a group, unless it is seen to already.</summary>
    public void Add(DetachedGroup group)
    {
        lock (_lock)
        {
            if (!_known.Add(group.RowKey))
            {
                return;
            }
        }

        _begun.Writer.TryWrite(group);
    }

    /// <summary>Queues the activities. It waits for room; only this loop does.</summary>
    public async Task DispatchAsync(CancellationToken ct)
    {
        await foreach (var group in _begun.Reader.ReadAllAsync(ct))
        {
            IReadOnlyList<ActivityWork> all = group.Work ?? [];
            if (group.Work is null)
            {
                await retry.UntilDoneAsync($"Reading what '{group.InstanceId}' left to run", async token => all = await ReadAsync(group, token), ct);
            }

            var running = new List<Task>(all.Count);
            foreach (var work in all)
            {
                running.Add((await queue.AddAsync(work, ct)).Ended);
            }

            // Its end is seen by the other loop. A runner that is stopped completes nothing, and then the group is the next engine's.
            _ = Task.WhenAll(running).ContinueWith(_ => _ended.Writer.TryWrite(group), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    /// <summary>Notes which groups have run.</summary>
    public async Task EndAsync(CancellationToken ct)
    {
        await foreach (var group in _ended.Reader.ReadAllAsync(ct))
        {
            await retry.UntilDoneAsync($"Noting what '{group.InstanceId}' had left to run", token => EndAsync(group, token), ct);
            lock (_lock)
            {
                _known.Remove(group.RowKey);
            }
        }
    }

    private async Task<IReadOnlyList<ActivityWork>> ReadAsync(DetachedGroup group, CancellationToken ct)
    {
        try
        {
            var (executionId, events) = await store.DetachedAsync(group.InstanceId, group.RowKey, ct);
            return [.. events.Select(e => new ActivityWork(null, group.InstanceId, executionId, e))];
        }
        catch (DamagedInstanceException e)
        {
            log.LogError(e, "What instance {InstanceId} left to run is lost, unless it was purged.", group.InstanceId);
            return [];
        }
    }

    private async Task EndAsync(DetachedGroup group, CancellationToken ct)
    {
        using (await directory.LockAsync(group.InstanceId, ct))
        {
            if (directory.Live(group.InstanceId) is { } live)
            {
                await directory.ChangeAsync(live, record => Without(record, group.RowKey), ct);
            }
            else if (await store.ReadAsync(group.InstanceId, ct) is { Damage: null } record && Without(record, group.RowKey) is { } changed)
            {
                await store.UpdateAsync(changed, ct);
            }
        }

        await store.DeleteRowAsync(group.InstanceId, group.RowKey, ct);
    }

    private static InstanceRecord? Without(InstanceRecord record, string rowKey) =>
        record.Detached.Contains(rowKey, StringComparer.Ordinal) ? record with { Detached = [.. record.Detached.Where(key => key != rowKey)] } : null;
}
