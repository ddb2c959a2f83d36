using Baton.Core.Recovery;
using Baton.Functions.Hosting;

namespace Baton.Functions.Recovery;

/// <summary>A step of a run.</summary>
/// <param name="Run">The run, after the answer to its last action.</param>
/// <param name="Entries">What that answer gave to write down.</param>
/// <param name="RenewPin">It is time to say again that the log is to be kept.</param>
/// <param name="LookOnly">Only look whether the session still stands.</param>
internal sealed record RecoveryStep(RecoveryRun Run, IReadOnlyList<RecoveryEntry> Entries, bool RenewPin = false, bool LookOnly = false);

/// <summary>
/// Activity: keeps what a run has come to, writes its events down, and does its next action. It may run twice, and late: a session that is not the replica's any more is found ended, and nothing is
/// done for it but to let go of what it held.
/// </summary>
internal sealed class CarryOutRecovery(RecoveryStore recoveries, ReplicaActions actions, TimeProvider time)
{
    /// <summary>Does it.</summary>
    [Function(nameof(CarryOutRecovery))]
    public async Task<RecoveryAnswer> RunAsync([ActivityTrigger] RecoveryStep step, CancellationToken cancellationToken)
    {
        var run = step.Run;
        var settled = await recoveries.SettleAsync(run, step.Entries, cancellationToken);
        if (settled is { Refused: null } && !run.Sender.HasActiveSession)
        {
            RecoveryMetrics.RecordRun(time.GetUtcNow().ToUnixTimeMilliseconds() - run.StartedTick);
        }

        switch (run.Next.Kind)
        {
            case RecoveryActionKind.None:
                await actions.ReleaseAsync(run, cancellationToken);
                return RecoveryAnswer.Done;
            case RecoveryActionKind.Unpin:
                return await actions.DoAsync(run, renewPin: false, cancellationToken);
            default:
                // Refused: another has ended the session since the run was told of anything.
                return settled is not { Refused: null } ? new RecoveryAnswer(RecoveryResult.Ended, Outside: settled?.Sender)
                    : step.LookOnly ? RecoveryAnswer.Done
                    : await actions.DoAsync(run, step.RenewPin, cancellationToken);
        }
    }
}
