namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>A task of a program.</summary>
/// <param name="Value">Its effect; null when the value differs from run to run.</param>
/// <param name="IsApplied">Whether it has one in the end.</param>
/// <param name="Runs">How often it runs when nothing dies; null when that depends on time.</param>
public sealed record ExpectedTask(string? Value, bool IsApplied = true, int? Runs = 1);

/// <summary>What a program must come to.</summary>
/// <param name="Output">The output; of a program that fails, its message.</param>
/// <param name="Fails">Whether it fails.</param>
/// <param name="CustomStatus">The custom status at the end.</param>
/// <param name="Tasks">Its tasks by key.</param>
public sealed record ExpectedEnd(string Output, bool Fails, string CustomStatus, IReadOnlyDictionary<string, ExpectedTask> Tasks);

/// <summary>Says what a program must come to, by reading it: no engine, no replay, no time.</summary>
public sealed class ProgramModel
{
    private readonly SortedDictionary<string, ExpectedTask> _tasks = new(StringComparer.Ordinal);

    private ProgramModel()
    {
    }

    public static ExpectedEnd Expect(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var model = new ProgramModel();
        var output = model.Run(plan, "", repeats: 1);
        return new ExpectedEnd(plan.Failure ?? output, plan.Failure is not null, ProgramOrchestrator.DoneStatus(plan.Generations - 1), model._tasks);
    }

    private string Run(Plan plan, string scope, int repeats)
    {
        var output = "";
        for (var generation = 0; generation < plan.Generations; generation++)
        {
            output += generation == 0 ? "" : " | ";
            output += generation == 0 || plan.Carries == Carrying.Never ? "" : ProgramOrchestrator.CarriedPayload(generation) + " ";
            output += Run(plan.Body, plan.ScopeOf(scope, generation), repeats);
        }

        if (plan.FailsFirst > 0)
        {
            _tasks.Add(plan.ScopeOf(scope, plan.Generations - 1) + Plan.FailsFirstKey, new ExpectedTask("at last", Runs: plan.FailsFirst + 1));
        }

        return output;
    }

    private string Run(Step step, string scope, int repeats) => step switch
    {
        InOrder all => $"({string.Join(' ', all.Steps.Select(s => Run(s, scope, repeats)))})",
        AtOnce all => $"[{string.Join(' ', all.Steps.Select(s => Run(s, scope, repeats)))}]",
        Call call => Task(call.Key, call.Value, scope, call.Failures + repeats),
        Refused refused => Refuse(refused, scope, repeats),
        Detached detached => Detach(detached, scope, repeats),
        Pause => "paused",
        TimerWins => "timer",
        ActivityWins race => Task(race.Key, race.Value, scope, repeats),
        LateActivity race => $"timer, {Gate(race, scope)}",
        TellSelf tell => $"{Run(tell.Meanwhile, scope, repeats)} told",
        AskOutside ask => $"{Task(ask.Key, "asked", scope, repeats)}, answer to {ask.Key}",
        Ids ids => Recorded("ids", scope, ids.Key, ids.Key + "other"),
        Clock clock => Recorded("clock", scope, clock.Key),
        Status => "status",
        Child child => Run(child, scope, repeats),
        _ => throw new InvalidOperationException($"No such step: {step.GetType().Name}."),
    };

    private string Task(string key, string value, string scope, int runs)
    {
        _tasks.Add(scope + key, new ExpectedTask(value, Runs: runs));
        return value;
    }

    private string Detach(Detached detached, string scope, int repeats)
    {
        Task(detached.Key, detached.Value, scope, repeats);
        return "detached";
    }

    private string Refuse(Refused refused, string scope, int repeats)
    {
        _tasks.Add(scope + refused.Key, new ExpectedTask(null, IsApplied: false, refused.Attempts * repeats));
        return $"caught task {scope}{refused.Key} refuses";
    }

    private string Gate(LateActivity race, string scope)
    {
        _tasks.Add(scope + race.Key, new ExpectedTask("passed", Runs: null));
        Task(race.Key + "open", "opened", scope, runs: 1);
        return "passed";
    }

    private string Recorded(string output, string scope, params string[] keys)
    {
        foreach (var key in keys)
        {
            _tasks.Add(scope + key, new ExpectedTask(null));
        }

        return output;
    }

    private string Run(Child child, string scope, int repeats)
    {
        var output = Run(child.Plan, $"{scope}{child.Key}-", repeats + child.Plan.FailsFirst);
        var told = child.Tells == Telling.Never ? "" : "told ";
        return child.Plan.Failure is { } failure ? $"{told}caught {failure}" : $"{told}<{output}>";
    }
}
