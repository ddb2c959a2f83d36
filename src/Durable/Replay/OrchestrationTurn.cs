using System.Runtime.ExceptionServices;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;
using ActionKind = Microsoft.DurableTask.Protobuf.OrchestratorAction.OrchestratorActionTypeOneofCase;
using EventKind = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.Durable.Replay;

/// <summary>
/// One turn of an orchestration: feeds the history to the code, event by event, the past ones first, and runs the code
/// after each until it waits again. What the code asked for beyond the history is the turn's outcome.
/// </summary>
/// <param name="request">The history.</param>
/// <param name="find">The orchestrator of a name, or null when there is none.</param>
/// <param name="loggerFactory">Makes the loggers of the orchestrator and of the turn.</param>
/// <param name="blockingGrace">How long the code may block the turn's thread, in all.</param>
internal sealed class OrchestrationTurn(
    OrchestratorRequest request,
    Func<string, Func<TaskOrchestrationContext, Task<object?>>?> find,
    ILoggerFactory loggerFactory,
    TimeSpan blockingGrace)
{
    // An internal timer by which the platform splits large batches; the code knows nothing of it.
    private const int BatchTimerId = -100;

    private readonly ActionLedger _ledger = new();
    private readonly ExternalEvents _events = new();
    private readonly ReplayClock _clock = new();
    private readonly Queue<HistoryEvent> _heldWhileSuspended = new();
    private readonly ILogger _log = loggerFactory.CreateLogger<OrchestrationTurn>();
    private ReplayContext? _context;
    private Task<object?>? _code;
    private ExecutionTerminatedEvent? _terminated;
    private ExceptionDispatchInfo? _unawaited;
    private bool _isSuspended;

    /// <summary>Why the execution failed in this turn, or null.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Runs the turn on the calling thread.</summary>
    public OrchestratorResponse Run()
    {
        OrchestratorResponse response = RunCode();
        try
        {
            // Only here, outside the turn: a logger may have to wait for its lock.
            Log();
        }
        catch (Exception)
        {
            // The answer is worth more than a line about it, and nobody is left to tell: it was the logger that failed.
        }

        return response;
    }

    private void Log()
    {
        if (Failure is not null)
        {
            _log.LogWarning(Failure, "A turn of orchestration {InstanceId} failed.", request.InstanceId);
        }
        else if (_ledger.FirstDifference is { } difference)
        {
            _log.LogWarning(
                "Orchestration {InstanceId} is not deterministic, or its code was changed while it was running: the {What} with id {Id} was recorded as {Recorded}, "
                + "but replayed the code asks for {Asked}. Instead of the wall clock use CurrentUtcDateTime, instead of Guid.NewGuid NewGuid, and an activity's result "
                + "instead of random values, settings and the environment.",
                request.InstanceId,
                difference.What,
                difference.Id,
                difference.Recorded,
                difference.Asked);
        }
    }

    private OrchestratorResponse RunCode()
    {
        using var thread = new TurnThread(blockingGrace, LogLate);
        OrchestratorAction? completion;
        try
        {
            _clock.IsReplaying = true;
            Feed(request.PastEvents, thread);
            _clock.IsReplaying = false;
            Feed(request.NewEvents, thread);
            completion = Completion(thread);
        }
        catch (Exception error)
        {
            // The history does not fit the code, or code that nobody awaits (async void) threw: what was asked for before is void.
            // What the code did before, where it left its turn, explains more than what came of it.
            return Respond([Failed(Misuse(thread) ?? error)]);
        }

        // A suspended instance sends nothing; once resumed, replay asks for the same actions again.
        IEnumerable<OrchestratorAction> unsent = _isSuspended ? [] : _ledger.Unsent;
        return Respond(completion is null ? unsent : unsent.Append(completion));
    }

    private void LogLate(string operation) => _log.LogWarning(
        "Orchestration {InstanceId} is not deterministic: after the end of a turn came {Operation}, which was not run. {Rule}",
        request.InstanceId,
        operation,
        TurnThread.Rule);

    private void Feed(IEnumerable<HistoryEvent> history, TurnThread thread)
    {
        foreach (HistoryEvent happened in history)
        {
            Apply(happened, thread);
        }
    }

    private void Apply(HistoryEvent happened, TurnThread thread)
    {
        if (_terminated is not null)
        {
            return;
        }

        if (_isSuspended && happened.EventTypeCase is not (EventKind.ExecutionResumed or EventKind.ExecutionTerminated))
        {
            if (happened.EventTypeCase is not EventKind.ExecutionSuspended)
            {
                _heldWhileSuspended.Enqueue(happened);
            }

            return;
        }

        switch (happened.EventTypeCase)
        {
            case EventKind.OrchestratorStarted:
                _clock.UtcNow = happened.Timestamp?.ToDateTime() ?? _clock.UtcNow;
                break;
            case EventKind.ExecutionStarted:
                Start(happened.ExecutionStarted, thread);
                break;
            case EventKind.TimerCreated when happened.EventId == BatchTimerId:
                break;
            case EventKind.TaskScheduled or EventKind.SubOrchestrationInstanceCreated or EventKind.TimerCreated or EventKind.EventSent:
                _ledger.Confirm(happened);
                break;
            case EventKind.TaskCompleted:
                _ledger.Complete(ActionKind.ScheduleTask, happened.TaskCompleted.TaskScheduledId, happened.TaskCompleted.Result);
                break;
            case EventKind.TaskFailed:
                _ledger.Fail(ActionKind.ScheduleTask, happened.TaskFailed.TaskScheduledId, happened.TaskFailed.FailureDetails);
                break;
            case EventKind.SubOrchestrationInstanceCompleted:
                SubOrchestrationInstanceCompletedEvent child = happened.SubOrchestrationInstanceCompleted;
                _ledger.Complete(ActionKind.CreateSubOrchestration, child.TaskScheduledId, child.Result);
                break;
            case EventKind.SubOrchestrationInstanceFailed:
                SubOrchestrationInstanceFailedEvent failedChild = happened.SubOrchestrationInstanceFailed;
                _ledger.Fail(ActionKind.CreateSubOrchestration, failedChild.TaskScheduledId, failedChild.FailureDetails);
                break;
            case EventKind.TimerFired:
                _ledger.Complete(ActionKind.CreateTimer, happened.TimerFired.TimerId, result: null);
                break;
            case EventKind.EventRaised when _context?.Next is not null:
                _events.Keep(happened);
                break;
            case EventKind.EventRaised:
                _events.Raise(happened);
                break;
            case EventKind.ExecutionSuspended:
                _isSuspended = true;
                break;
            case EventKind.ExecutionResumed:
                _isSuspended = false;
                while (_heldWhileSuspended.TryDequeue(out HistoryEvent? held))
                {
                    Apply(held, thread);
                }

                break;
            case EventKind.ExecutionTerminated:
                _terminated = happened.ExecutionTerminated;
                break;
            case EventKind.OrchestratorCompleted or EventKind.ExecutionCompleted or EventKind.ContinueAsNew:
            case EventKind.GenericEvent or EventKind.HistoryState or EventKind.ExecutionRewound:
                break;
            default:
                throw new NotSupportedException(
                    $"The history holds an event that this worker does not know: {happened.EventTypeCase}, id {happened.EventId}.");
        }

        RunPosted(thread);
    }

    // Code that nobody awaits (async void) may throw here. It ends the execution when the whole batch is known, as any other failure does.
    private void RunPosted(TurnThread thread)
    {
        try
        {
            thread.RunPosted();
        }
        catch (Exception error)
        {
            _unawaited ??= ExceptionDispatchInfo.Capture(error);
        }
    }

    private void Start(ExecutionStartedEvent started, TurnThread thread)
    {
        if (_code is not null)
        {
            return;
        }

        _context = new ReplayContext(thread, started, request.InstanceId, ProtocolValues.ToPlain(request.Properties), _ledger, _events, _clock, loggerFactory);
        _code = RunCodeAsync(_context);

        // Awaited here, the end of the code counts only when it is reached inside the turn.
        async Task<object?> RunCodeAsync(ReplayContext context)
        {
            Func<TaskOrchestrationContext, Task<object?>> code = find(started.Name)
                ?? throw new InvalidOperationException($"No orchestrator is named '{started.Name}'.");
            return await code(context).ConfigureAwait(true);
        }
    }

    private static InvalidOperationException? Misuse(TurnThread thread)
        => thread.Misuse is { } misuse ? new($"The orchestrator left its turn ({misuse}). {TurnThread.Rule}") : null;

    /// <summary>How the execution ends with this turn, or null when it goes on.</summary>
    private OrchestratorAction? Completion(TurnThread thread)
    {
        if (_terminated is not null)
        {
            return Complete(new() { OrchestrationStatus = OrchestrationStatus.Terminated, Result = _terminated.Input });
        }

        if (_isSuspended)
        {
            return null;
        }

        _unawaited?.Throw();
        if (_code is null)
        {
            throw new InvalidOperationException("The history holds no ExecutionStarted event.");
        }

        if (Misuse(thread) is { } misuse)
        {
            throw misuse;
        }

        if (_ledger.HasOpenTasks)
        {
            return null;
        }

        if (_code.IsCompleted)
        {
            return _code.IsCompletedSuccessfully ? Succeeded(_code.Result) : Failed(_code.Exception?.InnerException ?? new TaskCanceledException(_code));
        }

        return _events.HasWaiters && _context?.Next is null
            ? null
            : throw new InvalidOperationException(
                "The orchestrator waits, but for nothing that the host could ever complete: "
                + $"no activity, sub-orchestration, timer or external event is open. {TurnThread.Rule}");
    }

    private OrchestratorAction Succeeded(object? result)
    {
        try
        {
            return Complete(Ended(result));
        }
        catch (Exception unwritable)
        {
            // The result has no JSON form: a failure of the code, and what it asked for besides still counts.
            return Failed(unwritable);
        }
    }

    private CompleteOrchestrationAction Ended(object? result)
    {
        if (_context?.Next is not { } next)
        {
            return new() { OrchestrationStatus = OrchestrationStatus.Completed, Result = DurableJson.Write(result) };
        }

        var again = new CompleteOrchestrationAction { OrchestrationStatus = OrchestrationStatus.ContinuedAsNew, Result = next.Input, NewVersion = next.Version };
        again.CarryoverEvents.AddRange(next.KeepsEvents ? _events.Unclaimed : []);
        return again;
    }

    private OrchestratorAction Failed(Exception error)
    {
        Failure = error;
        return Complete(new CompleteOrchestrationAction
        {
            OrchestrationStatus = OrchestrationStatus.Failed,
            FailureDetails = OrchestrationFailure.Describe(error),
        });
    }

    private OrchestratorAction Complete(CompleteOrchestrationAction completion)
        => new() { Id = _ledger.NextId, CompleteOrchestration = completion };

    private OrchestratorResponse Respond(IEnumerable<OrchestratorAction> actions)
    {
        var response = new OrchestratorResponse { InstanceId = request.InstanceId, CustomStatus = _context?.CustomStatus };
        response.Actions.AddRange(actions);
        return response;
    }
}
