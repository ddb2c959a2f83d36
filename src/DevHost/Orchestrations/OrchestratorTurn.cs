using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using ActionType = Microsoft.DurableTask.Protobuf.OrchestratorAction.OrchestratorActionTypeOneofCase;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Orchestrations;

/// <summary>The app's answer breaks the protocol. As any failed call of an orchestrator, it fails the instance.</summary>
internal sealed class InvalidResponseException(string message) : Exception(message);

/// <summary>What a turn decided.</summary>
/// <param name="Scheduled">The history events of its actions, in order.</param>
/// <param name="Completion">The end of the execution.</param>
/// <param name="CompletionId">The id of that action.</param>
/// <param name="CustomStatus">JSON text.</param>
/// <param name="Redelivery">Why the same turn is wanted again; nothing else counts then.</param>
internal sealed record TurnDecision(
    IReadOnlyList<HistoryEvent> Scheduled,
    CompleteOrchestrationAction? Completion = null,
    int CompletionId = -1,
    string? CustomStatus = null,
    string? Redelivery = null)
{
    /// <summary>The platform ends the instance.</summary>
    public static TurnDecision Fail(TaskFailureDetails details, string? customStatus = null) => new(
        [],
        new CompleteOrchestrationAction { OrchestrationStatus = OrchestrationStatus.Failed, FailureDetails = details },
        CustomStatus: customStatus);
}

/// <summary>One turn of an orchestrator as the Durable extension does it: the request it sends and how strictly it reads the answer.</summary>
internal static class OrchestratorTurn
{
    /// <summary>The extension's own limit, in UTF-16 bytes.</summary>
    private const int MaxCustomStatusBytes = 16 * 1024;

    /// <summary>The request in base64. As with the extension, executionId is not set.</summary>
    public static string Request(string instanceId, ExecutionHistory past, IEnumerable<HistoryEvent> newEvents, string? defaultVersion)
    {
        var rest = new OrchestratorRequest();
        rest.NewEvents.AddRange(newEvents);
        rest.Properties["IncludeState"] = Value.ForBool(true);
        rest.Properties["IsExtendedSession"] = Value.ForBool(false);
        rest.Properties["ExtendedSessionIdleTimeoutInSeconds"] = Value.ForNumber(0);
        rest.Properties["HttpDefaultAsyncRequestSleepTimeMilliseconds"] = Value.ForNumber(30_000);
        if (defaultVersion is not null)
        {
            rest.Properties["defaultVersion"] = Value.ForString(defaultVersion);
        }

        // Messages one behind the other are one message: the past is sent as it is kept.
        var first = new OrchestratorRequest { InstanceId = instanceId };
        var bytes = new byte[first.CalculateSize() + past.AsPastEvents.Length + rest.CalculateSize()];
        first.WriteTo(bytes.AsSpan(0, first.CalculateSize()));
        past.AsPastEvents.Span.CopyTo(bytes.AsSpan(first.CalculateSize()));
        rest.WriteTo(bytes.AsSpan(first.CalculateSize() + past.AsPastEvents.Length));
        return Convert.ToBase64String(bytes);
    }

    /// <summary>The start of an execution.</summary>
    public static HistoryEvent Started(InstanceRecord record, string? input, Timestamp at)
    {
        var started = new ExecutionStartedEvent
        {
            Name = record.Name,
            Version = record.Version,
            Input = input,
            OrchestrationInstance = new OrchestrationInstance { InstanceId = record.Id, ExecutionId = record.ExecutionId },
        };
        if (record.Parent is { } parent)
        {
            started.ParentInstance = new ParentInstanceInfo
            {
                TaskScheduledId = parent.TaskId,
                Name = parent.Name,
                OrchestrationInstance = new OrchestrationInstance { InstanceId = parent.InstanceId, ExecutionId = parent.ExecutionId },
            };
        }

        return new HistoryEvent { EventId = -1, Timestamp = at, ExecutionStarted = started };
    }

    /// <summary>Reads an answer.</summary>
    /// <exception cref="InvalidResponseException">It says what the extension refuses.</exception>
    public static TurnDecision Read(string base64, ExecutionHistory history, Timestamp at)
    {
        var response = Parse(base64);
        var completions = response.Actions.Where(a => a.OrchestratorActionTypeCase == ActionType.CompleteOrchestration).ToList();
        if (response.RequiresHistory)
        {
            return response.Actions.Count == 0
                ? new TurnDecision([], Redelivery: "the worker asks for the history")
                : throw new InvalidResponseException("The response asks for the history and has actions as well.");
        }

        if (completions.Count > 1)
        {
            throw new InvalidResponseException("The response completes the orchestration more than once.");
        }

        var completion = completions.Count == 0 ? null : Checked(completions[0].CompleteOrchestration);
        if (completion is { OrchestrationStatus: OrchestrationStatus.Failed, FailureDetails.InnerFailure.ErrorType: "System.OutOfMemoryException" })
        {
            return new TurnDecision([], Redelivery: "the worker is out of memory");
        }

        if (response.CustomStatus is { } status && status.Length * sizeof(char) > MaxCustomStatusBytes)
        {
            throw new InvalidResponseException($"The custom status has {status.Length} characters; {MaxCustomStatusBytes / sizeof(char)} are allowed.");
        }

        var scheduled = Scheduled(response, history, at);
        return new TurnDecision(scheduled, completion, completions.Count == 0 ? -1 : completions[0].Id, response.CustomStatus);
    }

