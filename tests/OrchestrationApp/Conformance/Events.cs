using System.Text.Json;
using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>External events: before and after the waiter, several at once, against timers and tasks.</summary>
public static class Events
{
    /// <summary>Waits for the event whose name is its input.</summary>
    [Function("OneEvent")]
    public static async Task<JsonElement?> OneEventAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.SetCustomStatus("waiting");
        return await context.WaitForExternalEvent<JsonElement?>(context.GetInput<string>()!, CancellationToken.None);
    }

    /// <summary>Asks for its items only when it is told to.</summary>
    [Function("EarlyEvents")]
    public static async Task<IReadOnlyList<JsonElement>> EarlyEventsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.SetCustomStatus("gate");
        await context.WaitForExternalEvent<object?>("go", CancellationToken.None);
        var items = new List<JsonElement>();
        while (items.Count < context.GetInput<int>())
        {
            items.Add(await context.WaitForExternalEvent<JsonElement>("item", CancellationToken.None));
        }

        return items;
    }

    /// <summary>Two waits whose names differ in case only.</summary>
    [Function("NamesInAnyCase")]
    public static async Task<int[]> NamesInAnyCaseAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.SetCustomStatus("waiting");
        var first = await context.WaitForExternalEvent<int>("Approval", CancellationToken.None);
        var second = await context.WaitForExternalEvent<int>("APPROVAL", CancellationToken.None);
        return [first, second];
    }

    /// <summary>Several waits for one name at the same time.</summary>
    [Function("WaitersInOrder")]
    public static async Task<string[]> WaitersInOrderAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var waiters = Enumerable.Range(0, context.GetInput<int>())
            .Select(_ => context.WaitForExternalEvent<string>("item", CancellationToken.None))
            .ToArray();
        context.SetCustomStatus("waiting");
        return await Task.WhenAll(waiters);
    }

    /// <summary>Waits for two names at the same time.</summary>
    [Function("TwoNames")]
    public static async Task<string[]> TwoNamesAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var left = context.WaitForExternalEvent<string>("left", CancellationToken.None);
        var right = context.WaitForExternalEvent<string>("right", CancellationToken.None);
        context.SetCustomStatus("waiting");
        return await Task.WhenAll(left, right);
    }

    /// <summary>A race of an event and a timer. The event is awaited in any case.</summary>
    [Function("EventOrTimer")]
    public static async Task<string[]> EventOrTimerAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        using var end = new CancellationTokenSource();
        var timer = context.CreateTimer(TimeSpan.FromMilliseconds(context.GetInput<int>()), end.Token);
        var answer = context.WaitForExternalEvent<string>("answer", CancellationToken.None);
        context.SetCustomStatus("waiting");
        if (await Task.WhenAny(timer, answer) == answer)
        {
            end.CancelInTurn();
            return ["event", await answer];
        }

        context.SetCustomStatus("late");
        return ["timer", await answer];
    }

    /// <summary>Waits with a timeout.</summary>
    [Function("EventWithTimeout")]
    public static async Task<string> EventWithTimeoutAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.SetCustomStatus("waiting");
        string answer;
        try
        {
            answer = await context.WaitForExternalEvent<string>("answer", TimeSpan.FromMilliseconds(context.GetInput<int>()));
        }
        catch (TaskCanceledException)
        {
            answer = "timed out";
        }

        return await context.CallActivityAsync<string>("Repeat", answer);
    }

    /// <summary>A race of an activity and an event that nobody sends.</summary>
    [Function("EventOrActivity")]
    public static async Task<object[]> EventOrActivityAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var never = context.WaitForExternalEvent<string>("never", CancellationToken.None);
        var activity = context.CallActivityAsync<string>("Repeat", "activity");
        var winner = await Task.WhenAny(never, activity);
        return [winner == activity, await activity];
    }

    /// <summary>A race that the child cannot win: it ends only when it is told to, which happens after the activity has won.</summary>
    [Function("RaceOfTasks")]
    public static async Task<object[]> RaceOfTasksAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var childId = $"{context.InstanceId}-held";
        var held = context.CallSubOrchestratorAsync<string>("OneEvent", "release", new SubOrchestrationOptions(instanceId: childId));
        var quick = context.CallActivityAsync<string>("Repeat", "quick");
        var winner = await Task.WhenAny(held, quick);
        context.SendEvent(childId, "release", "now");
        return [winner == quick, await held];
    }

    /// <summary>An event, then an activity, several times.</summary>
    [Function("RepeatedWaits")]
    public static async Task<int> RepeatedWaitsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var sum = 0;
        for (int i = 0, count = context.GetInput<int>(); i < count; i++)
        {
            context.SetCustomStatus(i);
            sum += await context.CallActivityAsync<int>("Echo", await context.WaitForExternalEvent<int>("number", CancellationToken.None));
        }

        return sum;
    }
}
