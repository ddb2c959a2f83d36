using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Runs activities, as many at a time as allowed, in the order they were queued.</summary>
internal sealed class ActivityPump(IOrchestrationInvoker invoker, ActivityQueue queue, TimeProvider time, ILogger log)
{
    /// <summary>One runner. A result reaches its instance in memory: if the engine dies before the turn that takes it, the activity runs again.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (true)
        {
            var work = await queue.TakeAsync(ct);
            var completed = await RunAsync(work.InstanceId, work.Scheduled, ct);
            completed.EventId = -1;
            completed.Timestamp = time.GetUtcNow().ToTimestamp();
            work.Instance?.Post(new Message(completed, RowKey: null, work.ExecutionId));
            queue.End(work);
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
