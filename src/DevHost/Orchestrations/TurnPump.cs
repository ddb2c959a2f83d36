using System.Threading.Channels;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Orchestrations;

/// <summary>Runs the turns of instances that have something new: takes their messages, calls the orchestrator, commits what it decided, settles it.</summary>
internal sealed class TurnPump(
    HubStore store,
    InstanceDirectory directory,
    Settlement settlement,
    HistoryCache cache,
    TimerQueue timers,
    ChannelReader<LiveInstance> ready,
    IOrchestrationInvoker invoker,
    OrchestrationEngineOptions options,
    StorageRetry retry,
    TimeProvider time,
    ILogger log)
{
    private const int MaxMessagesPerTurn = 200;

    private sealed record Turn(InstanceRecord Record, ExecutionHistory History, IReadOnlyList<HistoryEvent> NewEvents, IReadOnlyList<Message> Taken, DateTimeOffset At);

    /// <summary>One runner.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        await foreach (var instance in ready.ReadAllAsync(ct))
        {
            TimeSpan? wait;
            try
            {
                wait = await RunTurnAsync(instance, ct);
                instance.Faults = 0;
            }
            catch (Exception e) when (!ct.IsCancellationRequested && StorageRetry.IsStorageFault(e))
            {
                wait = StorageRetry.Delay(instance.Faults++);
                await retry.TakeAsync($"A turn of instance '{instance.Id}'", e, ct);
                await retry.UntilDoneAsync($"Reading instance '{instance.Id}'", token => directory.ReloadAsync(instance, token), ct);
            }

            if (wait is { } delay)
            {
                timers.Add(time.GetUtcNow() + delay, () => instance.Rest(again: true));
            }
            else
            {
                // An execution that has no history yet has its first turn to come, whether or not there is a message.
                instance.Rest(again: !instance.Removed.IsCompleted && !instance.Record.IsFinished && !instance.Record.HasHistory);
            }
        }
    }

    /// <returns>How long to wait before the same turn is done again; null when it is done.</returns>
    private async Task<TimeSpan?> RunTurnAsync(LiveInstance instance, CancellationToken ct)
    {
        if (instance.Removed.IsCompleted)
        {
            // A timer or an activity that nobody waits for any more.
            instance.SetRemoved();
            return null;
        }

        // It was dropped to save memory, or the instance is new here.
        var history = instance.History ?? await directory.ReloadAsync(instance, ct);
        if (history is null)
        {
            return null;
        }

        if (instance.NeedsSettling)
        {
            await settlement.SettleAllAsync(instance, history, ct);
            instance.NeedsSettling = false;
        }

        if (instance.Record.IsFinished || await BeginAsync(instance, history, ct) is not { } turn)
        {
            return null;
        }

        var decision = await DecideAsync(turn, ct);
        if (decision.Redelivery is { } reason)
        {
            if (instance.Redeliveries++ < options.MaxRedeliveries)
            {
                return StorageRetry.Delay(instance.Redeliveries);
            }

            decision = TurnDecision.Fail(PlatformFailures.Of("System.InvalidOperationException", $"The turn was delivered {options.MaxRedeliveries + 1} times: {reason}."));
        }

        instance.Redeliveries = 0;
        try
        {
            await CommitAsync(instance, turn, decision, ct);
        }
        catch (ValueTooLargeException e)
        {
            await CommitAsync(instance, turn, decision = TurnDecision.Fail(PlatformFailures.Of("System.InvalidOperationException", e.Message)), ct);
        }

        await settlement.SettleAsync(instance, turn.Record.ExecutionId, decision.Scheduled, isRepeat: false, ct);
        return null;
    }

    private async Task<Turn?> BeginAsync(LiveInstance instance, ExecutionHistory history, CancellationToken ct)
    {
        var record = instance.Record;
        var (taken, stale, completed) = (new List<Message>(), new List<Message>(), new HashSet<int>());
        foreach (var message in instance.Peek(MaxMessagesPerTurn))
        {
            // History gets each completion once: of this execution, of something still open, and not twice in one turn.
            var isStale = ExecutionHistory.CompletedId(message.Event) is { } id
                && (!string.Equals(message.ExecutionId, record.ExecutionId, StringComparison.Ordinal) || !history.Open.ContainsKey(id) || !completed.Add(id));
            (isStale ? stale : taken).Add(message);
        }

        instance.Forget(stale);
        if (taken.Count == 0 && record.HasHistory)
        {
            return null;
        }

        var at = Latest([time.GetUtcNow(), history.LastTimestamp, .. taken.Where(m => m.Event.TimerFired is not null).Select(m => m.Event.TimerFired.FireAt.ToDateTimeOffset())]);
        var newEvents = new List<HistoryEvent> { new() { EventId = -1, Timestamp = at.ToTimestamp(), OrchestratorStarted = new OrchestratorStartedEvent() } };
        if (!record.HasHistory)
        {
            newEvents.Add(OrchestratorTurn.Started(record, await store.TextAsync(record.Id, record.Input, ct), at.ToTimestamp()));
            if (record.Carried is not null)
            {
                newEvents.AddRange(EventPage.Read(await store.BytesAsync(record.Id, record.Carried, ct)));
            }
        }

        newEvents.AddRange(taken.Select(m => m.Event));
        return new Turn(record, history, newEvents, taken, at);
    }

    private async Task<TurnDecision> DecideAsync(Turn turn, CancellationToken ct)
    {
        var name = turn.Record.Name;
        if (!invoker.HasOrchestrator(name))
        {
            return TurnDecision.Fail(PlatformFailures.UnknownOrchestrator(name));
        }

        try
        {
            var response = await invoker.InvokeOrchestratorAsync(name, OrchestratorTurn.Request(turn.Record.Id, turn.History.Events, turn.NewEvents), ct);
            var decision = OrchestratorTurn.Read(response, turn.History, turn.At.ToTimestamp());
            return turn.History.SizeBytes <= options.MaxHistoryBytes
                ? decision
                : TurnDecision.Fail(PlatformFailures.Of("System.InvalidOperationException", $"The history has grown beyond {options.MaxHistoryBytes} bytes. Use continue-as-new."));
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // The platform's harsh rule: whatever went wrong with the call, the instance has failed for good.
            log.LogError(e, "A turn of instance {InstanceId} of orchestrator {Orchestrator} failed; the instance fails.", turn.Record.Id, name);
            return TurnDecision.Fail(PlatformFailures.Invocation(name, e));
        }
    }

    private async Task CommitAsync(LiveInstance instance, Turn turn, TurnDecision decision, CancellationToken ct)
    {
        List<HistoryEvent> events =
        [
            .. turn.NewEvents,
            .. decision.Scheduled,
            new HistoryEvent { EventId = -1, Timestamp = turn.At.ToTimestamp(), OrchestratorCompleted = new OrchestratorCompletedEvent() },
        ];
        using var entered = await instance.EnterAsync(ct);
        var (before, history, leftOver) = (instance.Record, turn.History, Enumerable.Empty<string>());
        var draft = await DraftAsync(before, turn, decision, ct);
        if (decision.Completion?.OrchestrationStatus == OrchestrationStatus.ContinuedAsNew)
        {
            leftOver = Enumerable.Range(0, before.Pages).Select(page => HubRows.Page(before.ExecutionId, page));
            (events, history) = ([], new ExecutionHistory([]));
        }
        else
        {
            if (decision.Completion is { } completion)
            {
                events.Add(Completed(completion, decision.CompletionId, turn.At.ToTimestamp()));
            }

            byte[] tail = [.. draft.Tail, .. EventPage.Write(events)];
            draft = tail.Length <= StoredBytes.MaxInlineBytes
                ? draft with { Tail = tail }
                : draft with { Tail = [], Pages = draft.Pages + await store.AddPagesAsync(draft, tail, ct) };
        }

        var committed = await store.UpdateAsync(draft, ct);
        events.ForEach(history.Append);
        instance.Commit(committed, history);
        instance.Forget(turn.Taken);
        instance.LeftOver = [.. instance.LeftOver, .. leftOver, .. before.ValueRows.Except(committed.ValueRows, StringComparer.Ordinal)];
        cache.Use(instance, history.SizeBytes);
    }

    private async Task<InstanceRecord> DraftAsync(InstanceRecord record, Turn turn, TurnDecision decision, CancellationToken ct)
    {
        var (id, executionId) = (record.Id, record.ExecutionId);
        var isLast = decision.Completion is not null;
        var outgoing = decision.Scheduled.Where(e => e.EventTypeCase == EventType.EventSent || (isLast && e.EventTypeCase == EventType.SubOrchestrationInstanceCreated)).ToList();
        record = record with
        {
            UpdatedAt = turn.At,
            Carried = null,
            Status = IsSuspendedAfter(turn) ? OrchestrationStatus.Suspended : OrchestrationStatus.Running,
            CustomStatus = await store.StoreTextAsync(id, executionId, decision.CustomStatus, "The custom status", ct),
            Consumed = [.. record.Consumed, .. turn.Taken.Where(m => m.RowKey is not null).Select(m => m.RowKey!)],
            Outgoing = outgoing.Count == 0 ? null : await store.StoreAsync(id, executionId, EventPage.Write(outgoing), "What a turn sends", ct),
            OutgoingExecutionId = outgoing.Count == 0 ? null : executionId,
        };
        if (decision.Completion is not { } completion)
        {
            return record;
        }

        if (completion.OrchestrationStatus == OrchestrationStatus.ContinuedAsNew)
        {
            var next = Guid.NewGuid().ToString("N");
            return record with
            {
                ExecutionId = next,
                Status = OrchestrationStatus.Running,
                Input = await store.StoreTextAsync(id, next, completion.Result, "The input", ct),
                Carried = completion.CarryoverEvents.Count == 0 ? null : await store.StoreAsync(id, next, EventPage.Write(completion.CarryoverEvents), "What is carried over", ct),
                Pages = 0,
                Tail = [],
            };
        }

        var output = completion.FailureDetails is { } details ? PlatformFailures.Render(details) : completion.Result;
        return record with
        {
            Status = completion.OrchestrationStatus,
            Output = await store.StoreTextAsync(id, executionId, output, "The output", ct),
            Failure = completion.FailureDetails is null ? null : await store.StoreAsync(id, executionId, completion.FailureDetails.ToByteArray(), "The failure", ct),
        };
    }

    private static bool IsSuspendedAfter(Turn turn) => turn.NewEvents.LastOrDefault(e => e.EventTypeCase is EventType.ExecutionSuspended or EventType.ExecutionResumed) is { } last
        ? last.EventTypeCase == EventType.ExecutionSuspended
        : turn.History.IsSuspended;

    private static HistoryEvent Completed(CompleteOrchestrationAction completion, int id, Timestamp at) => new()
    {
        EventId = id,
        Timestamp = at,
        ExecutionCompleted = new ExecutionCompletedEvent
        {
            OrchestrationStatus = completion.OrchestrationStatus,
            Result = completion.Result,
            FailureDetails = completion.FailureDetails,
        },
    };

    private static DateTimeOffset Latest(IEnumerable<DateTimeOffset> times) => times.Max();
}
