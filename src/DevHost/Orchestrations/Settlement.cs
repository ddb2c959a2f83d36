using Azure;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Orchestrations;

/// <summary>Makes happen what a committed turn has decided. All of it follows from committed state, so that it can be done again by an engine that knows nothing else.</summary>
internal sealed class Settlement(
    HubStore store,
    InstanceDirectory directory,
    ActivityQueue activities,
    DetachedActivities detached,
    SubOrchestrations children,
    TimerQueue timers,
    StorageRetry retry,
    TimeProvider time,
    ILogger log)
{
    // Sub-orchestrations of one turn that are started at the same time.
    private const int Parallelism = 8;

    /// <summary>Settles an instance that was just read from the table: all of it may have been settled before, by this engine or another.</summary>
    public Task SettleAllAsync(LiveInstance instance, ExecutionHistory history, CancellationToken ct)
    {
        var record = instance.Record;
        return SettleAsync(
            instance,
            record.ExecutionId,
            history,
            record.IsFinished ? [] : [.. history.Open.Values],
            [.. record.Detached.Select(rowKey => new DetachedGroup(record.Id, rowKey))],
            isRepeat: true,
            ct);
    }

    /// <summary>Settles the turn that was just committed.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="executionId">The execution whose turn it was; continue-as-new has begun another.</param>
    /// <param name="history">Of that execution.</param>
    /// <param name="scheduled">What the turn scheduled.</param>
    /// <param name="leftBehind">Activities that the turn left without an execution.</param>
    /// <param name="ct">The engine stops.</param>
    public Task SettleAsync(
        LiveInstance instance,
        string executionId,
        ExecutionHistory history,
        IReadOnlyCollection<HistoryEvent> scheduled,
        IReadOnlyList<DetachedGroup> leftBehind,
        CancellationToken ct) => SettleAsync(instance, executionId, history, scheduled, leftBehind, isRepeat: false, ct);

    /// <summary>Queues activities that have not been queued yet, as far as there is room. For the rest the queue makes the instance ready again.</summary>
    public void Dispatch(LiveInstance instance, ExecutionHistory history)
    {
        var gotSome = false;
        while (instance.Undispatched.TryPeek(out var id))
        {
            if (history.Open.TryGetValue(id, out var scheduled))
            {
                if (!activities.TryAdd(new ActivityWork(instance, instance.Id, instance.Record.ExecutionId, scheduled), gotSome))
                {
                    return;
                }

                gotSome = true;
            }

            instance.Undispatched.Dequeue();
        }
    }

    /// <summary>Ends an instance whose rows cannot be read.</summary>
    public async Task FailDamagedAsync(LiveInstance instance, DamagedInstanceException damage, CancellationToken ct)
    {
        await retry.UntilDoneAsync(
            $"Failing instance '{instance.Id}'",
            async token =>
            {
                using var entered = await instance.EnterAsync(token);
                if (await directory.FailDamagedAsync(damage, token) is { } failed)
                {
                    // What the row can no longer say of its parent, memory may.
                    instance.Commit(failed with { Parent = failed.Parent ?? instance.Record.Parent }, instance.History);
                }
            },
            ct);
        await FinishAsync(instance, ct);
    }

    /// <summary>Deletes rows that no longer count. One that cannot be deleted now is tried again after the next turn, or when the instance is next loaded.</summary>
    public async Task CleanAsync(LiveInstance instance, CancellationToken ct)
    {
        var consumed = instance.Record.Consumed.Where(key => !directory.IsUnconfirmed(key)).ToHashSet(StringComparer.Ordinal);
        var leftOver = instance.LeftOver;
        if (consumed.Count == 0 && leftOver.Count == 0)
        {
            return;
        }

        try
        {
            await store.DeleteRowsAsync(instance.Id, [.. consumed.Select(LeftOverRow.Own), .. leftOver], ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested && StorageRetry.IsStorageFault(e))
        {
            log.LogWarning(e, "Rows of instance {InstanceId} that no longer count could not be deleted yet.", instance.Id);
            return;
        }

        using var entered = await instance.EnterAsync(ct);
        instance.LeftOver = [];
        instance.Commit(instance.Record with { Consumed = [.. instance.Record.Consumed.Where(key => !consumed.Contains(key))] }, instance.History);
    }

    private async Task SettleAsync(
        LiveInstance instance,
        string executionId,
        ExecutionHistory history,
        IReadOnlyCollection<HistoryEvent> scheduled,
        IReadOnlyList<DetachedGroup> leftBehind,
        bool isRepeat,
        CancellationToken ct)
    {
        var record = instance.Record;
        var isOver = record.IsFinished || !string.Equals(record.ExecutionId, executionId, StringComparison.Ordinal);
        var wanted = new List<HistoryEvent>();
        foreach (var e in isOver ? [] : scheduled)
        {
            switch (e.EventTypeCase)
            {
                case EventType.TaskScheduled when instance.TryDispatch(e.EventId):
                    instance.Undispatched.Enqueue(e.EventId);
                    break;
                case EventType.TimerCreated when instance.TryDispatch(e.EventId):
                    Arm(instance, executionId, e);
                    break;
                case EventType.SubOrchestrationInstanceCreated when instance.TryDispatch(e.EventId):
                    wanted.Add(e);
                    break;
                default:
                    break;
            }
        }

        Dispatch(instance, history);
        foreach (var group in leftBehind)
        {
            detached.Add(group);
        }

        await Parallel.ForEachAsync(
            wanted,
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = ct },
            async (e, token) => await children.StartAsync(instance, executionId, e, isRepeat, token));
        if (record.Outgoing is not null)
        {
            await SendAsync(instance, ct);
        }

        await CleanAsync(instance, ct);
        if (record.IsFinished)
        {
            await FinishAsync(instance, ct);
        }
    }

    private void Arm(LiveInstance instance, string executionId, HistoryEvent created)
    {
        var (fireAt, id) = (created.TimerCreated.FireAt, created.EventId);
        timers.Add(fireAt.ToDateTimeOffset(), () => instance.Post(new Message(
            new HistoryEvent
            {
                EventId = -1,
                Timestamp = time.GetUtcNow().ToTimestamp(),
                TimerFired = new TimerFiredEvent { FireAt = fireAt, TimerId = id },
            },
            RowKey: null,
            executionId)));
    }

    private async Task SendAsync(LiveInstance instance, CancellationToken ct)
    {
        IReadOnlyList<(HistoryEvent Sent, string RowKey)> outgoing = [];
        await retry.UntilDoneAsync($"Reading what '{instance.Id}' sends", async token => outgoing = await directory.OutgoingAsync(instance.Record, token), ct);
        var executionId = instance.Record.OutgoingExecutionId!;

        // Whom a turn starts can get what the same turn sends, in whatever order it asked for the two.
        foreach (var (sent, rowKey) in outgoing.OrderBy(o => o.Sent.EventTypeCase == EventType.SubOrchestrationInstanceCreated ? 0 : 1))
        {
            if (sent.EventTypeCase == EventType.SubOrchestrationInstanceCreated)
            {
                await children.StartAsync(instance, executionId, sent, isRepeat: true, ct);
            }
            else
            {
                directory.SetUnconfirmed(rowKey);
                await retry.UntilDoneAsync($"Sending an event to '{sent.EventSent.InstanceId}'", token => DeliverAsync(sent, rowKey, token), ct);
            }
        }

        await retry.UntilDoneAsync($"Noting what '{instance.Id}' has sent", token => ClearOutgoingAsync(instance, token), ct);
        foreach (var (_, rowKey) in outgoing)
        {
            directory.SetConfirmed(rowKey);
        }
    }

    private async Task DeliverAsync(HistoryEvent sent, string rowKey, CancellationToken ct)
    {
        if (InstanceIds.Check(sent.EventSent.InstanceId) is not null || await directory.FindLiveAsync(sent.EventSent.InstanceId, ct) is not { } receiver)
        {
            log.LogWarning("An event {Event} for instance {InstanceId}, which is not running, is dropped.", sent.EventSent.Name, sent.EventSent.InstanceId);
            return;
        }

        var raised = new HistoryEvent { EventId = -1, Timestamp = sent.Timestamp, EventRaised = new EventRaisedEvent { Name = sent.EventSent.Name, Input = sent.EventSent.Input } };
        try
        {
            await directory.DeliverAsync(
                receiver,
                () => receiver.Record.Consumed.Contains(rowKey, StringComparer.Ordinal) || receiver.HasPending(rowKey)
                    ? null
                    : new StoredMessage(rowKey, receiver.NextSequence(time.GetUtcNow()), raised),
                ct);
        }
        catch (RequestFailedException e) when (e.Status == 412)
        {
            // A call whose answer was lost has changed the row. The receiver's turn would learn it, but it may be the very one that sends.
            await directory.RefreshAsync(receiver, ct);
            throw;
        }
    }

    private async Task ClearOutgoingAsync(LiveInstance instance, CancellationToken ct)
    {
        try
        {
            using var entered = await instance.EnterAsync(ct);
            if (instance.Record.Outgoing is { } sent)
            {
                instance.Commit(await store.UpdateAsync(instance.Record with { Outgoing = null, OutgoingExecutionId = null }, ct), instance.History);
                instance.LeftOver = [.. instance.LeftOver, .. sent.Rows.Select(LeftOverRow.Own)];
            }
        }
        catch (Exception e) when (!ct.IsCancellationRequested && StorageRetry.IsStorageFault(e))
        {
            await directory.ReloadAsync(instance, afterFault: true, ct);
            instance.Wake();
            throw;
        }
    }

    private async Task FinishAsync(LiveInstance instance, CancellationToken ct)
    {
        if (instance.Record.Parent is { } link && directory.Live(link.InstanceId) is { } parent)
        {
            await retry.UntilDoneAsync($"Reading the output of '{instance.Id}'", async token => parent.Post(await children.CompletionAsync(instance.Record, token)), ct);
        }

        directory.Remove(instance);
    }
}
