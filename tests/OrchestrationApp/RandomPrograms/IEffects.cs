namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>What activities change. It outlives whatever is killed.</summary>
public interface IEffects
{
    /// <summary>Notes that a task runs, once for every time it does.</summary>
    public Task NoteRunAsync(string root, string key, CancellationToken ct);

    /// <summary>How often a task has run.</summary>
    public Task<int> RunsAsync(string root, string key, CancellationToken ct);

    /// <summary>Applies a task's effect, unless it is applied.</summary>
    /// <returns>The effect that counts: the first.</returns>
    public Task<string> ApplyAsync(string root, string key, string value, CancellationToken ct);

    /// <summary>Whether a task's effect is applied.</summary>
    public Task<bool> IsAppliedAsync(string root, string key, CancellationToken ct);

    /// <summary>Asks whoever drives the program to raise an event, at least once.</summary>
    public Task AskAsync(string root, Ask ask, CancellationToken ct);
}

/// <summary>An event that a program wants from outside.</summary>
public sealed record Ask(string InstanceId, string EventName, string Payload);

/// <summary>What is seen of a program's effects.</summary>
/// <param name="Applied">Value of each task's effect.</param>
/// <param name="Runs">How often each task ran.</param>
public sealed record Effects(IReadOnlyDictionary<string, string> Applied, IReadOnlyDictionary<string, int> Runs);
