using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Orchestrations;

/// <summary>A turn that has begun.</summary>
/// <param name="Record">The instance before it.</param>
/// <param name="History">Committed before it.</param>
/// <param name="NewEvents">What the orchestrator is told.</param>
/// <param name="Taken">The messages among them.</param>
/// <param name="At">Its time.</param>
internal sealed record Turn(InstanceRecord Record, ExecutionHistory History, IReadOnlyList<HistoryEvent> NewEvents, IReadOnlyList<Message> Taken, DateTimeOffset At);

/// <summary>Makes a turn's decision count, in one conditional write: history, outcome, and what it leaves to be done.</summary>
internal sealed class TurnCommit(HubStore store, HistoryCache cache, ActivityQueue activities)
{
    /// <returns>The activities that nobody waits for any more.</returns>
    /// <exception cref="ValueTooLargeException">Something of the decision fits no row; nothing is committed.</exception>
    public async Task<IReadOnlyList<DetachedGroup>> CommitAsync(LiveInstance instance, Turn turn, TurnDecision decision, CancellationToken ct)
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
        var detached = decision.Completion is null ? [] : await DetachAsync(instance, turn, decision, ct);
        draft = draft with { Detached = [.. draft.Detached, .. detached.Select(group => group.RowKey)] };
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
        instance.ForgetTaken();
        instance.LeftOver = [.. instance.LeftOver, .. leftOver.Concat(before.ValueRows.Except(committed.ValueRows, StringComparer.Ordinal)).Select(LeftOverRow.Own)];
        cache.Use(instance, history.SizeBytes);
        return detached;
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
            Outgoing = outgoing.Count == 0 ? null : await store.StoreEventsAsync(id, executionId, outgoing, ct),
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
                Version = completion.NewVersion ?? record.Version,
                Status = OrchestrationStatus.Running,
                Input = await store.StoreTextAsync(id, next, completion.Result, "The input", ct),
                Carried = completion.CarryoverEvents.Count == 0 ? null : await store.StoreEventsAsync(id, next, completion.CarryoverEvents, ct),
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

    /// <summary>Writes down which activities have yet to run, or to end, when their execution is over: those of this turn, and those from before without an end.</summary>
    private async Task<IReadOnlyList<DetachedGroup>> DetachAsync(LiveInstance instance, Turn turn, TurnDecision decision, CancellationToken ct)
    {
        var executionId = turn.Record.ExecutionId;
        var undispatched = instance.Undispatched.ToHashSet();
        var work = new List<ActivityWork>();
        foreach (var e in turn.History.Open.Values.Concat(decision.Scheduled).Where(e => e.EventTypeCase == EventType.TaskScheduled))
        {
            var running = activities.InWork(executionId, e.EventId);
            if (running is not null || !instance.HasDispatched(e.EventId) || undispatched.Contains(e.EventId))
            {
                work.Add(running ?? new ActivityWork(null, turn.Record.Id, executionId, e));
            }
        }

        var (groups, at) = (new List<DetachedGroup>(), 0);
        foreach (var (rowKey, count) in await store.AddDetachedAsync(turn.Record.Id, executionId, [.. work.Select(w => w.Scheduled)], ct))
        {
            groups.Add(new DetachedGroup(turn.Record.Id, rowKey, work[at..(at += count)]));
        }

        return groups;
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
}
