using System.Globalization;
using System.Text.Json;
using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>Sub-orchestrations.</summary>
public static class Children
{
    private static readonly int[] News = [1, 2];

    /// <summary>Doubles a number by an activity.</summary>
    [Function("Twice")]
    public static async Task<int> TwiceAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context.CallActivityAsync<int>("Echo", 2 * context.GetInput<int>());
    }

    /// <summary>One child.</summary>
    [Function("Parent")]
    public static async Task<int> ParentAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return 1 + await context.CallSubOrchestratorAsync<int>("Twice", context.GetInput<int>());
    }

    /// <summary>Calls itself as deep as its input says.</summary>
    [Function("Deep")]
    public static async Task<string> DeepAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var depth = context.GetInput<int>();
        if (depth == 0)
        {
            return "bottom";
        }

        var below = await context.CallSubOrchestratorAsync<string>("Deep", depth - 1);
        return string.Create(CultureInfo.InvariantCulture, $"{depth} > {below}");
    }

    /// <summary>As <see cref="DeepAsync"/>, with a failure at the bottom that nobody catches.</summary>
    [Function("DeepFailure")]
    public static async Task<string> DeepFailureAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var depth = context.GetInput<int>();
        return depth == 0
            ? await context.CallActivityAsync<string>("Fail", "deep down")
            : await context.CallSubOrchestratorAsync<string>("DeepFailure", depth - 1);
    }

    /// <summary>Catches the failure of a child.</summary>
    [Function("ChildFailureCaught")]
    public static async Task<string> ChildFailureCaughtAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            return await context.CallSubOrchestratorAsync<string>("DeepFailure", 1);
        }
        catch (TaskFailedException)
        {
            return await context.CallActivityAsync<string>("Repeat", "caught");
        }
    }

    /// <summary>Several children at once.</summary>
    [Function("ChildrenTogether")]
    public static async Task<int> ChildrenTogetherAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var answers = await Task.WhenAll(
            Enumerable.Range(0, context.GetInput<int>()).Select(i => context.CallSubOrchestratorAsync<int>("Twice", i)));
        return answers.Sum();
    }

    /// <summary>The child sends its parent an event.</summary>
    [Function("ChildReports")]
    public static async Task<object[]> ChildReportsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var child = context.CallSubOrchestratorAsync<string>("Reporter", context.InstanceId);
        var report = await context.WaitForExternalEvent<JsonElement>("report", CancellationToken.None);
        return [report, await child];
    }

    /// <summary>Sends an event to the instance that its input names.</summary>
    [Function("Reporter")]
    public static Task<string> ReporterAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.SendEvent(context.GetInput<string>()!, "report", new { From = "the child" });
        return Task.FromResult("reported");
    }

    /// <summary>Sends its child an event, and one to nobody.</summary>
    [Function("TellsChild")]
    public static async Task<int[]> TellsChildAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var childId = $"{context.InstanceId}-listener";
        var child = context.CallSubOrchestratorAsync<int[]>("OneEvent", "news", new SubOrchestrationOptions(instanceId: childId));
        context.SendEvent(childId, "news", News);
        context.SendEvent($"{context.InstanceId}-nobody", "news", payload: null!);
        return await child;
    }

    /// <summary>Waits for a child that clients know by its id.</summary>
    [Function("Holds")]
    public static async Task<string> HoldsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var child = context.CallSubOrchestratorAsync<string>("OneEvent", "release", new SubOrchestrationOptions(instanceId: $"{context.InstanceId}-held"));
        context.SetCustomStatus("holding");
        try
        {
            return await child;
        }
        catch (TaskFailedException)
        {
            return await context.CallActivityAsync<string>("Repeat", "lost");
        }
    }
}
