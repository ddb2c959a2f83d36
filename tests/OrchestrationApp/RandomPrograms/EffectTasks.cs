namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>A call of <see cref="EffectTasks.ApplyAsync"/>.</summary>
/// <param name="Root">The program.</param>
/// <param name="Key">The task.</param>
/// <param name="Value">Its effect.</param>
/// <param name="Failures">Runs that fail; <see cref="EffectTasks.ForGood"/> for all.</param>
/// <param name="Bytes">Noise in its answer.</param>
/// <param name="Ms">How long it works, before and again after it has its effect.</param>
public sealed record EffectCall(string Root, string Key, string Value, int Failures = 0, int Bytes = 0, int Ms = 0);

/// <summary>What it answers.</summary>
public sealed record EffectAnswer(string Value, string? Noise);

/// <summary>A call of <see cref="EffectTasks.PassAsync"/>.</summary>
public sealed record GateCall(string Root, string Key, string OpenedBy);

/// <summary>A call of <see cref="EffectTasks.AskAsync"/>.</summary>
public sealed record AskCall(string Root, string Key, Ask Ask);

/// <summary>The activities of random programs. Each may run any number of times and has its effect once, by its task's key.</summary>
public sealed class EffectTasks(IEffects effects)
{
    /// <summary>Every run fails.</summary>
    public const int ForGood = int.MaxValue;

    /// <summary>Applies an effect, or fails.</summary>
    /// <remarks>Failures are counted outside: a run whose failure is lost with its host has failed all the same, so attempts never run out.</remarks>
    public async Task<EffectAnswer> ApplyAsync(EffectCall call, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(call);
        await effects.NoteRunAsync(call.Root, call.Key, ct);
        if (call.Failures > 0 && await effects.RunsAsync(call.Root, call.Key, ct) <= call.Failures)
        {
            throw new InvalidOperationException($"task {call.Key} refuses");
        }

        // Time in which it can be killed, with and without its effect.
        await Task.Delay(call.Ms, ct);
        var applied = await effects.ApplyAsync(call.Root, call.Key, call.Value, ct);
        await Task.Delay(call.Ms, ct);
        return new EffectAnswer(applied, call.Bytes == 0 ? null : Noise.Of(call.Key, call.Bytes));
    }

    /// <summary>Fails until another task's effect is there.</summary>
    public async Task<string> PassAsync(GateCall call, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(call);
        await effects.NoteRunAsync(call.Root, call.Key, ct);
        return await effects.IsAppliedAsync(call.Root, call.OpenedBy, ct)
            ? await effects.ApplyAsync(call.Root, call.Key, "passed", ct)
            : throw new InvalidOperationException($"gate {call.Key} is closed");
    }

    /// <summary>Asks for an event.</summary>
    public async Task<string> AskAsync(AskCall call, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(call);
        await effects.NoteRunAsync(call.Root, call.Key, ct);
        await effects.AskAsync(call.Root, call.Ask, ct);
        return await effects.ApplyAsync(call.Root, call.Key, "asked", ct);
    }
}
