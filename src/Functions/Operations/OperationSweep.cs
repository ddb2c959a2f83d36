using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Timeline;

namespace Baton.Functions.Operations;

/// <summary>
/// Finds operations whose orchestration was lost (a handler that dies inside an orchestrator turn fails the instance for good) and starts
/// the next attempt. Attempts pick up where the last stopped, because every activity is idempotent.
/// <para>
/// A crash after the new attempt is decided and before it is started leaves a missing instance: the next sweep finds it. Two sweeps at
/// once: the conditional write of the attempt lets one of them start it.
/// </para>
/// </summary>
internal sealed class OperationSweep(
    OperationStore operations,
    OperationStarter starter,
    LockStore locks,
    TimelineStore timeline,
    IEnumerable<IGivenUp> givenUp,
    TimeProvider time,
    ILogger<OperationSweep> logger)
{
    /// <summary>After so many attempts an operation is given up with its reason, and what it left half done is taken back (<see cref="IGivenUp"/>); asking for it again reopens it.</summary>
    public const int MaxAttempts = 20;

    /// <summary>
    /// How long an attempt may be without an instance before it counts as lost: whoever decided it is about to start it. One that is
    /// started twice does no harm, so this need not be generous.
    /// </summary>
    public static readonly TimeSpan StartGrace = TimeSpan.FromSeconds(5);

    /// <summary>One sweep.</summary>
    [Function("OperationSweep")]
    public async Task RunAsync(
        [TimerTrigger("%OperationSweepSchedule%")] TimerInfo timer,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var failures = new List<Exception>();
        foreach (var head in await operations.ListRunningAsync(cancellationToken))
        {
            try
            {
                await SweepAsync(client, head, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // One operation that cannot be looked at must not keep the others from their next attempt.
                failures.Add(new InvalidOperationException($"Operation {head.Id} could not be swept: {e.Message}", e));
            }
        }

        await locks.ReleaseFinishedAsync(IsFinishedAsync, cancellationToken);
        if (failures.Count > 0)
        {
            throw new AggregateException(failures);
        }
    }

    private async Task<bool> IsFinishedAsync(string operationId, CancellationToken cancellationToken) =>
        await operations.ReadHeadAsync(operationId, cancellationToken) is { Running: false };

    private async Task SweepAsync(DurableTaskClient client, OperationHead head, CancellationToken cancellationToken)
    {
        var instance = await client.GetInstanceAsync(head.InstanceId, getInputsAndOutputs: true, cancellationToken);
        var lost = instance is null
            ? time.GetUtcNow() - head.AttemptAt >= StartGrace ? "its orchestration is missing" : null
            : instance.RuntimeStatus switch
            {
                OrchestrationRuntimeStatus.Failed => $"its orchestration failed: {instance.SerializedOutput ?? "no details"}",
                OrchestrationRuntimeStatus.Terminated => "its orchestration was terminated",
                OrchestrationRuntimeStatus.Completed => "its orchestration ended without ending it",
                _ => null,
            };
        if (lost is null)
        {
            return;
        }

        // An instance that ended just now may have ended its operation just before: the list is older than that.
        if (await operations.ReadHeadAsync(head.Id, cancellationToken) is not { Running: true } current || current.Attempt != head.Attempt)
        {
            return;
        }

        if (current.Attempt - current.FirstAttempt + 1 >= MaxAttempts)
        {
            await GiveUpAsync(current, lost, cancellationToken);
            return;
        }

        if (await operations.NextAttemptAsync(current, lost, cancellationToken) is { } next)
        {
            logger.LogWarning("Operation {OperationId}: attempt {Attempt} is lost ({Reason}); starting attempt {NextAttempt}", head.Id, head.Attempt, lost, next.Attempt);
            await starter.StartAgainAsync(client, next, cancellationToken);
        }
    }

    private async Task GiveUpAsync(OperationHead head, string lost, CancellationToken cancellationToken)
    {
        var standing = givenUp.FirstOrDefault(g => g.Kind == head.Kind) is { } work ? await work.TakeBackAsync(head.Id, cancellationToken) : null;
        var reason = $"Given up after {MaxAttempts} attempts; the last was lost because {lost}. {(standing is null ? string.Empty : $"{standing} ")}Ask for it again to go on.";
        logger.LogError("Operation {OperationId}: {Reason}", head.Id, reason);
        await timeline.AddAsync(
            new TimelineEntry($"{head.InstanceId}-failed", TimelineKinds.OperationFailed, head.AttemptAt, $"{head.Kind} {head.Id}: {reason}", head.Id),
            cancellationToken);
        await operations.FinishAsync(new OperationEnd(head.Id, head.InstanceId, new ApiError(ApiErrorCode.Unavailable, reason)), cancellationToken);
    }
}
