using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Tests.Replay;

/// <summary>History events, as the host would write them.</summary>
internal static class Happened
{
    public const string InstanceId = "abc";

    public static readonly DateTime Noon = new(2026, 1, 2, 12, 0, 0, DateTimeKind.Utc);

    public static HistoryEvent Turn(DateTime at) => new() { EventId = -1, Timestamp = Timestamp.FromDateTime(at), OrchestratorStarted = new() };

    public static HistoryEvent Turn(int secondsPastNoon = 0) => Turn(Noon.AddSeconds(secondsPastNoon));

    public static HistoryEvent TurnEnd() => new() { EventId = -1, OrchestratorCompleted = new() };

    public static HistoryEvent Started(string? input = null, string name = "Main") => new()
    {
        EventId = -1,
        ExecutionStarted = new ExecutionStartedEvent
        {
            Name = name,
            Input = input,
            OrchestrationInstance = new OrchestrationInstance { InstanceId = InstanceId, ExecutionId = "e1" },
        },
    };

    public static HistoryEvent Scheduled(int id, string name) => new() { EventId = id, TaskScheduled = new() { Name = name } };

    public static HistoryEvent Completed(int id, object? value) => CompletedRaw(id, ActivityEnvelope.Ok(value).GetRawText());

    public static HistoryEvent CompletedRaw(int id, string? result) => new() { EventId = -1, TaskCompleted = new() { TaskScheduledId = id, Result = result } };

    public static HistoryEvent Threw(int id, Exception exception) => CompletedRaw(id, ActivityEnvelope.Failed(exception).GetRawText());

    public static HistoryEvent Failed(int id, Microsoft.DurableTask.Protobuf.TaskFailureDetails? details = null)
        => new() { EventId = -1, TaskFailed = new() { TaskScheduledId = id, FailureDetails = details } };

    public static HistoryEvent ChildCreated(int id, string name) => new() { EventId = id, SubOrchestrationInstanceCreated = new() { Name = name } };

    public static HistoryEvent ChildCompleted(int id, string? result)
        => new() { EventId = -1, SubOrchestrationInstanceCompleted = new() { TaskScheduledId = id, Result = result } };

    public static HistoryEvent ChildFailed(int id, Microsoft.DurableTask.Protobuf.TaskFailureDetails? details = null)
        => new() { EventId = -1, SubOrchestrationInstanceFailed = new() { TaskScheduledId = id, FailureDetails = details } };

    public static HistoryEvent TimerCreated(int id) => new() { EventId = id, TimerCreated = new() };

    public static HistoryEvent TimerFired(int id) => new() { EventId = -1, TimerFired = new() { TimerId = id } };

    public static HistoryEvent Sent(int id, string name) => new() { EventId = id, EventSent = new() { Name = name } };

    public static HistoryEvent Raised(string name, string? json = null) => new() { EventId = -1, EventRaised = new() { Name = name, Input = json } };

    public static HistoryEvent Suspended() => new() { EventId = -1, ExecutionSuspended = new() };

    public static HistoryEvent Resumed() => new() { EventId = -1, ExecutionResumed = new() };

    public static HistoryEvent Terminated(string? output = null) => new() { EventId = -1, ExecutionTerminated = new() { Input = output } };
}
