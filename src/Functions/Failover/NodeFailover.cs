using System.Diagnostics;
using Azure;
using Baton.Core.Cluster;
using Baton.Functions.Tables;
using Baton.Functions.Topology;

namespace Baton.Functions.Failover;

/// <summary>What became of a report against a node.</summary>
/// <param name="Plan">The plan that is in force now; its moves are this report's own work.</param>
/// <param name="ReadMs">How long the reading took.</param>
/// <param name="PlanMs">How long the planning took.</param>
/// <param name="WriteMs">How long the write took; 0 when there was nothing to write.</param>
/// <param name="WaitedMs">How long the storage did not answer before that, or let others come first; 0 as a rule.</param>
internal sealed record FailoverDone(FailoverPlan Plan, double ReadMs, double PlanMs, double WriteMs, double WaitedMs = 0);

/// <summary>
/// Steps 1 to 3 of a failover: read the state, plan, write the plan on condition. The write is the failover.
/// <para>
/// A storage service that throttles or restarts is part of the very day on which nodes fail. So each call is a single short attempt, and a fault of the storage begins the three steps
/// anew after a pause that never grows beyond <see cref="LongestPause"/>: the failover comes that soon after the storage is back. After <see cref="StorageRetryTime"/> the report fails, and the
/// queue delivers it again: ten times that is what an outage may last before the message is set aside, and until then the sweep has sent others.
/// </para>
/// </summary>
internal sealed class NodeFailover(ClusterStateStore states, FailoverOptions options, PlacementOptions placement, TimeProvider time, ILogger<NodeFailover> logger)
{
    /// <summary>How long one delivery of a report outlasts faults of the storage.</summary>
    public static readonly TimeSpan StorageRetryTime = TimeSpan.FromSeconds(10);

    /// <summary>The longest pause between two attempts.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(80);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);

    /// <summary>Moves the channels that <paramref name="evidence"/> is about away from its node, if the evidence stands.</summary>
    /// <exception cref="RequestFailedException">
    /// The state cannot be read or written, for <see cref="StorageRetryTime"/>; or two other writers came first, one after the other (412).
    /// </exception>
    public async Task<FailoverDone> RunAsync(FailureEvidence evidence, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var pause = FirstPause;
        var lostRace = false;
        FailoverPlan? unsure = null;
        while (true)
        {
            var round = new Round(time.GetElapsedTime(began).TotalMilliseconds);
            try
            {
                return await OnceAsync(evidence, round, unsure, cancellationToken);
            }
            catch (RequestFailedException e) when (!lostRace && ConditionalWrite.IsLostRace(e))
            {
                // Another handler decided something: what is left of this report, if anything, is planned on top of that. Once; after that the
                // queue delivers the message again, which costs less than a loop that nobody sees.
                lostRace = true;
            }
            catch (Exception e) when (StorageFault.IsTransient(e) && time.GetElapsedTime(began) < StorageRetryTime)
            {
                // Whoever stops this meets a storage that refuses as easily as one that answers; it was stopped then, and has not failed.
                cancellationToken.ThrowIfCancellationRequested();
                if (pause == FirstPause)
                {
                    logger.LogWarning("The failover of node {NodeId} waits for the storage: {Reason}", evidence.NodeId, e.Message);
                }

                FailoverMetrics.StorageRetries.Add(1);
                unsure = round.Written ?? unsure;
                await Task.Delay(pause, time, cancellationToken);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
    }

    private async Task<FailoverDone> OnceAsync(FailureEvidence evidence, Round round, FailoverPlan? unsure, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        var read = await states.ReadOnceAsync(cancellationToken);
        var planning = Stopwatch.GetTimestamp();
        var plan = FailoverPlanner.Plan(read.State, evidence, options.SuspicionCooldown, time.GetUtcNow(), placement.LeaderPolicy);
        var writing = Stopwatch.GetTimestamp();
        if (plan.Outcome == FailoverOutcome.Planned)
        {
            round.Written = plan;
            await states.WriteOnceAsync(read, plan.State, cancellationToken);
        }

        var done = Stopwatch.GetTimestamp();
        return new FailoverDone(
            plan.Outcome == FailoverOutcome.Planned || unsure is null ? plan : InForce(plan, unsure),
            Stopwatch.GetElapsedTime(began, planning).TotalMilliseconds,
            Stopwatch.GetElapsedTime(planning, writing).TotalMilliseconds,
            plan.Outcome == FailoverOutcome.Planned ? Stopwatch.GetElapsedTime(writing, done).TotalMilliseconds : 0,
            round.BeganMs);
    }

    // A write whose answer was lost may have been carried out. Its moves that the state shows were, and their leaders are still to be told.
    private static FailoverPlan InForce(FailoverPlan plan, FailoverPlan unsure)
    {
        var moves = unsure.Moves.Where(m => plan.State.Channels.TryGetValue(m.Channel, out var c) && c.Leader == m.To && c.Term == m.Term).ToList();
        return moves.Count == 0 ? plan : new FailoverPlan(FailoverOutcome.Planned, plan.State, moves);
    }

    // One attempt: when it began, and what it may have written.
    private sealed class Round(double beganMs)
    {
        public double BeganMs { get; } = beganMs;

        public FailoverPlan? Written { get; set; }
    }
}
