using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Hosting;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Functions.Tests.Doubles;

/// <summary>Where a test lets an instance be lost: before or after the nth run of an activity.</summary>
internal sealed record Loss(string Activity, bool After, int Nth = 1);

/// <summary>When timers go off.</summary>
internal enum Timers
{
    /// <summary>Each after a few milliseconds, whatever else is under way.</summary>
    Soon,

    /// <summary>The next one when nothing else is under way, so that what takes no time by a test's clock takes none: deadlines pass only where nobody comes before them.</summary>
    WhenIdle,

    /// <summary>The next one at once, beside whatever is under way: what hangs, hangs for long.</summary>
    AtOnce,
}

/// <summary>
/// A Durable engine of one process, in memory: real orchestrators through the real runner, real activities, real JSON in between. Timers go off without
/// being waited for (<see cref="Timers"/>), with the orchestration's clock, and but for <see cref="Timers.Soon"/> the test's, moved on as if they had run their time. An instance can be lost at an exact activity, which
/// ends it as the platform does when a handler dies inside a turn: failed for good.
/// </summary>
internal sealed class InProcessEngine(IServiceProvider services, FunctionCatalog catalog) : DurableTaskClient
{
    private readonly ConcurrentDictionary<string, Instance> _instances = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _runs = new(StringComparer.Ordinal);

    /// <summary>Where the next instance is lost; used up by it.</summary>
    public Loss? LoseAt { get; set; }

    /// <summary>When timers go off; may be changed while orchestrations run.</summary>
    public Timers Timers { get; set; }

    /// <summary>Every activity is run twice, as where the answer to its first run was lost.</summary>
    public bool RunsEachTwice { get; set; }

    /// <summary>Runs before each activity.</summary>
    public Func<string, Task>? BeforeActivity { get; set; }

    /// <summary>How often each activity was run to its end.</summary>
    public int Runs(string activity) => _runs.GetValueOrDefault(activity);

    /// <summary>Ids of all instances, in no order.</summary>
    public IReadOnlyCollection<string> InstanceIds => [.. _instances.Keys];

    /// <summary>Waits until an instance has ended.</summary>
    public Task EndOfAsync(string instanceId) => _instances[instanceId].Work.WaitAsync(TimeSpan.FromSeconds(60));

    public override Task<string> ScheduleNewOrchestrationInstanceAsync(TaskName orchestratorName, object? input = null, StartOrchestrationOptions? options = null, CancellationToken cancellation = default)
    {
        var id = options?.InstanceId ?? Guid.NewGuid().ToString("N");
        var instance = new Instance(id, orchestratorName.Name, JsonSerializer.Serialize(input, input?.GetType() ?? typeof(object), BatonJson.Options));
        var present = _instances.AddOrUpdate(id, instance, (_, old) => old.Status is OrchestrationRuntimeStatus.Running ? old : instance);
        if (present != instance)
        {
            throw new OrchestrationAlreadyExistsException(id);
        }

        instance.Work = Task.Run(() => RunAsync(instance), CancellationToken.None);
        return Task.FromResult(id);
    }

    public override Task<OrchestrationMetadata?> GetInstanceAsync(string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default) =>
        Task.FromResult(_instances.TryGetValue(instanceId, out var i)
            ? new OrchestrationMetadata(i.Name, i.Id, i.Status, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow) { SerializedOutput = i.Output }
            : null);

    public override async Task<OrchestrationMetadata> WaitForInstanceCompletionAsync(string instanceId, bool getInputsAndOutputs = false, CancellationToken cancellation = default)
    {
        await EndOfAsync(instanceId);
        return (await GetInstanceAsync(instanceId, getInputsAndOutputs, cancellation))!;
    }

    /// <summary>Forgets an instance, as a task hub that was lost.</summary>
    public override Task<PurgeResult> PurgeInstanceAsync(string instanceId, CancellationToken cancellation = default) =>
        Task.FromResult(new PurgeResult(_instances.TryRemove(instanceId, out _) ? 1 : 0));

    /// <summary>One to an instance that has ended, or that there is not, goes nowhere.</summary>
    public override Task RaiseEventAsync(string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default)
    {
        if (_instances.TryGetValue(instanceId, out var instance))
        {
            instance.Deliver(new HistoryEvent { EventId = -1, EventRaised = new EventRaisedEvent { Name = eventName, Input = JsonSerializer.Serialize(eventPayload, BatonJson.Options) } });
        }

        return Task.CompletedTask;
    }

