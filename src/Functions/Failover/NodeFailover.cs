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
internal sealed record FailoverDone(FailoverPlan Plan, double ReadMs, double PlanMs, double WriteMs);

/// <summary>Steps 1 to 3 of a failover: read the state, plan, write the plan on condition. The write is the failover.</summary>
internal sealed class NodeFailover(ClusterStateStore states, FailoverOptions options, TimeProvider time)
{
    /// <summary>Moves every channel away from the node that <paramref name="evidence"/> is about, if the evidence stands.</summary>
    /// <exception cref="RequestFailedException">The state cannot be read or written; or two other writers came first, one after the other (412).</exception>
    public async Task<FailoverDone> RunAsync(FailureEvidence evidence, CancellationToken cancellationToken)
    {
        try
        {
            return await OnceAsync(evidence, cancellationToken);
        }
        catch (RequestFailedException e) when (ConditionalWrite.IsLostRace(e))
        {
            // Another handler decided something: what is left of this report, if anything, is planned on top of that. Once; after that the
            // queue delivers the message again, which costs less than a loop that nobody sees.
            return await OnceAsync(evidence, cancellationToken);
        }
    }

    private async Task<FailoverDone> OnceAsync(FailureEvidence evidence, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        var read = await states.ReadAsync(cancellationToken);
        var planning = Stopwatch.GetTimestamp();
        var plan = FailoverPlanner.Plan(read.State, evidence, options.SuspicionCooldown, time.GetUtcNow());
        var writing = Stopwatch.GetTimestamp();
        if (plan.Outcome == FailoverOutcome.Planned)
        {
            await states.WriteAsync(read, plan.State, cancellationToken);
        }

        var done = Stopwatch.GetTimestamp();
        return new FailoverDone(
            plan,
            Stopwatch.GetElapsedTime(began, planning).TotalMilliseconds,
            Stopwatch.GetElapsedTime(planning, writing).TotalMilliseconds,
            plan.Outcome == FailoverOutcome.Planned ? Stopwatch.GetElapsedTime(writing, done).TotalMilliseconds : 0);
    }
}
