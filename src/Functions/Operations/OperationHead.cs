using System.Globalization;
using Azure;
using Baton.Core.Api;
using Baton.Core.Operations;

namespace Baton.Functions.Operations;

/// <summary>The head row of an operation.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Kind">Name of its orchestration.</param>
/// <param name="Status">How it stands.</param>
/// <param name="Attempt">The attempt at work: its instance is <see cref="InstanceId"/>.</param>
/// <param name="FirstAttempt">The attempt that this run of the operation began with; above 1 after it was reopened.</param>
/// <param name="Requests">How often it was asked for in this run; a reconciliation that was asked for again makes another pass.</param>
/// <param name="StartedAt">When this run was asked for (UTC).</param>
/// <param name="AttemptAt">When the present attempt was decided (UTC).</param>
/// <param name="FinishedAt">When it ended (UTC).</param>
/// <param name="Error">Why it failed.</param>
/// <param name="ETag">The row's version.</param>
internal sealed record OperationHead(
    string Id,
    string Kind,
    OperationStatus Status,
    int Attempt,
    int FirstAttempt,
    long Requests,
    DateTimeOffset StartedAt,
    DateTimeOffset AttemptAt,
    DateTimeOffset? FinishedAt,
    ApiError? Error,
    ETag ETag)
{
    /// <summary>The orchestration instance of the present attempt.</summary>
    public string InstanceId => $"{Id}-{Attempt}";

    /// <summary>Whether an instance is an attempt of the present run, and not one from before the operation was reopened.</summary>
    public bool IsAttemptOfThisRun(string instanceId) => instanceId.StartsWith($"{Id}-", StringComparison.Ordinal)
        && int.TryParse(instanceId.AsSpan(Id.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var attempt)
        && attempt >= FirstAttempt;

    /// <summary>It is at work, or waits for its next attempt.</summary>
    public bool Running => Status == OperationStatus.Running;
}
