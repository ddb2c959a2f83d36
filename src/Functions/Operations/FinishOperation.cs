using Baton.Core.Api;
using Baton.Core.Operations;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;

namespace Baton.Functions.Operations;

/// <summary>How an operation ends.</summary>
/// <param name="OperationId">Which.</param>
/// <param name="Error">Why it failed; null when it succeeded.</param>
/// <param name="RequestsServed">How often it had been asked for when its work began; null when that does not matter.</param>
internal sealed record OperationEnd(string OperationId, ApiError? Error = null, long? RequestsServed = null);

/// <summary>
/// Activity: the last step of every operation. Its result, if it has one, is stored before; then its locks go, then it is finished. A crash
/// in between leaves a running operation that holds nothing: its next attempt finds the result and comes straight here.
/// </summary>
internal sealed class FinishOperation(OperationStore operations, LockStore locks, ILogger<FinishOperation> logger)
{
    /// <summary>Ends the operation. False: it was asked for again meanwhile and goes on.</summary>
    [Function(nameof(FinishOperation))]
    public async Task<bool> RunAsync([ActivityTrigger] OperationEnd end, CancellationToken cancellationToken)
    {
        await locks.ReleaseAsync(end.OperationId, cancellationToken);
        var status = end.Error is null ? OperationStatus.Succeeded : OperationStatus.Failed;
        var finished = await operations.FinishAsync(end.OperationId, status, end.Error, end.RequestsServed, cancellationToken);
        if (finished)
        {
            logger.LogInformation("Operation {OperationId}: {Status}{Reason}", end.OperationId, status, end.Error is null ? string.Empty : $", because {end.Error.Detail}");
        }

        return finished;
    }
}
