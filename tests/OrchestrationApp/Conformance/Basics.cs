using System.Text.Json;
using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>Orchestrations that need little of their context. As with all of this folder, the peer has one of each name that does the same.</summary>
public static class Basics
{
    /// <summary>Awaits nothing.</summary>
    [Function("Immediate")]
    public static Task<object> ImmediateAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return Task.FromResult(context.GetInput<JsonElement?>() ?? (object)"no input");
    }

    /// <summary>Answers nothing.</summary>
    [Function("Nothing")]
    public static Task<object?> NothingAsync([OrchestrationTrigger] TaskOrchestrationContext context) => Task.FromResult<object?>(null);

    /// <summary>Shows one status after the other, each until it is told to go on.</summary>
    [Function("Statuses")]
    public static async Task<int> StatusesAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var statuses = context.GetInput<JsonElement[]>()!;
        foreach (var status in statuses)
        {
            context.SetCustomStatus(status);
            await context.WaitForExternalEvent<object?>("next", CancellationToken.None);
        }

        return statuses.Length;
    }
}
