using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>Timers: awaited, together, cancelled, left open.</summary>
public static class Timers
{
    /// <summary>One after the other.</summary>
    [Function("TimersInSequence")]
    public static async Task<int> TimersInSequenceAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var delays = context.GetInput<int[]>()!;
        foreach (var delay in delays)
        {
            await After(context, delay);
        }

        return delays.Length;
    }

    /// <summary>All at once.</summary>
    [Function("TimersTogether")]
    public static async Task<int> TimersTogetherAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var delays = context.GetInput<int[]>()!;
        await Task.WhenAll(delays.Select(delay => After(context, delay)));
        return delays.Length;
    }

    /// <summary>A timer and an activity, both awaited.</summary>
    [Function("TimerAndActivity")]
    public static async Task<string> TimerAndActivityAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var timer = After(context, context.GetInput<int>());
        var activity = context.CallActivityAsync<string>("Repeat", "done");
        await Task.WhenAll(timer, activity);
        return await activity;
    }

    /// <summary>The timer loses, is cancelled, and another turn follows.</summary>
    [Function("CancelledTimer")]
    public static async Task<object[]> CancelledTimerAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        using var end = new CancellationTokenSource();
        var timer = context.CreateTimer(TimeSpan.FromHours(1), end.Token);
        var activity = context.CallActivityAsync<string>("Repeat", "first");
        var winner = await Task.WhenAny(timer, activity);
        end.CancelInTurn();
        return [winner == activity, await context.CallActivityAsync<string>("Repeat", "second")];
    }

    /// <summary>The shorter timer wins, the other is cancelled, and another turn follows.</summary>
    [Function("TimerRace")]
    public static async Task<object[]> TimerRaceAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        using var end = new CancellationTokenSource();
        var soon = After(context, context.GetInput<int>());
        var late = context.CreateTimer(TimeSpan.FromHours(1), end.Token);
        var winner = await Task.WhenAny(late, soon);
        end.CancelInTurn();
        return [winner == soon, await context.CallActivityAsync<string>("Repeat", "after")];
    }

    /// <summary>The timer is cancelled before the turn that made it ends.</summary>
    [Function("TimerCancelledAtOnce")]
    public static async Task<string> TimerCancelledAtOnceAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        using var end = new CancellationTokenSource();
        _ = context.CreateTimer(TimeSpan.FromHours(1), end.Token);
        end.CancelInTurn();
        return await context.CallActivityAsync<string>("Repeat", "on");
    }

    /// <summary>A timer of days, cancelled when it is told to stop.</summary>
    [Function("LongTimer")]
    public static async Task<string> LongTimerAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        using var end = new CancellationTokenSource();
        var timer = context.CreateTimer(TimeSpan.FromDays(context.GetInput<int>()), end.Token);
        var stop = context.WaitForExternalEvent<object?>("stop", CancellationToken.None);
        context.SetCustomStatus("waiting");
        await Task.WhenAny(timer, stop);
        end.CancelInTurn();
        return "stopped";
    }

    /// <summary>Returns before its timer has fired.</summary>
    [Function("OpenTimer")]
    public static Task<string> OpenTimerAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        _ = After(context, context.GetInput<int>());
        return Task.FromResult("not awaited");
    }

    /// <summary>Returns before its activity has ended.</summary>
    [Function("OpenActivity")]
    public static Task<string> OpenActivityAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        _ = context.CallActivityAsync<string>("Repeat", "on its own");
        return Task.FromResult("not awaited");
    }

    /// <summary>Whether at least as much time has passed as it waited.</summary>
    [Function("Clock")]
    public static async Task<bool> ClockAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var (start, delay) = (context.CurrentUtcDateTime, context.GetInput<int>());
        await After(context, delay);
        return context.CurrentUtcDateTime - start >= TimeSpan.FromMilliseconds(delay);
    }

    private static Task After(TaskOrchestrationContext context, int milliseconds) =>
        context.CreateTimer(TimeSpan.FromMilliseconds(milliseconds), CancellationToken.None);
}
