namespace Baton.Core.Operations;

/// <summary>How an operation stands.</summary>
public enum OperationStatus
{
    /// <summary>At work, or waiting for its next attempt.</summary>
    Running,

    /// <summary>Done.</summary>
    Succeeded,

    /// <summary>Given up, with an error.</summary>
    Failed,

    /// <summary>Ended by an operator.</summary>
    Terminated,
}

/// <summary>One step of an operation, recorded before it starts.</summary>
/// <param name="Name">The same name in code, API, timeline and docs.</param>
/// <param name="At">When it began (UTC).</param>
/// <param name="Detail">What it is doing or did.</param>
public sealed record OperationStep(string Name, DateTimeOffset At, string? Detail = null);

/// <summary><c>GET /api/operations/{id}</c>: the record that outlives any orchestration instance.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Kind">The orchestration's name.</param>
/// <param name="Status">How it stands.</param>
/// <param name="Attempt">Which attempt is at work; instance ids are <c>{id}-{attempt}</c>.</param>
/// <param name="StartedAt">When it was asked for (UTC).</param>
/// <param name="FinishedAt">When it ended (UTC).</param>
/// <param name="Steps">Its steps so far.</param>
/// <param name="Error">Why it failed; while it runs, why its last attempt was lost.</param>
public sealed record Operation(
    string Id,
    string Kind,
    OperationStatus Status,
    int Attempt,
    DateTimeOffset StartedAt,
    DateTimeOffset? FinishedAt,
    IReadOnlyList<OperationStep> Steps,
    Api.Problem? Error = null);
