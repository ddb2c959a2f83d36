using Microsoft.DurableTask.Protobuf;
using ActionKind = Microsoft.DurableTask.Protobuf.OrchestratorAction.OrchestratorActionTypeOneofCase;
using EventKind = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.Durable.Replay;

/// <summary>
/// What the code has asked for: actions under ids counted from 0, each unsent until the history confirms it, and the
/// open tasks that wait for their outcomes. Replay asks for the same things in the same order, hence under the same ids.
/// </summary>
internal sealed class ActionLedger
{
    private readonly SortedDictionary<int, OrchestratorAction> _unsent = [];
    private readonly Dictionary<int, OpenTask> _open = [];

    /// <summary>Actions the history does not hold yet, by ascending id.</summary>
    public IEnumerable<OrchestratorAction> Unsent => _unsent.Values;

    /// <summary>The id of the next action.</summary>
    public int NextId { get; private set; }

    /// <summary>Whether an outcome may still come from the host. Cancelled timers don't count.</summary>
    public bool HasOpenTasks => _open.Count > 0;

    /// <summary>Gives <paramref name="action"/> its id and keeps it for sending.</summary>
    public void Add(OrchestratorAction action)
    {
        action.Id = NextId++;
        _unsent.Add(action.Id, action);
    }

    /// <summary>
    /// As <see cref="Add"/>; the task ends with the action's outcome: the JSON text of its result, or
    /// <see cref="TaskFailedException"/>.
    /// </summary>
    public Task<string?> AddAwaited(OrchestratorAction action)
    {
        Add(action);
        var task = new OpenTask(action);
        _open.Add(action.Id, task);
        return task.Outcome.Task;
    }

    /// <summary>Stops waiting for the outcome of an action, and ends its task as cancelled. The action itself stands.</summary>
    public void Abandon(int id, CancellationToken cancellationToken)
    {
        if (_open.Remove(id, out OpenTask? task))
        {
            task.Outcome.TrySetCanceled(cancellationToken);
        }
    }

    /// <summary>The history holds the event of an action: it must be the one that the code asked for. Inputs and times are not compared.</summary>
    /// <exception cref="NonDeterminismException">It is not.</exception>
    public void Confirm(HistoryEvent recorded)
    {
        _unsent.TryGetValue(recorded.EventId, out OrchestratorAction? action);
        bool matches = recorded.EventTypeCase switch
        {
            EventKind.TaskScheduled => SameName(action?.ScheduleTask?.Name, recorded.TaskScheduled.Name),
            EventKind.SubOrchestrationInstanceCreated => SameName(action?.CreateSubOrchestration?.Name, recorded.SubOrchestrationInstanceCreated.Name),
            EventKind.EventSent => SameName(action?.SendEvent?.Name, recorded.EventSent.Name),
            _ => action?.CreateTimer is not null,
        };
        if (!matches)
        {
            throw new NonDeterminismException(recorded, action);
        }

        _unsent.Remove(recorded.EventId);
    }

    /// <summary>An action of <paramref name="kind"/> ended well. Repeats and unknown ids are ignored.</summary>
    public void Complete(ActionKind kind, int id, string? result) => Take(kind, id)?.Outcome.SetResult(result);

    /// <summary>An action of <paramref name="kind"/> failed. Repeats and unknown ids are ignored.</summary>
    public void Fail(ActionKind kind, int id, Microsoft.DurableTask.Protobuf.TaskFailureDetails? details)
    {
        if (Take(kind, id) is { } task)
        {
            task.Outcome.SetException(new TaskFailedException(task.Name, id, details.ToDetails()));
        }
    }

    private static bool SameName(string? asked, string recorded) => string.Equals(asked, recorded, StringComparison.OrdinalIgnoreCase);

    private OpenTask? Take(ActionKind kind, int id)
        => _open.TryGetValue(id, out OpenTask? task) && task.Kind == kind && _open.Remove(id) ? task : null;

    private sealed class OpenTask(OrchestratorAction action)
    {
        public ActionKind Kind => action.OrchestratorActionTypeCase;

        public string Name => action.ScheduleTask?.Name ?? action.CreateSubOrchestration?.Name ?? string.Empty;

        // Continuations must run inline: run asynchronously, those of Task.WhenAll would go to the thread pool, outside the turn.
        public TaskCompletionSource<string?> Outcome { get; } = new();
    }
}
