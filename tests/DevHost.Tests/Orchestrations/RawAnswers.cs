using System.Globalization;
using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Answers of an orchestrator, action by action.</summary>
internal static class RawAnswers
{
    public static string Of(params OrchestratorAction[] actions)
    {
        var response = new OrchestratorResponse { InstanceId = "x" };
        response.Actions.AddRange(actions);
        return Convert.ToBase64String(response.ToByteArray());
    }

    public static OrchestratorAction Task(string name, int id, int? input = null) =>
        new() { Id = id, ScheduleTask = new ScheduleTaskAction { Name = name, Input = input?.ToString(CultureInfo.InvariantCulture) } };

    public static OrchestratorAction Complete(int id, OrchestrationStatus status, TaskFailureDetails? failure = null, string? result = null) =>
        new() { Id = id, CompleteOrchestration = new CompleteOrchestrationAction { OrchestrationStatus = status, FailureDetails = failure, Result = result } };

    public static OrchestratorAction Child(string name, int id, string instanceId) =>
        new() { Id = id, CreateSubOrchestration = new CreateSubOrchestrationAction { Name = name, InstanceId = instanceId } };

    public static OrchestratorAction Send(string instanceId, int id, string eventName, string data) =>
        new() { Id = id, SendEvent = new SendEventAction { Instance = new OrchestrationInstance { InstanceId = instanceId }, Name = eventName, Data = data } };

    public static OrchestratorAction Timer(int id, DateTimeOffset at) =>
        new() { Id = id, CreateTimer = new CreateTimerAction { FireAt = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(at) } };

    public static OrchestratorRequest Request(string base64) => OrchestratorRequest.Parser.ParseFrom(Convert.FromBase64String(base64));
}
