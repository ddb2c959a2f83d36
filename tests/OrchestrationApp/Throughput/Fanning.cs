using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Throughput;

/// <summary>As many activities as asked for, all at once or one after the other.</summary>
public static class Fanning
{
    /// <summary>The name of <see cref="FanOutAsync"/>.</summary>
    public const string FanOut = "FanOut";

    /// <summary>The name of <see cref="SequenceAsync"/>.</summary>
    public const string Sequence = "Sequence";

    /// <summary>Calls <see cref="Echo"/> with 0, 1, … at once and answers the sum of what it said.</summary>
    [Function(FanOut)]
    public static async Task<long> FanOutAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var answers = await Task.WhenAll(Enumerable.Range(0, context.GetInput<int>()).Select(i => context.CallActivityAsync<int>(nameof(Echo), i)));
        return answers.Sum(static answer => (long)answer);
    }

    /// <summary>The same, one after the other.</summary>
    [Function(Sequence)]
    public static async Task<long> SequenceAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        long sum = 0;
        for (int i = 0, count = context.GetInput<int>(); i < count; i++)
        {
            sum += await context.CallActivityAsync<int>(nameof(Echo), i);
        }

        return sum;
    }

    /// <summary>Says what it is told.</summary>
    [Function(nameof(Echo))]
    public static int Echo([ActivityTrigger] int value) => value;
}
