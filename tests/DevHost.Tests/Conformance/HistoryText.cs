using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>
/// The normal form of histories: text, one line for each event. What it leaves out or makes alike is listed, with the reasons,
/// in docs/conformance.md; anything else that differs between two histories differs here.
/// </summary>
internal static partial class HistoryText
{
    /// <summary>The lines of an instance and its children.</summary>
    public static string[] Of(IReadOnlyList<InstanceHistory> instances, WorkerKind worker)
    {
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        return [.. instances.SelectMany(instance => Lines(instance, worker)).Select(line => MadeUpId().Replace(line, Named))];

        // Ids that nobody can foretell keep what matters of them: which of them are the same.
        string Named(Match id)
        {
            ids.TryAdd(id.Value, string.Create(CultureInfo.InvariantCulture, $"<id {ids.Count + 1}>"));
            return ids[id.Value];
        }
    }

    private static IEnumerable<string> Lines(InstanceHistory instance, WorkerKind worker)
    {
        var name = instance.Events.FirstOrDefault(e => e.ExecutionStarted is not null)?.ExecutionStarted.Name ?? "?";
        return [$"{name} {instance.Id}", .. SortRuns(Entries(instance.Events, worker)).Select(entry => $"  {entry.Text}")];
    }

    private static IEnumerable<Entry> Entries(IReadOnlyList<HistoryEvent> events, WorkerKind worker)
    {
        Timestamp turn = new();
        foreach (var e in events)
        {
            if (e.EventTypeCase == EventType.OrchestratorStarted)
            {
                turn = e.Timestamp;
            }
            else if (e.EventTypeCase != EventType.OrchestratorCompleted)
            {
                yield return Read(e, turn, worker);
            }
        }
    }

    private static Entry Read(HistoryEvent e, Timestamp turn, WorkerKind worker) => e.EventTypeCase switch
    {
        EventType.TaskCompleted when worker.UsesEnvelopes => FromEnvelope(e.TaskCompleted, worker),
        EventType.TaskCompleted => Completion("TaskCompleted", e.TaskCompleted.TaskScheduledId, PayloadText.InLine(e.TaskCompleted.Result), worker),
        EventType.TaskFailed => Completion("TaskFailed", e.TaskFailed.TaskScheduledId, FailureText.InLine(e.TaskFailed.FailureDetails, worker.FirstId), worker),
        EventType.SubOrchestrationInstanceCompleted => Completion(
            "SubOrchestrationInstanceCompleted",
            e.SubOrchestrationInstanceCompleted.TaskScheduledId,
            PayloadText.InLine(e.SubOrchestrationInstanceCompleted.Result),
            worker),
        EventType.SubOrchestrationInstanceFailed => Completion(
            "SubOrchestrationInstanceFailed",
            e.SubOrchestrationInstanceFailed.TaskScheduledId,
            FailureText.InLine(e.SubOrchestrationInstanceFailed.FailureDetails, worker.FirstId),
            worker),
        EventType.TimerFired => Completion("TimerFired", e.TimerFired.TimerId, string.Empty, worker),
        _ => new Entry(Other(e, turn, worker)),
    };

