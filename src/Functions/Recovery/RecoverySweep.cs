using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.Durable;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Rebalance;
using Baton.Functions.Reconcile;
using Baton.Functions.Topology;

namespace Baton.Functions.Recovery;

/// <summary>
/// Sees to it that every replica that lives and is not in sync has a session, and asks for a reconciliation where the end of one is not in the state yet. While all replicas are in sync it costs two
/// reads. Decides nothing twice: what a channel's recoveries should be follows from what was read (<see cref="RecoveryPlan"/>), and the same intent again changes nothing.
/// <para>
/// The state that it has read is looked at for two things more: whether copies that are leaving can go, and whether the members have changed so that a rebalance is due (<see cref="RebalanceWatch"/>).
/// </para>
/// </summary>
internal sealed class RecoverySweep(
    RecoveryAssignments assignments, RecoveryStore recoveries, ClusterStateStore states, HeartbeatStore heartbeats, ReconcileRequests reconcile, FailoverOptions failover, RecoveryOptions options, RebalanceWatch rebalance, TimeProvider time)
{
    // Calls to the storage, of whose connections the fast path must have its share.
    private const int AtOnce = 8;

    /// <summary>How long a replica whose session has failed is left alone.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    /// <summary>One sweep.</summary>
    [Function("RecoverySweep")]
    public async Task RunAsync([TimerTrigger("%RecoverySweepSchedule%")] TimerInfo timer, [DurableClient] DurableTaskClient client, CancellationToken cancellationToken)
    {
        var state = (await states.ReadAsync(cancellationToken)).State;
        var plan = new RecoveryPlan(await heartbeats.ReadBeatsAsync(cancellationToken), failover.HeartbeatTimeout, options.ReadyLag, time.GetUtcNow());
        await rebalance.LookAsync(client, state, cancellationToken);
        var canGo = LeavingCopies.CanGo(state);
        if (!plan.IsDue(state) && !canGo)
        {
            RecoveryMetrics.RecordUnderWay(0);
            return;
        }

        var known = await recoveries.ListAsync(cancellationToken);
        RecoveryMetrics.RecordUnderWay(known.Values.Sum(c => c.Senders.Count(s => s.HasActiveSession)));
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(known.Values.SelectMany(c => c.Senders).Where(s => s.HasActiveSession), parallel, async (s, ct) => await assignments.EnsureRunsAsync(client, s.Replica, ct));
        await Parallel.ForEachAsync(
            plan.Intents(state, known, options.Budget, options.SessionsAtOnce),
            parallel,
            async (intent, ct) => await assignments.ApplyAsync(client, await WithoutRecentlyFailedAsync(intent, known.GetValueOrDefault(intent.Channel), ct), ct));
        if (canGo || !ReferenceEquals(plan.WithReadiness(state, state, known), state))
        {
            await reconcile.RequestAsync(client, cancellationToken);
        }
    }

    // What failed a moment ago would hardly succeed now, and each session leaves its events. A rebuild after a catch-up that found it to be needed is something else.
    private async Task<AssignmentIntent> WithoutRecentlyFailedAsync(AssignmentIntent intent, ChannelReplicas? known, CancellationToken cancellationToken)
    {
        var targets = new Dictionary<string, SessionKind>(intent.RecoveryTargets, StringComparer.Ordinal);
        foreach (var (nodeId, kind) in intent.RecoveryTargets)
        {
            if (known?.Find(nodeId) is { Session: { } last } sender && last.Kind == kind && sender.Epoch == intent.Epoch
                && await assignments.LastOverAsync(sender.Replica, cancellationToken) is { } over && time.GetUtcNow() - over < Rest)
            {
                targets.Remove(nodeId);
            }
        }

        return intent with { RecoveryTargets = targets };
    }
}