    public override Task TerminateInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override Task SuspendInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) => throw new NotSupportedException();

    public override Task ResumeInstanceAsync(string instanceId, string? reason = null, CancellationToken cancellation = default) => throw new NotSupportedException();

    private async Task RunAsync(Instance instance)
    {
        try
        {
            var input = instance.Input;
            while (input is not null)
            {
                input = await ExecutionAsync(instance, input);
            }
        }
        catch (LostException)
        {
            instance.End(OrchestrationRuntimeStatus.Failed, "\"the handler died\"");
        }
        catch (Exception e)
        {
            instance.End(OrchestrationRuntimeStatus.Failed, JsonSerializer.Serialize(e.ToString()));
        }
    }

    // One execution, up to its completion; answers the input of the next one, where it continues as new.
    private async Task<string?> ExecutionAsync(Instance instance, string input)
    {
        var past = new List<HistoryEvent>();
        var execution = instance.Begin(new HistoryEvent
        {
            EventId = -1,
            ExecutionStarted = new ExecutionStartedEvent
            {
                Name = instance.Name,
                Input = input,
                OrchestrationInstance = new OrchestrationInstance { InstanceId = instance.Id, ExecutionId = Guid.NewGuid().ToString("N") },
            },
        });
        var time = services.GetRequiredService<TimeProvider>();
        var clock = DateTime.UtcNow;
        while (true)
        {
            var arrived = new List<HistoryEvent> { await NextAsync(execution) };
            while (execution.Inbox.Reader.TryRead(out var more))
            {
                arrived.Add(more);
            }

            clock = arrived.Where(e => e.TimerFired is not null).Select(e => e.TimerFired.FireAt.ToDateTime()).Append(clock.AddMilliseconds(1)).Max();
            clock = Timers == Timers.Soon || time.GetUtcNow().UtcDateTime is var now && now < clock ? clock : now;
            var started = new HistoryEvent { EventId = -1, Timestamp = Timestamp.FromDateTime(clock), OrchestratorStarted = new OrchestratorStartedEvent() };
            var request = new OrchestratorRequest { InstanceId = instance.Id, PastEvents = { past }, NewEvents = { started, arrived } };
            var response = OrchestratorResponse.Parser.ParseFrom(Convert.FromBase64String(OrchestrationRunner.Run(Convert.ToBase64String(request.ToByteArray()), Find)));
            past.Add(started);
            past.AddRange(arrived);
            foreach (var action in response.Actions)
            {
                if (action.CompleteOrchestration is { } complete)
                {
                    return Complete(instance, complete);
                }

                past.Add(Take(action, execution));
            }
        }
    }

    private async Task<HistoryEvent> NextAsync(Execution execution)
    {
        while (Timers != Timers.Soon)
        {
            // First: what an activity answers is there before it is no longer under way.
            var isIdle = execution.UnderWay == 0;
            if (execution.Inbox.Reader.TryRead(out var there))
            {
                return there;
            }

            if ((isIdle || Timers == Timers.AtOnce) && execution.Waiting.TryDequeue(out var id, out var fireAt))
            {
                // Everybody's clock: what comes after a wait must not look as if it came before.
                var time = services.GetRequiredService<TimeProvider>();
                if (time is ShiftedTime shifted && fireAt - time.GetUtcNow().UtcDateTime is var left && left > TimeSpan.Zero)
                {
                    shifted.Advance(left);
                }

                return Fired(id, Timestamp.FromDateTime(fireAt));
            }

            // Looks again now and then, for a test that has changed when timers go off.
            using var look = new CancellationTokenSource(TimeSpan.FromMilliseconds(10));
            try
            {
                await execution.Inbox.Reader.WaitToReadAsync(look.Token);
            }
            catch (OperationCanceledException)
            {
            }
        }

        return await execution.Inbox.Reader.ReadAsync();
    }

    private HistoryEvent Take(OrchestratorAction action, Execution execution)
    {
        if (action.CreateTimer is { } timer)
        {
            if (Timers == Timers.Soon)
            {
                _ = FireAsync(action.Id, timer.FireAt, execution.Inbox.Writer);
            }
            else
            {
                execution.Waiting.Enqueue(action.Id, timer.FireAt.ToDateTime());
            }

            return new HistoryEvent { EventId = action.Id, TimerCreated = new TimerCreatedEvent { FireAt = timer.FireAt } };
        }

        var task = action.ScheduleTask ?? throw new NotSupportedException($"Action {action} is not played here.");
        execution.Began();
        _ = ActivityAsync(action.Id, task, execution);
        return new HistoryEvent { EventId = action.Id, TaskScheduled = new TaskScheduledEvent { Name = task.Name, Input = task.Input } };
    }

    private static async Task FireAsync(int id, Timestamp fireAt, ChannelWriter<HistoryEvent> inbox)
    {
        await Task.Delay(5);
        inbox.TryWrite(Fired(id, fireAt));
    }

    private static HistoryEvent Fired(int id, Timestamp fireAt) => new() { EventId = -1, TimerFired = new TimerFiredEvent { TimerId = id, FireAt = fireAt } };

    private async Task ActivityAsync(int id, ScheduleTaskAction task, Execution execution)
    {
        var inbox = execution.Inbox.Writer;
        var nth = _runs.GetValueOrDefault(task.Name) + 1;
        try
        {
            LoseIf(task.Name, after: false, nth);
            if (BeforeActivity is { } before)
            {
                await before(task.Name);
            }

            var answer = await AnswerAsync(task);
            answer = RunsEachTwice ? await AnswerAsync(task) : answer;
            _runs.AddOrUpdate(task.Name, 1, (_, n) => n + 1);
            LoseIf(task.Name, after: true, nth);
            inbox.TryWrite(new HistoryEvent { EventId = -1, TaskCompleted = new TaskCompletedEvent { TaskScheduledId = id, Result = answer } });
        }
        catch (LostException e)
        {
            inbox.TryComplete(e);
        }
        finally
        {
            execution.Ended();
        }
    }

    private async Task<string> AnswerAsync(ScheduleTaskAction task)
    {
        var function = catalog.Functions.Single(f => f.Trigger is ActivityTriggerAttribute && f.Name == task.Name);
        await using var scope = services.CreateAsyncScope();
        try
        {
            var input = JsonSerializer.Deserialize(task.Input ?? "null", function.TriggerParameter.ParameterType, BatonJson.Options);
            return ActivityEnvelope.Ok(await FunctionCall.RunAsync(function, scope.ServiceProvider, input, client: null, CancellationToken.None)).GetRawText();
        }
        catch (Exception e)
        {
            return ActivityEnvelope.Failed(e).GetRawText();
        }
    }

    private void LoseIf(string activity, bool after, int nth)
    {
        if (LoseAt is { } loss && loss.Activity == activity && loss.After == after && loss.Nth == nth)
        {
            LoseAt = null;
            throw new LostException();
        }
    }

    private Func<TaskOrchestrationContext, Task<object?>>? Find(string name) =>
        catalog.Functions.FirstOrDefault(f => f.Trigger is OrchestrationTriggerAttribute && f.Name == name) is { } orchestrator
            ? context => FunctionCall.RunAsync(orchestrator, services, context, client: null, CancellationToken.None)
            : null;

    private static string? Complete(Instance instance, CompleteOrchestrationAction complete)
    {
        if (complete.OrchestrationStatus == OrchestrationStatus.ContinuedAsNew)
        {
            instance.CarryOver(complete.CarryoverEvents);
            return complete.Result;
        }

        instance.End(
            complete.OrchestrationStatus == OrchestrationStatus.Completed ? OrchestrationRuntimeStatus.Completed : OrchestrationRuntimeStatus.Failed,
            complete.FailureDetails is { } failure ? JsonSerializer.Serialize(failure.ToString()) : complete.Result);
        return null;
    }

    private sealed class LostException : Exception;

    /// <summary>What an execution waits for: events that are there, timers that are not due, activities that are under way.</summary>
    private sealed class Execution
    {
        private int _underWay;

        public Channel<HistoryEvent> Inbox { get; } = Channel.CreateUnbounded<HistoryEvent>();

        public PriorityQueue<int, DateTime> Waiting { get; } = new();

        public int UnderWay => Volatile.Read(ref _underWay);

        public void Began() => Interlocked.Increment(ref _underWay);

        public void Ended() => Interlocked.Decrement(ref _underWay);
    }

    private sealed class Instance(string id, string name, string input)
    {
        private readonly Lock _lock = new();
        private readonly List<HistoryEvent> _undelivered = [];
        private Execution? _execution;

        public string Id { get; } = id;

        public string Name { get; } = name;

        public string Input { get; } = input;

        public OrchestrationRuntimeStatus Status { get; private set; } = OrchestrationRuntimeStatus.Running;

        public string? Output { get; private set; }

        public Task Work { get; set; } = Task.CompletedTask;

        public Execution Begin(HistoryEvent started)
        {
            lock (_lock)
            {
                _execution = new Execution();
                _execution.Inbox.Writer.TryWrite(started);
                _undelivered.ForEach(e => _execution.Inbox.Writer.TryWrite(e));
                _undelivered.Clear();
                return _execution;
            }
        }

        public void Deliver(HistoryEvent raised)
        {
            lock (_lock)
            {
                if (_execution?.Inbox.Writer.TryWrite(raised) != true)
                {
                    _undelivered.Add(raised);
                }
            }
        }

        // Events that were raised and not taken belong to the next execution; answers and timers do not.
        public void CarryOver(IEnumerable<HistoryEvent> untaken)
        {
            lock (_lock)
            {
                _undelivered.AddRange(untaken);
                while (_execution!.Inbox.Reader.TryRead(out var left))
                {
                    if (left.EventRaised is not null)
                    {
                        _undelivered.Add(left);
                    }
                }

                _execution = null;
            }
        }

        public void End(OrchestrationRuntimeStatus status, string? output)
        {
            Output = output;
            Status = status;
        }
    }
}
