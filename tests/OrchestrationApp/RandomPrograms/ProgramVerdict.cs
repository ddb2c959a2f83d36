using System.Text.Json;

namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>How a program ended.</summary>
/// <param name="RuntimeStatus">The platform's word.</param>
/// <param name="Output">JSON text, or the plain text of a failure.</param>
/// <param name="CustomStatus">JSON text.</param>
public sealed record ActualEnd(string RuntimeStatus, string? Output, string? CustomStatus);

/// <summary>Compares a program's end with the model's.</summary>
public static class ProgramVerdict
{
    /// <summary>Every difference, in words; none when all is as it must be.</summary>
    /// <param name="expected">The model's.</param>
    /// <param name="actual">How it ended.</param>
    /// <param name="effects">What it did.</param>
    /// <param name="undisturbed">Nothing died, so that no task may have run more often than it must.</param>
    public static IReadOnlyList<string> Differences(ExpectedEnd expected, ActualEnd actual, Effects effects, bool undisturbed)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(actual);
        ArgumentNullException.ThrowIfNull(effects);
        return [.. EndDifferences(expected, actual), .. EffectDifferences(expected, effects), .. RunDifferences(expected, effects, undisturbed)];
    }

    private static IEnumerable<string> EndDifferences(ExpectedEnd expected, ActualEnd actual)
    {
        var status = expected.Fails ? "Failed" : "Completed";
        if (actual.RuntimeStatus != status)
        {
            yield return $"It is {actual.RuntimeStatus}, not {status}.";
        }

        var output = Text(actual.Output);
        if (expected.Fails ? !output.Contains(expected.Output, StringComparison.Ordinal) : output != expected.Output)
        {
            yield return $"Its output is\n    {output}\n  and not\n    {expected.Output}";
        }

        if (Text(actual.CustomStatus) != expected.CustomStatus)
        {
            yield return $"Its custom status is {actual.CustomStatus}, not {expected.CustomStatus}.";
        }
    }

    private static IEnumerable<string> EffectDifferences(ExpectedEnd expected, Effects effects)
    {
        foreach (var (key, value) in effects.Applied)
        {
            if (expected.Tasks.GetValueOrDefault(key) is not { IsApplied: true } task)
            {
                yield return $"Task {key} has the effect {value}, which nothing asked for.";
            }
            else if (task.Value is { } wanted && wanted != value)
            {
                yield return $"The effect of task {key} is {value}, not {wanted}.";
            }
        }

        foreach (var (key, _) in expected.Tasks.Where(task => task.Value.IsApplied && !effects.Applied.ContainsKey(task.Key)))
        {
            yield return $"Task {key} has no effect.";
        }
    }

    private static IEnumerable<string> RunDifferences(ExpectedEnd expected, Effects effects, bool undisturbed)
    {
        foreach (var (key, _) in effects.Runs.Where(run => !expected.Tasks.ContainsKey(run.Key)))
        {
            yield return $"Task {key} ran, which nothing asked for.";
        }

        foreach (var (key, task) in expected.Tasks)
        {
            var runs = effects.Runs.GetValueOrDefault(key);
            if (runs == 0 || (undisturbed && task.Runs is { } exactly && runs != exactly))
            {
                yield return $"Task {key} ran {runs} times, not {task.Runs?.ToString() ?? "once or more"}.";
            }
        }
    }

    // An engine in process shows a failure as plain text, the management API as a JSON string.
    private static string Text(string? output) => output is ['"', ..] ? JsonSerializer.Deserialize<string>(output)! : output ?? "";
}
