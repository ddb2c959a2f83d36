using System.Text.Json;
using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>Values that must come back as they went out.</summary>
public static class Values
{
    /// <summary>Through an activity.</summary>
    [Function("Pass")]
    public static async Task<JsonElement?> PassAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context.CallActivityAsync<JsonElement?>("Repeat", context.GetInput<JsonElement?>());
    }

    /// <summary>Each through an activity of its own.</summary>
    [Function("PassEach")]
    public static async Task<IReadOnlyList<JsonElement?>> PassEachAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var passed = new List<JsonElement?>();
        foreach (var value in context.GetInput<JsonElement?[]>()!)
        {
            passed.Add(await context.CallActivityAsync<JsonElement?>("Repeat", value));
        }

        return passed;
    }

    /// <summary>Through a sub-orchestration.</summary>
    [Function("PassToChild")]
    public static async Task<JsonElement> PassToChildAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context.CallSubOrchestratorAsync<JsonElement>("Pass", context.GetInput<JsonElement>());
    }

    /// <summary>As many characters as asked for, of one and two bytes in turn.</summary>
    [Function("Large")]
    public static async Task<string> LargeAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await context.CallActivityAsync<string>("Repeat", LargeText(context.GetInput<int>()));
    }

    /// <summary>As much, as the payload of an event to a child, and as that child's output.</summary>
    [Function("LargeEvent")]
    public static async Task<int> LargeEventAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var childId = $"{context.InstanceId}-listener";
        var child = context.CallSubOrchestratorAsync<string>("OneEvent", "news", new SubOrchestrationOptions(instanceId: childId));
        context.SendEvent(childId, "news", LargeText(context.GetInput<int>()));
        return (await child).Length;
    }

    /// <summary>Ids that every replay makes again.</summary>
    [Function("Guids")]
    public static async Task<object> GuidsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var (first, second) = (context.NewGuid(), context.NewGuid());
        var passed = await context.CallActivityAsync<Guid>("Repeat", first);
        return new { Passed = passed, IsKept = passed == first, AreDifferent = first != second };
    }

    private static string LargeText(int length) => string.Concat(Enumerable.Repeat("xé", length / 2));
}
