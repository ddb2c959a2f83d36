using Baton.Core.Recovery;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;

namespace Baton.Functions.Recovery;

/// <summary>
/// Activity: looks up the session that is to be run. One that had begun was run by an instance that is lost: nobody knows how far it got, so it ends, its hold on the log with it, and a later
/// sweep makes another.
/// </summary>
internal sealed class TakeRecovery(OperationStore operations, RecoveryStore recoveries, ReplicaActions actions, RecoveryOptions options, TimeProvider time)
{
    /// <summary>Why such a session ends.</summary>
    internal const string RunLost = "run_lost";

    /// <summary>Looks it up.</summary>
    [Function(nameof(TakeRecovery))]
    public async Task<RecoveryProgress> RunAsync([ActivityTrigger] RecoverySessionInput input, CancellationToken cancellationToken)
    {
        // Requests first: what is asked for after this line is not served by this run.
        var head = await operations.ReadHeadAsync(input.OperationId, cancellationToken) ?? throw new InvalidOperationException($"There is no operation {input.OperationId}.");

        // A lost run leaves its hold on the log also where its session was ended from outside: whoever begins lets go of it, since a session that has nothing to fetch would not.
        await actions.UnpinAsync(input.Replica, cancellationToken);
        var sender = (await recoveries.ReadAsync(input.Replica.Channel, cancellationToken)).Find(input.Replica.ReplicaId);
        if (sender is not { HasActiveSession: true, Session: { } session })
        {
            return new RecoveryProgress(head.Requests, options.Pin, null);
        }

        if (session.Phase == SessionPhase.Init)
        {
            return new RecoveryProgress(head.Requests, options.Pin, RecoveryRun.Start(sender, time.GetUtcNow().ToUnixTimeMilliseconds()));
        }

        await recoveries.ChangeAsync(input.Replica.Channel, 0, r => r.Invalidate(input.Replica, session.Id, RunLost), cancellationToken);
        return new RecoveryProgress(head.Requests, options.Pin, null);
    }
}
