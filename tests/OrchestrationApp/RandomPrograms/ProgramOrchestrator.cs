using Baton.Durable;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>Runs any random program: one execution of one plan.</summary>
public static class ProgramOrchestrator
{
    public const string Name = "RunProgram";

    [Function(Name)]
    public static async Task<string?> RunAsync([OrchestrationTrigger] TaskOrchestrationContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var input = context.GetInput<ProgramInput>()!;
        var (plan, generation) = (input.Plan, input.Generation);
        var scope = plan.ScopeOf(input.Scope, generation);
        var (isFirst, isLast) = (generation == 0, generation == plan.Generations - 1);
        if (isFirst && input.TellFirst)
        {
            Tell(context, input);
        }

        var output = input.SoFar;
        if (!isFirst && plan.Carries != Carrying.Never)
        {
            output += await context.WaitForExternalEvent<string>(StepEvents.Carried(generation)) + " ";
        }

        if (!isLast && plan.Carries == Carrying.First)
        {
            Carry(context, generation);
        }

        output += await new StepRunner(context, input.Root, scope).RunAsync(plan.Body);
        context.SetCustomStatus(DoneStatus(generation));
        if (!isLast)
        {
            if (plan.Carries == Carrying.Last)
            {
                Carry(context, generation);
            }

            context.ContinueAsNew(input with { Generation = generation + 1, SoFar = output + " | " });
            return null;
        }

        if (!input.TellFirst)
        {
            Tell(context, input);
        }

        await FailAsync(context, input, scope);
        return output;
    }

    /// <summary>The custom status at the end of a generation.</summary>
    public static string DoneStatus(int generation) => $"done {generation}";

    /// <summary>What <paramref name="generation"/> gets from the one before.</summary>
    public static string CarriedPayload(int generation) => $"from {generation - 1}";

    private static void Carry(TaskOrchestrationContext context, int generation) =>
        context.SendEvent(context.InstanceId, StepEvents.Carried(generation + 1), CarriedPayload(generation + 1));

    private static void Tell(TaskOrchestrationContext context, ProgramInput input)
    {
        if (input.TellTo is { } parent)
        {
            context.SendEvent(parent, StepEvents.Told(input.Scope), "told");
        }
    }

    private static async Task FailAsync(TaskOrchestrationContext context, ProgramInput input, string scope)
    {
        if (input.Plan.FailsFirst > 0)
        {
            await context.CallActivityAsync<EffectAnswer>(
                EffectActivities.Apply, new EffectCall(input.Root, scope + Plan.FailsFirstKey, "at last", input.Plan.FailsFirst));
        }

        if (input.Plan.Failure is { } failure)
        {
            throw new InvalidOperationException(failure);
        }
    }
}
