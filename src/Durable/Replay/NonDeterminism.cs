using Microsoft.DurableTask.Protobuf;
using ActionKind = Microsoft.DurableTask.Protobuf.OrchestratorAction.OrchestratorActionTypeOneofCase;
using EventKind = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

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
        EventKind.TaskScheduled => Describe(recorded, recorded.TaskScheduled.Name),
        EventKind.SubOrchestrationInstanceCreated => Describe(recorded, recorded.SubOrchestrationInstanceCreated.Name),
        EventKind.EventSent => Describe(recorded, recorded.EventSent.Name),
        _ => $"{recorded.EventTypeCase} with id {recorded.EventId}",
    };

    private static string Describe(HistoryEvent recorded, string name) => $"{recorded.EventTypeCase} '{name}' with id {recorded.EventId}";

    private static string Describe(OrchestratorAction? action) => action?.OrchestratorActionTypeCase switch
    {
        null => "nothing",
        ActionKind.ScheduleTask => $"activity '{action.ScheduleTask.Name}'",
        ActionKind.CreateSubOrchestration => $"sub-orchestration '{action.CreateSubOrchestration.Name}'",
        ActionKind.CreateTimer => "a timer",
        ActionKind.SendEvent => $"the sending of event '{action.SendEvent.Name}'",
        { } other => other.ToString(),
    };
}