    private static OrchestratorResponse Parse(string base64)
    {
        if (string.IsNullOrEmpty(base64))
        {
            throw new InvalidResponseException("The response is empty. One without actions still carries its instance id.");
        }

        try
        {
            return OrchestratorResponse.Parser.ParseFrom(Convert.FromBase64String(base64));
        }
        catch (FormatException e)
        {
            throw new InvalidResponseException($"The response is not base64: {e.Message}");
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidResponseException($"The response is no OrchestratorResponse: {e.Message}");
        }
    }

    private static List<HistoryEvent> Scheduled(OrchestratorResponse response, ExecutionHistory history, Timestamp at)
    {
        var events = new List<HistoryEvent>(response.Actions.Count);
        var ids = new HashSet<int>();
        foreach (var action in response.Actions)
        {
            // Two actions of one id would be told apart by nobody when their completions come.
            if (action.Id < 0 || history.HasUsed(action.Id) || !ids.Add(action.Id))
            {
                throw new InvalidResponseException(string.Create(CultureInfo.InvariantCulture, $"Action id {action.Id} is negative or was used before in this execution."));
            }

            if (Scheduled(action) is { } e)
            {
                e.EventId = action.Id;
                e.Timestamp = at;
                events.Add(e);
            }
        }

        return events;
    }

    private static HistoryEvent? Scheduled(OrchestratorAction action) => action.OrchestratorActionTypeCase switch
    {
        ActionType.CompleteOrchestration => null,
        ActionType.ScheduleTask => new HistoryEvent
        {
            TaskScheduled = new TaskScheduledEvent
            {
                Name = Named(action.ScheduleTask.Name, action),
                Version = action.ScheduleTask.Version,
                Input = action.ScheduleTask.Input,
            },
        },
        ActionType.CreateTimer => new HistoryEvent
        {
            TimerCreated = new TimerCreatedEvent { FireAt = action.CreateTimer.FireAt ?? throw new InvalidResponseException($"Timer {action.Id} has no time.") },
        },
        ActionType.CreateSubOrchestration => new HistoryEvent
        {
            SubOrchestrationInstanceCreated = new SubOrchestrationInstanceCreatedEvent
            {
                InstanceId = InstanceIds.Check(action.CreateSubOrchestration.InstanceId) is { } wrong
                    ? throw new InvalidResponseException($"Sub-orchestration {action.Id}: {wrong}")
                    : action.CreateSubOrchestration.InstanceId,
                Name = Named(action.CreateSubOrchestration.Name, action),
                Version = action.CreateSubOrchestration.Version,
                Input = action.CreateSubOrchestration.Input,
            },
        },
        ActionType.SendEvent => new HistoryEvent
        {
            EventSent = new EventSentEvent
            {
                InstanceId = action.SendEvent.Instance?.InstanceId ?? "",
                Name = Named(action.SendEvent.Name, action),
                Input = action.SendEvent.Data,
            },
        },
        var other => throw new InvalidResponseException($"Action {action.Id} is {other}, which is not accepted here."),
    };

    private static string Named(string name, OrchestratorAction action) =>
        name.Length > 0 ? name : throw new InvalidResponseException($"Action {action.Id} ({action.OrchestratorActionTypeCase}) has no name.");

    private static CompleteOrchestrationAction Checked(CompleteOrchestrationAction completion)
    {
        if (completion.OrchestrationStatus is not (OrchestrationStatus.Completed or OrchestrationStatus.Failed or OrchestrationStatus.Terminated or OrchestrationStatus.ContinuedAsNew))
        {
            throw new InvalidResponseException($"An orchestration cannot complete as {completion.OrchestrationStatus}.");
        }

        // Whatever else is carried over is dropped, as the extension does.
        var carried = completion.CarryoverEvents.Where(e => e.EventTypeCase == EventType.EventRaised).ToList();
        completion.CarryoverEvents.Clear();
        completion.CarryoverEvents.AddRange(carried);
        return completion;
    }
}
