using System.Collections.Concurrent;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp.Conformance;

/// <summary>The activities that the scenarios call. Each does what the peer's activity of its name does.</summary>
public static class Activities
{
    // How often an activity was tried is a fact of the process that runs it: no input can tell.
    private static readonly ConcurrentDictionary<string, int> Attempts = new(StringComparer.Ordinal);

    /// <summary>Says what it is told, whatever that is.</summary>
    [Function("Repeat")]
    public static JsonElement? Repeat([ActivityTrigger] JsonElement? value) => value;

    /// <summary>Throws.</summary>
    [Function("Fail")]
    public static object? Fail([ActivityTrigger] string message) => throw new InvalidOperationException(message);

    /// <summary>Throws, with a cause that has a cause.</summary>
    [Function("FailWithCause")]
    public static object? FailWithCause([ActivityTrigger] string message) =>
        throw new InvalidOperationException(message, new InvalidOperationException("the cause", new InvalidOperationException("the first cause")));

    /// <summary>Throws until the attempt that is to succeed, and answers its number.</summary>
    [Function("FailUntil")]
    public static int FailUntil([ActivityTrigger] FailingTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        var attempt = Attempts.AddOrUpdate(task.Key, 1, static (_, before) => before + 1);
        return attempt < task.SucceedsAt ? throw new InvalidOperationException($"attempt {attempt} failed") : attempt;
    }

    /// <summary>Throws what no retry can mend.</summary>
    [Function("Refuse")]
    public static object? Refuse([ActivityTrigger] string message) => throw new ApiException(ApiErrorCode.InvalidArgument, message);
}

/// <summary>What <see cref="Activities.FailUntil"/> shall do.</summary>
/// <param name="Key">Whose attempts are counted.</param>
/// <param name="SucceedsAt">The first attempt that succeeds, counted from 1.</param>
public sealed record FailingTask(string Key, int SucceedsAt);
