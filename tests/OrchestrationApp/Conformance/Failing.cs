using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>Failures: of activities, of the orchestrator, caught and not.</summary>
public static class Failing
{
    /// <summary>Catches nothing.</summary>
    [Function("ActivityFails")]
    public static async Task<string> ActivityFailsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context.CallActivityAsync<string>("Fail", context.GetInput<string>());
    }

    /// <summary>Makes up for the failure by another activity.</summary>
    [Function("Compensates")]
    public static async Task<string> CompensatesAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            return await context.CallActivityAsync<string>("Fail", context.GetInput<string>());
        }
        catch (TaskFailedException)
        {
            return await context.CallActivityAsync<string>("Repeat", "undone");
        }
    }

    /// <summary>Catches a failure that has causes.</summary>
    [Function("FailsWithCause")]
    public static async Task<string> FailsWithCauseAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            return await context.CallActivityAsync<string>("FailWithCause", context.GetInput<string>());
        }
        catch (TaskFailedException)
        {
            return "caught";
        }
    }

    /// <summary>Throws after an activity.</summary>
    [Function("Throws")]
    public static async Task<string> ThrowsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        await context.CallActivityAsync("Repeat", "before");
        throw new InvalidOperationException(context.GetInput<string>(), new InvalidOperationException("the cause"));
    }

    /// <summary>Throws before anything else.</summary>
    [Function("ThrowsAtOnce")]
    public static Task<string> ThrowsAtOnceAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        throw new InvalidOperationException(context.GetInput<string>());
    }

    /// <summary>Calls what is not there.</summary>
    [Function("UnknownActivity")]
    public static async Task<string> UnknownActivityAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            return await context.CallActivityAsync<string>("NoSuchActivity", 1);
        }
        catch (TaskFailedException)
        {
            return "caught";
        }
    }

    /// <summary>Every other activity fails; answers how many did.</summary>
    [Function("FanOutWithFailures")]
    public static async Task<int> FanOutWithFailuresAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var tasks = Enumerable.Range(0, context.GetInput<int>())
            .Select(i => context.CallActivityAsync<string>(i % 2 == 0 ? "Repeat" : "Fail", $"number {i}"))
            .ToArray();
        try
        {
            await Task.WhenAll(tasks);
        }
        catch (TaskFailedException)
        {
            // Counted below.
        }

        return tasks.Count(static task => task.IsFaulted);
    }
}
