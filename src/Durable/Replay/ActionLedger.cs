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
    private readonly List<Entry> _entries = [];
    private int _open;

    /// <summary>Actions the history does not hold yet, by ascending id.</summary>
    public IEnumerable<OrchestratorAction> Unsent => _entries.Where(static entry => !entry.IsConfirmed).Select(static entry => entry.Action);

    /// <summary>The id of the next action.</summary>
    public int NextId => _entries.Count;

    /// <summary>Whether an outcome may still come from the host. Cancelled timers don't count.</summary>
    public bool HasOpenTasks => _open > 0;

    /// <summary>The first action that the code, replayed, asked for with another input or time than the history holds.</summary>
    public ReplayDifference? FirstDifference { get; private set; }

    /// <summary>Gives <paramref name="action"/> its id and keeps it for sending.</summary>
    public void Add(OrchestratorAction action) => Add(action, outcome: null);

    /// <summary>
    /// As <see cref="Add(OrchestratorAction)"/>; the task ends with the action's outcome: the JSON text of its result, or
    /// <see cref="TaskFailedException"/>.
    /// </summary>
    public Task<string?> AddAwaited(OrchestratorAction action)
    {
        // Continuations must run inline: run asynchronously, those of Task.WhenAll would go to the thread pool, outside the turn.
        var outcome = new TaskCompletionSource<string?>();
        Add(action, outcome);
        _open++;
        return outcome.Task;
    }

    /// <summary>Stops waiting for the outcome of an action, and ends its task as cancelled. The action itself stands.</summary>
    public void Abandon(int id, CancellationToken cancellationToken) => Close(id)?.TrySetCanceled(cancellationToken);

    /// <summary>
    /// The history holds the event of an action: it must be the one that the code asked for. Another input or time is not refused,
    /// but noted.
    /// </summary>
    /// <exception cref="NonDeterminismException">It is not.</exception>
    public void Confirm(HistoryEvent recorded)
    {
        Entry? entry = Find(recorded.EventId);
        OrchestratorAction? action = entry is { IsConfirmed: false } ? entry.Action : null;
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

        FirstDifference ??= ReplayDifference.Between(recorded, action!);
        entry!.IsConfirmed = true;
    }

    /// <summary>An action of <paramref name="kind"/> ended well. Repeats and unknown ids are ignored.</summary>
    public void Complete(ActionKind kind, int id, string? result)
    {
        if (Find(id)?.Action.OrchestratorActionTypeCase == kind)
        {
            Close(id)?.SetResult(result);
        }
    }

    /// <summary>An action of <paramref name="kind"/> failed. Repeats and unknown ids are ignored.</summary>
    public void Fail(ActionKind kind, int id, Microsoft.DurableTask.Protobuf.TaskFailureDetails? details)
    {
        if (Find(id) is { } entry && entry.Action.OrchestratorActionTypeCase == kind)
        {
            string name = entry.Action.ScheduleTask?.Name ?? entry.Action.CreateSubOrchestration?.Name ?? string.Empty;
            Close(id)?.SetException(new TaskFailedException(name, id, details.ToDetails()));
        }
    }

    private static bool SameName(string? asked, string recorded) => string.Equals(asked, recorded, StringComparison.OrdinalIgnoreCase);

    private void Add(OrchestratorAction action, TaskCompletionSource<string?>? outcome)
    {
        action.Id = _entries.Count;
        _entries.Add(new Entry(action) { Outcome = outcome });
    }

    private Entry? Find(int id) => id >= 0 && id < _entries.Count ? _entries[id] : null;

    private TaskCompletionSource<string?>? Close(int id)
    {
        if (Find(id) is not { Outcome: { } outcome } entry)
        {
            return null;
        }

        entry.Outcome = null;
        _open--;
        return outcome;
    }

    private sealed class Entry(OrchestratorAction action)
    {
        public OrchestratorAction Action => action;

        public bool IsConfirmed { get; set; }

        /// <summary>Of a task that is open; null for one that has ended and for actions that nobody awaits.</summary>
        public TaskCompletionSource<string?>? Outcome { get; set; }
    }
}
