using Baton.Core.Recovery;
using Baton.Durable;
using Baton.Functions.Operations;

namespace Baton.Functions.Recovery;

/// <summary>
/// Puts an intent into force: the channel's row first, then the operations that run its sessions, then those that run sessions which have ended hear of it. A crash in between leaves sessions that
/// nobody runs, for the next sweep to find; and runs that hear of their end when they next keep something.
/// </summary>
internal sealed class RecoveryAssignments(RecoveryStore recoveries, OperationStarter starter, OperationStore operations)
{
    /// <summary>Puts it into force, and has every session of the channel run that is yet to begin.</summary>
    public async Task<AssignmentResult> ApplyAsync(DurableTaskClient client, AssignmentIntent intent, CancellationToken cancellationToken)
    {
        var change = await recoveries.ChangeAsync(
            intent.Channel,
            intent.RecoveryTargets.Count,
            registry =>
            {
                var before = Active(registry);
                return (Result: registry.Apply(intent), Before: before, After: Active(registry));
            },
            cancellationToken);
        foreach (var (replica, _) in change.After.Where(s => change.Before.GetValueOrDefault(s.Key)?.Id != s.Value.Id))
        {
            await RunAsync(client, replica, cancellationToken);
        }

        await TellAsync(client, change.Before.Where(s => change.After.GetValueOrDefault(s.Key)?.Id != s.Value.Id).Select(s => s.Key), cancellationToken);
        return change.Result;
    }

    /// <summary>Sees to it that somebody runs the session of <paramref name="replica"/>: whoever made it, or last ran it, may have died before.</summary>
    public async Task EnsureRunsAsync(DurableTaskClient client, ReplicaKey replica, CancellationToken cancellationToken)
    {
        if (await operations.ReadHeadAsync(RecoverySessionInput.IdOf(replica), cancellationToken) is not { Running: true })
        {
            await RunAsync(client, replica, cancellationToken);
        }
    }

    /// <summary>When the last session of a replica was over (UTC); null where there was none, or it is not.</summary>
    public async Task<DateTimeOffset?> LastOverAsync(ReplicaKey replica, CancellationToken cancellationToken) =>
        (await operations.ReadHeadAsync(RecoverySessionInput.IdOf(replica), cancellationToken))?.FinishedAt;

    /// <summary>Ends a replica's session, if it has one.</summary>
    /// <returns>Null where no such replica is known; else whether there was one.</returns>
    public async Task<bool?> CancelAsync(DurableTaskClient client, ReplicaKey replica, CancellationToken cancellationToken)
    {
        var ended = await recoveries.ChangeAsync(
            replica.Channel,
            0,
            registry => registry.Find(replica) is { } sender ? sender.HasActiveSession && registry.Invalidate(replica, sender.Session!.Id, RecoveryEvents.Cancelled) is { Refused: null } : (bool?)null,
            cancellationToken);
        if (ended == true)
        {
            await TellAsync(client, [replica], cancellationToken);
        }

        return ended;
    }

    private static Dictionary<ReplicaKey, RecoverySession> Active(ReplicaRegistry registry) =>
        registry.State.Channels.SelectMany(c => c.Senders).Where(s => s.HasActiveSession).ToDictionary(s => s.Replica, s => s.Session!);

    private async Task RunAsync(DurableTaskClient client, ReplicaKey replica, CancellationToken cancellationToken)
    {
        var id = RecoverySessionInput.IdOf(replica);
        await starter.RequestAsync(client, id, RecoverySessionOrchestration.Name, new RecoverySessionInput(id, replica), OperationStarter.Always, cancellationToken);
    }

    private async Task TellAsync(DurableTaskClient client, IEnumerable<ReplicaKey> ended, CancellationToken cancellationToken)
    {
        foreach (var replica in ended)
        {
            if (await operations.ReadHeadAsync(RecoverySessionInput.IdOf(replica), cancellationToken) is { Running: true } head)
            {
                await client.RaiseEventAsync(head.InstanceId, RecoverySessionOrchestration.Changed, "ended", cancellationToken);
            }
        }
    }
}
