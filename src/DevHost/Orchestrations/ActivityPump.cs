using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Runs activities, as many at a time as allowed, in the order they were scheduled.</summary>
internal sealed class ActivityPump(IOrchestrationInvoker invoker, TimeProvider time, ILogger log)
{
    private readonly Channel<(LiveInstance Instance, string ExecutionId, HistoryEvent Scheduled)> _queue =
        Channel.CreateUnbounded<(LiveInstance Instance, string ExecutionId, HistoryEvent Scheduled)>();

    /// <summary>Hands an activity out. Its result reaches the instance in memory: if the engine dies before the turn that takes it, it runs again.</summary>
    public void Add(LiveInstance instance, string executionId, HistoryEvent scheduled) => _queue.Writer.TryWrite((instance, executionId, scheduled));

    /// <summary>One runner.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        await foreach (var (instance, executionId, scheduled) in _queue.Reader.ReadAllAsync(ct))
        {
            var completed = await RunAsync(instance.Id, scheduled, ct);
            completed.EventId = -1;
            completed.Timestamp = time.GetUtcNow().ToTimestamp();
            instance.Post(new Message(completed, RowKey: null, executionId));
        }
    }

    private async Task<HistoryEvent> RunAsync(string instanceId, HistoryEvent scheduled, CancellationToken ct)
    {
        var (task, id) = (scheduled.TaskScheduled, scheduled.EventId);
        if (!invoker.HasActivity(task.Name))
        {
            log.LogError("Instance {InstanceId} wants activity {Activity}, which the app does not have.", instanceId, task.Name);
            return Failed(id, null);
        }

        try
        {
            var completed = new HistoryEvent
            {
                TaskCompleted = new TaskCompletedEvent { TaskScheduledId = id, Result = await invoker.InvokeActivityAsync(task.Name, instanceId, task.Input, ct) },
            };
            StoredBytes.Encode(EventPage.Write([completed]), $"The result of activity '{task.Name}'");
            return completed;
        }
        catch (ValueTooLargeException e)
        {
            return Failed(id, new TaskFailureDetails { ErrorType = typeof(InvalidOperationException).FullName, ErrorMessage = e.Message, IsNonRetriable = true });
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            log.LogWarning(e, "Activity {Activity} of instance {InstanceId} failed.", task.Name, instanceId);
            return Failed(id, PlatformFailures.Invocation(task.Name, e));
        }
    }

    private static HistoryEvent Failed(int id, TaskFailureDetails? details) => new() { TaskFailed = new TaskFailedEvent { TaskScheduledId = id, FailureDetails = details } };
}
