using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.Invocations;
using Baton.DevHost.FunctionsHost.Queues;
using Baton.DevHost.Orchestrations;

namespace Baton.DevHost.FunctionsHost.Timers;

/// <summary>
/// Runs one timer function at its due times, never twice at once: what falls due while it runs is left out. The schedule's status lives in memory: unlike the
/// real host, which keeps it in a blob, this one makes up for nothing that fell due while it was away.
/// </summary>
internal sealed class TimerLoop(FunctionDefinition function, TimerTrigger trigger, FunctionInvoker invoker, FunctionInputs inputs, OutputSender outputs, TimeProvider time, ILogger logger)
{
    // Timers of the framework end at 49 days.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            var status = trigger.UseMonitor && !trigger.Schedule.IsFasterThanAMinute(time.GetUtcNow());
            DateTimeOffset? last = null;
            if (trigger.RunOnStartup)
            {
                last = time.GetUtcNow();
                await InvokeAsync(status, null, stopping);
            }

            while (trigger.Schedule.Next(time.GetUtcNow()) is { } due)
            {
                // The wait may end a moment early, which must not run the function twice for one due time.
                for (var now = time.GetUtcNow(); now < due; now = time.GetUtcNow())
                {
                    await Task.Delay(due - now < LongestWait ? due - now : LongestWait, time, stopping);
                }

                await InvokeAsync(status, last, stopping);
                last = due;
            }

            logger.LogWarning("The schedule of {Function} has no due time left", function.Name);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async Task InvokeAsync(bool withStatus, DateTimeOffset? last, CancellationToken stopping)
    {
        try
        {
            var data = inputs.Values(function);
            data[trigger.Binding] = Value(withStatus, last);
            var answer = await invoker.InvokeAsync(function, data, [], stopping);
            await outputs.SendAsync(function, answer, stopping);
        }
        catch (InvocationFailedException e)
        {
            // A timer has no redelivery: the next due time is the retry.
            logger.LogError("The timer {Function} failed: {Reason}", function.Name, e.Message);
        }
    }

    private JsonObject Value(bool withStatus, DateTimeOffset? last) => new()
    {
        ["Schedule"] = new JsonObject { ["AdjustForDST"] = true },
        ["ScheduleStatus"] = withStatus
            ? new JsonObject
            {
                ["Last"] = Envelope.Value(last ?? default),
                ["Next"] = trigger.Schedule.Next(time.GetUtcNow()) is { } next ? Envelope.Value(next) : null,
                ["LastUpdated"] = Envelope.Value(last ?? default),
            }
            : null,
        ["IsPastDue"] = false,
    };
}
