using System.Text.Json.Serialization;
using Baton.Core.Api;
using Baton.Core.Operations;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;

namespace Baton.Functions.Operations;

/// <summary>How an operation ends.</summary>
/// <param name="OperationId">Which.</param>
/// <param name="InstanceId">The orchestration instance that says so.</param>
/// <param name="Error">Why it failed; null when it succeeded.</param>
/// <param name="RequestsServed">How often it had been asked for when its work began; null when that does not matter.</param>
internal sealed record OperationEnd(string OperationId, string InstanceId, ApiError? Error = null, long? RequestsServed = null)
{
    /// <summary>Succeeded, or failed.</summary>
    [JsonIgnore]
    public OperationStatus Status => Error is null ? OperationStatus.Succeeded : OperationStatus.Failed;
}

/// <summary>
/// Activity: the last step of every operation. Its result, if it has one, is stored before; then its locks go, then it is finished. A crash
/// in between leaves a running operation that holds nothing: its next attempt finds the result and comes straight here. One that comes late,
/// after the operation was asked for and began anew, changes nothing: activities run at least once, and nobody knows how late.
/// </summary>
internal sealed class FinishOperation(OperationStore operations, LockStore locks, ILogger<FinishOperation> logger)
{
    /// <summary>Ends this run of the operation. False: it was asked for again meanwhile and goes on.</summary>
    [Function(nameof(FinishOperation))]
    public async Task<bool> RunAsync([ActivityTrigger] OperationEnd end, CancellationToken cancellationToken)
    {
        await locks.ReleaseAsync(end.OperationId, ct => operations.IsPresentRunAsync(end.OperationId, end.InstanceId, ct), cancellationToken);
        var finished = await operations.FinishAsync(end, cancellationToken);
        if (finished)
        {
            logger.LogInformation("Operation {OperationId}: {Status}{Reason}", end.OperationId, end.Status, end.Error is null ? string.Empty : $", because {end.Error.Detail}");
        }

        return finished;
    }
}
