using System.Text.Json;
using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>Orchestrations that continue as new.</summary>
public static class Continuing
{
    /// <summary>One execution for each number.</summary>
    [Function("CountsUp")]
    public static async Task<int> CountsUpAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var state = context.GetInput<CountState>()!;
        var number = await context.CallActivityAsync<int>("Echo", state.Number);
        if (number < state.Last)
        {
            context.ContinueAsNew(state with { Number = number + 1 });
        }

        return number;
    }

    /// <summary>All items come before the first execution takes one; the others take what was carried over.</summary>
    [Function("Collects")]
    public static async Task<IReadOnlyList<JsonElement>> CollectsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var state = context.GetInput<CollectState>()!;
        if (state.Got.Count == 0)
        {
            context.SetCustomStatus("gate");
            await context.WaitForExternalEvent<object?>("go", CancellationToken.None);
        }

        JsonElement[] got = [.. state.Got, await context.WaitForExternalEvent<JsonElement>("item", CancellationToken.None)];
        if (got.Length < state.Of)
        {
            context.ContinueAsNew(state with { Got = got });
        }

        return got;
    }

    /// <summary>What the first execution did not take is lost.</summary>
    [Function("Forgets")]
    public static async Task<string> ForgetsAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var round = context.GetInput<int>();
        context.SetCustomStatus($"round {round}");
        if (round == 0)
        {
            await context.WaitForExternalEvent<object?>("go", CancellationToken.None);
            context.ContinueAsNew(1, preserveUnprocessedEvents: false);
            return "again";
        }

        return await context.WaitForExternalEvent<string>("item", CancellationToken.None);
    }

    /// <summary>Each execution has a child, whose id no other execution may use.</summary>
    [Function("ChildInEachRound")]
    public static async Task<int> ChildInEachRoundAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var round = context.GetInput<int>();
        var answer = await context.CallSubOrchestratorAsync<int>("Twice", round);
        if (round < 3)
        {
            context.ContinueAsNew(round + 1);
        }

        return answer;
    }
}

/// <summary>Where <see cref="Continuing.CountsUpAsync"/> stands.</summary>
/// <param name="Number">The execution's number.</param>
/// <param name="Last">The last one's.</param>
public sealed record CountState(int Number, int Last);

/// <summary>Where <see cref="Continuing.CollectsAsync"/> stands.</summary>
/// <param name="Got">The items so far.</param>
/// <param name="Of">How many there will be.</param>
public sealed record CollectState(IReadOnlyList<JsonElement> Got, int Of);
