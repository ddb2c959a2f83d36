using System.Globalization;
using Baton.DevHost.Orchestrations;
using Baton.OrchestrationApp.RandomPrograms;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>What holds for the history of any instance that has ended, whatever died on the way.</summary>
internal static class HistoryRules
{
    // A timer that is cancelled never fires; programs cancel only those of hours.
    private static readonly TimeSpan CancelledTimer = TimeSpan.FromHours(1);

    /// <summary>Every rule that is broken, in words.</summary>
    public static IEnumerable<string> Violations(InstanceStatus instance, IReadOnlyList<HistoryEvent> history) =>
        instance.IsFinished
            ? [.. TurnViolations(history), .. IdViolations(history), .. CompletionViolations(history), .. EventViolations(history)]
            : [$"It is {instance.RuntimeStatus} although its program has ended."];

    // A turn whose commit was lost leaves nothing: turns neither overlap nor break off, and time does not go back.
    private static IEnumerable<string> TurnViolations(IReadOnlyList<HistoryEvent> history)
    {
        var isOpen = false;
        foreach (var e in history)
        {
            var breaks = e.EventTypeCase switch
            {
                EventType.OrchestratorStarted => isOpen,
                EventType.ExecutionCompleted => isOpen,
                _ => !isOpen,
            };
            isOpen = e.EventTypeCase is not (EventType.OrchestratorCompleted or EventType.ExecutionCompleted);
            if (breaks)
            {
                yield return $"{e.EventTypeCase} is at a wrong place.";
            }
        }

        if (history.Count(e => e.EventTypeCase == EventType.ExecutionStarted) != 1 || history.Count(e => e.EventTypeCase == EventType.ExecutionCompleted) != 1)
        {
            yield return "It does not begin and end once.";
        }

        var starts = history.Where(e => e.EventTypeCase == EventType.OrchestratorStarted).Select(e => e.Timestamp.ToDateTime()).ToList();
        if (!starts.SequenceEqual(starts.Order()))
        {
            yield return "Its turns go back in time.";
        }
    }

    // The worker counts what the code asks for. A number twice, or one left out, is of a turn that should not count.
    private static IEnumerable<string> IdViolations(IReadOnlyList<HistoryEvent> history)
    {
        var ids = history.Where(e => IsScheduled(e) || e.EventTypeCase is EventType.EventSent or EventType.ExecutionCompleted).Select(e => e.EventId).ToList();
        if (!ids.SequenceEqual(Enumerable.Range(0, ids.Count)))
        {
            yield return $"Its actions are numbered {string.Join(' ', ids)}.";
        }
    }

    private static IEnumerable<string> CompletionViolations(IReadOnlyList<HistoryEvent> history)
    {
        var completed = history.Select(Completed).OfType<(EventType, int)>().ToList();
        foreach (var (kind, id) in completed.GroupBy(c => c).Where(same => same.Count() > 1).Select(same => same.Key))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{kind} {id} is completed more than once.");
        }

        var scheduled = history.Where(IsScheduled).ToDictionary(e => (e.EventTypeCase, e.EventId));
        foreach (var (kind, id) in completed.Where(c => !scheduled.ContainsKey(c)))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{kind} {id} is completed but was never scheduled.");
        }

        foreach (var (key, e) in scheduled.Where(s => !completed.Contains(s.Key) && !IsCancelledTimer(s.Value)))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{key.EventTypeCase} {key.EventId} is never completed.");
        }
    }

    // What an orchestration sends itself arrives once, however often its sending is made sure of. (A client sends at least once.)
    private static IEnumerable<string> EventViolations(IReadOnlyList<HistoryEvent> history) => history
        .Where(e => e.EventTypeCase == EventType.EventRaised && StepEvents.IsToSelf(e.EventRaised.Name))
        .GroupBy(e => e.EventRaised.Name, StringComparer.Ordinal)
        .Where(same => same.Count() > 1)
        .Select(same => $"Event {same.Key} arrived {same.Count()} times.");

    private static bool IsScheduled(HistoryEvent e) => e.EventTypeCase is EventType.TaskScheduled or EventType.TimerCreated or EventType.SubOrchestrationInstanceCreated;

    private static bool IsCancelledTimer(HistoryEvent e) =>
        e.EventTypeCase == EventType.TimerCreated && e.TimerCreated.FireAt.ToDateTime() - e.Timestamp.ToDateTime() > CancelledTimer;

    private static (EventType Kind, int Id)? Completed(HistoryEvent e) => e.EventTypeCase switch
    {
        EventType.TaskCompleted => (EventType.TaskScheduled, e.TaskCompleted.TaskScheduledId),
        EventType.TaskFailed => (EventType.TaskScheduled, e.TaskFailed.TaskScheduledId),
        EventType.SubOrchestrationInstanceCompleted => (EventType.SubOrchestrationInstanceCreated, e.SubOrchestrationInstanceCompleted.TaskScheduledId),
        EventType.SubOrchestrationInstanceFailed => (EventType.SubOrchestrationInstanceCreated, e.SubOrchestrationInstanceFailed.TaskScheduledId),
        EventType.TimerFired => (EventType.TimerCreated, e.TimerFired.TimerId),
        _ => null,
    };
}
