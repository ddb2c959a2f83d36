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

/// <summary>
/// A Durable engine of one process, in memory: real orchestrators through the real runner, real activities, real JSON in between. Timers fire after a few
/// milliseconds, with the orchestration's clock moved on as if they had run their time. An instance can be lost at an exact activity, which
/// ends it as the platform does when a handler dies inside a turn: failed for good.
/// </summary>
internal sealed class InProcessEngine(IServiceProvider services, FunctionCatalog catalog) : DurableTaskClient
{
    private readonly ConcurrentDictionary<string, Instance> _instances = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _runs = new(StringComparer.Ordinal);

    /// <summary>Where the next instance is lost; used up by it.</summary>
    public Loss? LoseAt { get; set; }

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

    public override Task RaiseEventAsync(string instanceId, string eventName, object? eventPayload = null, CancellationToken cancellation = default) => throw new NotSupportedException();

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
        var inbox = Channel.CreateUnbounded<HistoryEvent>();
        var clock = DateTime.UtcNow;
        inbox.Writer.TryWrite(new HistoryEvent
        {
            EventId = -1,
            ExecutionStarted = new ExecutionStartedEvent
            {
                Name = instance.Name,
                Input = input,
                OrchestrationInstance = new OrchestrationInstance { InstanceId = instance.Id, ExecutionId = Guid.NewGuid().ToString("N") },
            },
        });
        while (true)
        {
            var arrived = new List<HistoryEvent> { await inbox.Reader.ReadAsync() };
            while (inbox.Reader.TryRead(out var more))
            {
                arrived.Add(more);
            }

            clock = arrived.Where(e => e.TimerFired is not null).Select(e => e.TimerFired.FireAt.ToDateTime()).Append(clock.AddMilliseconds(1)).Max();
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

                past.Add(Take(action, inbox.Writer));
            }
        }
    }

    private HistoryEvent Take(OrchestratorAction action, ChannelWriter<HistoryEvent> inbox)
    {
        if (action.CreateTimer is { } timer)
        {
            _ = FireAsync(action.Id, timer.FireAt, inbox);
            return new HistoryEvent { EventId = action.Id, TimerCreated = new TimerCreatedEvent { FireAt = timer.FireAt } };
        }

        var task = action.ScheduleTask ?? throw new NotSupportedException($"Action {action} is not played here.");
        _ = ActivityAsync(action.Id, task, inbox);
        return new HistoryEvent { EventId = action.Id, TaskScheduled = new TaskScheduledEvent { Name = task.Name, Input = task.Input } };
    }

    private static async Task FireAsync(int id, Timestamp fireAt, ChannelWriter<HistoryEvent> inbox)
    {
        await Task.Delay(5);
        inbox.TryWrite(new HistoryEvent { EventId = -1, TimerFired = new TimerFiredEvent { TimerId = id, FireAt = fireAt } });
    }

    private async Task ActivityAsync(int id, ScheduleTaskAction task, ChannelWriter<HistoryEvent> inbox)
    {
        var nth = _runs.GetValueOrDefault(task.Name) + 1;
        try
        {
            LoseIf(task.Name, after: false, nth);
            if (BeforeActivity is { } before)
            {
                await before(task.Name);
            }

            var answer = await AnswerAsync(task);
            _runs.AddOrUpdate(task.Name, 1, (_, n) => n + 1);
            LoseIf(task.Name, after: true, nth);
            inbox.TryWrite(new HistoryEvent { EventId = -1, TaskCompleted = new TaskCompletedEvent { TaskScheduledId = id, Result = answer } });
        }
        catch (LostException e)
        {
            inbox.TryComplete(e);
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
            return complete.Result;
        }

        instance.End(
            complete.OrchestrationStatus == OrchestrationStatus.Completed ? OrchestrationRuntimeStatus.Completed : OrchestrationRuntimeStatus.Failed,
            complete.FailureDetails is { } failure ? JsonSerializer.Serialize(failure.ToString()) : complete.Result);
        return null;
    }

    private sealed class LostException : Exception;

    private sealed class Instance(string id, string name, string input)
    {
        public string Id { get; } = id;

        public string Name { get; } = name;

        public string Input { get; } = input;

        public OrchestrationRuntimeStatus Status { get; private set; } = OrchestrationRuntimeStatus.Running;

        public string? Output { get; private set; }

        public Task Work { get; set; } = Task.CompletedTask;

        public void End(OrchestrationRuntimeStatus status, string? output)
        {
            Output = output;
            Status = status;
        }
    }
}
