using System.Buffers;
using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Orchestrations;

/// <summary>The committed history of one execution, and what follows from it: which work is still open.</summary>
/// <remarks>
/// The protocol sends the whole history with each turn. It only ever grows, so it is kept in the form in which it is sent: a turn
/// encodes what is new, and past events cost a copy of bytes.
/// </remarks>
internal sealed class ExecutionHistory
{
    // In front of each past event of an OrchestratorRequest: the field and "a length follows".
    private const byte PastEventTag = (OrchestratorRequest.PastEventsFieldNumber << 3) | 2;

    private readonly ArrayBufferWriter<byte> _encoded = new();
    private readonly Dictionary<int, HistoryEvent> _open = [];
    private readonly HashSet<int> _usedIds = [];

    public ExecutionHistory(IEnumerable<HistoryEvent> events)
    {
        foreach (var e in events)
        {
            Append(e);
        }
    }

    /// <summary>Tasks, timers and sub-orchestrations without their completion, by id.</summary>
    public IReadOnlyDictionary<int, HistoryEvent> Open => _open;

    public bool IsSuspended { get; private set; }

    public DateTimeOffset LastTimestamp { get; private set; }

    public long SizeBytes => _encoded.WrittenCount;

    /// <summary>The events as the past events of an OrchestratorRequest.</summary>
    public ReadOnlyMemory<byte> AsPastEvents => _encoded.WrittenMemory;

    public IReadOnlyList<HistoryEvent> Events() => OrchestratorRequest.Parser.ParseFrom(_encoded.WrittenSpan).PastEvents;

    public bool HasUsed(int id) => _usedIds.Contains(id);

    public void Append(HistoryEvent e)
    {
        Encode(e);
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

    private void Encode(HistoryEvent e)
    {
        var size = e.CalculateSize();
        var room = _encoded.GetSpan(1 + CodedOutputStream.ComputeLengthSize(size) + size);
        room[0] = PastEventTag;
        var at = 1;
        for (var rest = (uint)size; ; rest >>= 7)
        {
            room[at++] = (byte)(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
            if (rest < 0x80)
            {
                break;
            }
        }

        e.WriteTo(room.Slice(at, size));
        _encoded.Advance(at + size);
    }
}