    private static string Other(HistoryEvent e, Timestamp turn, WorkerKind worker) => e.EventTypeCase switch
    {
        EventType.ExecutionStarted => $"ExecutionStarted {e.ExecutionStarted.Name}{PayloadText.InLine(e.ExecutionStarted.Input)}{Parent(e.ExecutionStarted.ParentInstance, worker)}",
        EventType.TaskScheduled => $"TaskScheduled {Id(e.EventId, worker)} {e.TaskScheduled.Name}{PayloadText.InLine(e.TaskScheduled.Input)}",
        EventType.SubOrchestrationInstanceCreated =>
            $"SubOrchestrationInstanceCreated {Id(e.EventId, worker)} {e.SubOrchestrationInstanceCreated.Name} as {e.SubOrchestrationInstanceCreated.InstanceId}{PayloadText.InLine(e.SubOrchestrationInstanceCreated.Input)}",
        EventType.TimerCreated => $"TimerCreated {Id(e.EventId, worker)} after {Delay(e.TimerCreated.FireAt, turn)}",
        EventType.EventRaised => $"EventRaised {e.EventRaised.Name}{PayloadText.InLine(e.EventRaised.Input)}",
        EventType.EventSent => $"EventSent {Id(e.EventId, worker)} {e.EventSent.Name} to {e.EventSent.InstanceId}{PayloadText.InLine(e.EventSent.Input)}",
        EventType.ExecutionSuspended => $"ExecutionSuspended{PayloadText.InLine(e.ExecutionSuspended.Input)}",
        EventType.ExecutionResumed => $"ExecutionResumed{PayloadText.InLine(e.ExecutionResumed.Input)}",
        EventType.ExecutionTerminated => $"ExecutionTerminated{(e.ExecutionTerminated.Recurse ? " with children" : string.Empty)}{PayloadText.InLine(e.ExecutionTerminated.Input)}",
        EventType.ExecutionCompleted => $"ExecutionCompleted {e.ExecutionCompleted.OrchestrationStatus}{End(e.ExecutionCompleted, worker)}",
        _ => e.EventTypeCase.ToString(),
    };

    private static Entry FromEnvelope(TaskCompletedEvent completed, WorkerKind worker)
    {
        using var envelope = JsonDocument.Parse(completed.Result);
        return envelope.RootElement.TryGetProperty("failed", out var failed)
            ? Completion("TaskFailed", completed.TaskScheduledId, FailureText.InLine(FailureText.FromEnvelope(failed), worker.FirstId), worker)
            : Completion("TaskCompleted", completed.TaskScheduledId, PayloadText.InLine(Value(envelope.RootElement)), worker);
    }

    private static string Value(JsonElement envelope) =>
        envelope.TryGetProperty("okText", out var text) ? text.GetString()! : envelope.GetProperty("ok").GetRawText();

    // The result of a failure is one of the .NET workers' own habits.
    private static string End(ExecutionCompletedEvent completed, WorkerKind worker) => completed.OrchestrationStatus == OrchestrationStatus.Failed
        ? FailureText.InLine(completed.FailureDetails, worker.FirstId)
        : PayloadText.InLine(completed.Result);

    private static string Parent(ParentInstanceInfo? parent, WorkerKind worker) =>
        parent is null ? string.Empty : $" for {parent.Name} {parent.OrchestrationInstance.InstanceId} {Id(parent.TaskScheduledId, worker)}";

    private static string Id(int id, WorkerKind worker) => string.Create(CultureInfo.InvariantCulture, $"#{id - worker.FirstId}");

    // From the time of the turn, which is all that the code knew. The peer's clock counts milliseconds: it drops the rest of the turn's
    // time, all but the last possible tick, which its floating point rounds up. So a whole number of milliseconds comes back from
    // one tick more as well as from all but one millisecond less.
    private static string Delay(Timestamp fireAt, Timestamp turn)
    {
        var ticks = (fireAt.ToDateTime() - turn.ToDateTime()).Ticks;
        return string.Create(CultureInfo.InvariantCulture, $"{(ticks + TimeSpan.TicksPerMillisecond - 2) / TimeSpan.TicksPerMillisecond} ms");
    }

    private static Entry Completion(string what, int id, string rest, WorkerKind worker) => new($"{what} {Id(id, worker)}{rest}", id);

    // Completions with nothing between them came while the code asked for nothing: their order is that of the work, not of the code.
    private static IEnumerable<Entry> SortRuns(IEnumerable<Entry> entries)
    {
        var run = new List<Entry>();
        foreach (var entry in entries.Append(new Entry(string.Empty)))
        {
            if (entry.CompletedId is not null)
            {
                run.Add(entry);
                continue;
            }

            foreach (var completion in run.OrderBy(completion => completion.CompletedId))
            {
                yield return completion;
            }

            run.Clear();
            if (entry.Text.Length > 0)
            {
                yield return entry;
            }
        }
    }

    [GeneratedRegex("[0-9a-f]{32}(:[0-9a-f]{4})?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MadeUpId();

    private sealed record Entry(string Text, int? CompletedId = null);
}
