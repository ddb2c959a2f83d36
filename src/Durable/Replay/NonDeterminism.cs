using Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Replay;

/// <summary>The code, replayed, did not do what its history says it did.</summary>
internal sealed class NonDeterminismException(HistoryEvent recorded, OrchestratorAction? action)
    : Exception($"The history says {Describe(recorded)}, but the code, replayed, asked for {Describe(action)} under that id. "
        + "The orchestrator's code is not deterministic, or was changed while this instance was running.")
{
    /// <summary>The error type by which the platform's own workers report this.</summary>
    public const string ErrorType = "DurableTask.Core.Exceptions.NonDeterministicOrchestrationException";

    private static string Describe(HistoryEvent recorded) => recorded.EventTypeCase switch
    {
        HistoryEvent.EventTypeOneofCase.TaskScheduled => $"TaskScheduled '{recorded.TaskScheduled.Name}' with id {recorded.EventId}",
        HistoryEvent.EventTypeOneofCase.SubOrchestrationInstanceCreated => $"SubOrchestrationInstanceCreated '{recorded.SubOrchestrationInstanceCreated.Name}' with id {recorded.EventId}",
        HistoryEvent.EventTypeOneofCase.EventSent => $"EventSent '{recorded.EventSent.Name}' with id {recorded.EventId}",
        _ => $"{recorded.EventTypeCase} with id {recorded.EventId}",
    };

    private static string Describe(OrchestratorAction? action) => action?.OrchestratorActionTypeCase switch
    {
        null => "nothing",
        OrchestratorAction.OrchestratorActionTypeOneofCase.ScheduleTask => $"activity '{action.ScheduleTask.Name}'",
        OrchestratorAction.OrchestratorActionTypeOneofCase.CreateSubOrchestration => $"sub-orchestration '{action.CreateSubOrchestration.Name}'",
        OrchestratorAction.OrchestratorActionTypeOneofCase.CreateTimer => "a timer",
        OrchestratorAction.OrchestratorActionTypeOneofCase.SendEvent => $"the sending of event '{action.SendEvent.Name}'",
        { } other => other.ToString(),
    };
}
