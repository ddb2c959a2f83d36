using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Orchestrations;

/// <summary>The committed history of one execution, and what follows from it: which work is still open.</summary>
internal sealed class ExecutionHistory
{
    private readonly List<HistoryEvent> _events = [];
    private readonly Dictionary<int, HistoryEvent> _open = [];
    private readonly HashSet<int> _usedIds = [];

    public ExecutionHistory(IEnumerable<HistoryEvent> events)
    {
        foreach (var e in events)
        {
            Append(e);
        }
    }

    public IReadOnlyList<HistoryEvent> Events => _events;

    /// <summary>Tasks, timers and sub-orchestrations without their completion, by id.</summary>
    public IReadOnlyDictionary<int, HistoryEvent> Open => _open;

    public bool IsSuspended { get; private set; }

    public DateTimeOffset LastTimestamp { get; private set; }

    public long SizeBytes { get; private set; }

    public bool HasUsed(int id) => _usedIds.Contains(id);

    public void Append(HistoryEvent e)
    {
        _events.Add(e);
        SizeBytes += e.CalculateSize();
        switch (e.EventTypeCase)
        {
            case EventType.OrchestratorStarted:
                LastTimestamp = e.Timestamp.ToDateTimeOffset();
                break;
            case EventType.TaskScheduled or EventType.TimerCreated or EventType.SubOrchestrationInstanceCreated:
                _open.Add(e.EventId, e);
                _usedIds.Add(e.EventId);
                break;
            case EventType.EventSent or EventType.ExecutionCompleted:
                _usedIds.Add(e.EventId);
                break;
            case EventType.ExecutionSuspended:
                IsSuspended = true;
                break;
            case EventType.ExecutionResumed:
                IsSuspended = false;
                break;
            default:
                if (CompletedId(e) is { } id)
                {
                    _open.Remove(id);
                }

                break;
        }
    }

    /// <summary>The id of the task, timer or sub-orchestration that <paramref name="e"/> completes.</summary>
    public static int? CompletedId(HistoryEvent e) => e.EventTypeCase switch
    {
        EventType.TaskCompleted => e.TaskCompleted.TaskScheduledId,
        EventType.TaskFailed => e.TaskFailed.TaskScheduledId,
        EventType.SubOrchestrationInstanceCompleted => e.SubOrchestrationInstanceCompleted.TaskScheduledId,
        EventType.SubOrchestrationInstanceFailed => e.SubOrchestrationInstanceFailed.TaskScheduledId,
        EventType.TimerFired => e.TimerFired.TimerId,
        _ => null,
    };
}
