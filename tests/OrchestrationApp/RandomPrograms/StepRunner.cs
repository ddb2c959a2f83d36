using System.Globalization;
using Baton.Durable;

namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>Runs the steps of one execution.</summary>
internal sealed class StepRunner(TaskOrchestrationContext context, string root, string scope)
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(5);

    public async Task<string> RunAsync(Step step) => step switch
    {
        InOrder all => await InOrderAsync(all),
        AtOnce all => $"[{string.Join(' ', await Task.WhenAll(all.Steps.Select(RunAsync)))}]",
        Call call => await CallAsync(call),
        Refused refused => await RefusedAsync(refused),
        Detached detached => Detach(detached),
        Pause pause => await PauseAsync(pause),
        TimerWins race => race.AsTimeout ? await TimeoutAsync(race) : await TimerWinsAsync(race),
        ActivityWins race => await ActivityWinsAsync(race),
        LateActivity race => await LateActivityAsync(race),
        TellSelf tell => await TellSelfAsync(tell),
        AskOutside ask => await AskOutsideAsync(ask),
        Ids ids => await IdsAsync(ids),
        Clock clock => await ClockAsync(clock),
        Status status => SetStatus(status),
        Child child => await ChildAsync(child),
        _ => throw new InvalidOperationException($"No such step: {step.GetType().Name}."),
    };

    private async Task<string> InOrderAsync(InOrder all)
    {
        var outputs = new List<string>();
        foreach (var step in all.Steps)
        {
            outputs.Add(await RunAsync(step));
        }

        return $"({string.Join(' ', outputs)})";
    }

    private async Task<string> CallAsync(Call call)
    {
        var answer = await ApplyAsync(call.Key, call.Value, call.Failures, call.Failures + 1, call.Bytes, call.Ms);
        return answer.Noise == (call.Bytes == 0 ? null : Noise.Of(scope + call.Key, call.Bytes)) ? answer.Value : $"{answer.Value} with spoilt noise";
    }

    private async Task<string> RefusedAsync(Refused refused)
    {
        try
        {
            return (await ApplyAsync(refused.Key, "never", EffectTasks.ForGood, refused.Attempts)).Value;
        }
        catch (TaskFailedException e)
        {
            return $"caught {e.FailureDetails.ErrorMessage}";
        }
    }

    private string Detach(Detached detached)
    {
        _ = ApplyAsync(detached.Key, detached.Value);
        return "detached";
    }

    private async Task<string> PauseAsync(Pause pause)
    {
        var until = context.CurrentUtcDateTime.AddMilliseconds(pause.Ms);
        await context.CreateTimer(until, CancellationToken.None);
        return context.CurrentUtcDateTime >= until ? "paused" : "woken early";
    }

    private async Task<string> TimerWinsAsync(TimerWins race)
    {
        using var end = new CancellationTokenSource();
        var never = context.WaitForExternalEvent<string>(Named("never", race), end.Token);
        var timer = context.CreateTimer(TimeSpan.FromMilliseconds(race.Ms), CancellationToken.None);
        var winner = await Task.WhenAny(never, timer);
        Cancel(end);
        return winner == timer ? "timer" : "event";
    }

    private async Task<string> TimeoutAsync(TimerWins race)
    {
        try
        {
            return await context.WaitForExternalEvent<string>(Named("never", race), TimeSpan.FromMilliseconds(race.Ms));
        }
        catch (TaskCanceledException)
        {
            return "timer";
        }
    }

    private async Task<string> ActivityWinsAsync(ActivityWins race)
    {
        using var end = new CancellationTokenSource();
        var activity = ApplyAsync(race.Key, race.Value);
        var winner = await Task.WhenAny(context.CreateTimer(TimeSpan.FromHours(race.Hours), end.Token), activity);
        Cancel(end);
        return winner == activity ? (await activity).Value : "timer";
    }

    private async Task<string> LateActivityAsync(LateActivity race)
    {
        // Attempts do not run out before the gate is opened by the next step but one, however slow the machine is.
        var retry = TaskOptions.FromRetryPolicy(new RetryPolicy(10_000, TimeSpan.FromMilliseconds(10), 2, TimeSpan.FromMilliseconds(500)));
        var gate = context.CallActivityAsync<string>(EffectActivities.Pass, new GateCall(root, scope + race.Key, scope + race.Key + "open"), retry);
        var timer = context.CreateTimer(TimeSpan.FromMilliseconds(race.Ms), CancellationToken.None);
        var winner = await Task.WhenAny(gate, timer) == timer ? "timer" : "gate";
        await ApplyAsync(race.Key + "open", "opened");
        return $"{winner}, {await gate}";
    }

    private async Task<string> TellSelfAsync(TellSelf tell)
    {
        var name = StepEvents.Self(scope, tell.Key);
        var waitsFirst = tell.WaitsFirst ? context.WaitForExternalEvent<string>(name, CancellationToken.None) : null;
        context.SendEvent(context.InstanceId, name, Noise.Of(name, tell.Bytes));
        var meanwhile = await RunAsync(tell.Meanwhile);
        var payload = await (waitsFirst ?? context.WaitForExternalEvent<string>(name, CancellationToken.None));
        return payload == Noise.Of(name, tell.Bytes) ? $"{meanwhile} told" : $"{meanwhile} told something else";
    }

    private async Task<string> AskOutsideAsync(AskOutside step)
    {
        var ask = new Ask(context.InstanceId, Named("asked", step), $"answer to {step.Key}");
        var asked = await context.CallActivityAsync<string>(EffectActivities.Ask, new AskCall(root, scope + step.Key, ask));
        return $"{asked}, {await context.WaitForExternalEvent<string>(ask.EventName, CancellationToken.None)}";
    }

    private async Task<string> IdsAsync(Ids ids)
    {
        var (one, other) = (context.NewGuid().ToString(), context.NewGuid().ToString());
        var kept = await Task.WhenAll(ApplyAsync(ids.Key, one), ApplyAsync(ids.Key + "other", other));
        return one != other && kept[0].Value == one && kept[1].Value == other ? "ids" : $"ids {one} and {other}, kept as {kept[0].Value} and {kept[1].Value}";
    }

    private async Task<string> ClockAsync(Clock clock)
    {
        var now = context.CurrentUtcDateTime;
        var text = now.ToString("o", CultureInfo.InvariantCulture);
        var kept = await ApplyAsync(clock.Key, text);
        return kept.Value == text && context.CurrentUtcDateTime >= now ? "clock" : $"clock {text}, kept as {kept.Value}, then {context.CurrentUtcDateTime:o}";
    }

    private string SetStatus(Status status)
    {
        context.SetCustomStatus(scope + status.Key);
        return "status";
    }

    private async Task<string> ChildAsync(Child child)
    {
        var childScope = $"{scope}{child.Key}-";
        var input = new ProgramInput(child.Plan, root, childScope, child.Tells == Telling.Never ? null : context.InstanceId, child.Tells == Telling.First);
        var options = new SubOrchestrationOptions(
            child.Attempts == 1 ? (TaskRetryOptions?)null : new RetryPolicy(child.Attempts, RetryInterval),
            child.HasName ? $"{root}.{childScope}" : null);
        var running = context.CallSubOrchestratorAsync<string>(ProgramOrchestrator.Name, input, options);
        var told = child.Tells == Telling.Never ? "" : await context.WaitForExternalEvent<string>(StepEvents.Told(childScope), CancellationToken.None) + " ";
        try
        {
            return $"{told}<{await running}>";
        }
        catch (TaskFailedException e)
        {
            return $"{told}caught {e.FailureDetails.ErrorMessage}";
        }
    }

    private Task<EffectAnswer> ApplyAsync(string key, string value, int failures = 0, int attempts = 1, int bytes = 0, int ms = 0) => context.CallActivityAsync<EffectAnswer>(
        EffectActivities.Apply,
        new EffectCall(root, scope + key, value, failures, bytes, ms),
        attempts == 1 ? null : TaskOptions.FromRetryPolicy(new RetryPolicy(attempts, RetryInterval)));

    private string Named(string what, Step step) => $"{what} {scope}{step.Key}";

    // Not CancelAsync: that would run the callbacks outside the turn.
    private static void Cancel(CancellationTokenSource source) => source.Cancel();
}
