using Baton.Core.Api;
using Baton.Functions.Nodes;
using Baton.Functions.Tables;

namespace Baton.Functions.Failover;

/// <summary>
/// Looks again where the sweep's word is old. Between a report and its handler may lie an outage and deliveries that failed; a node that was silent then may have gone on beating since, and
/// moving its channels would be a failover that nobody needs. A fresh report is never looked at: the fast path costs it one read and one write.
/// </summary>
internal sealed class LateReports(HeartbeatStore heartbeats, Listening listening, FailoverOptions options, TimeProvider time, ILogger<LateReports> logger)
{
    /// <summary>Whether the node that the sweep reported has been heard of since, and is not silent now.</summary>
    public async Task<bool> HeardSinceAsync(UrgentFailoverMessage report, CancellationToken cancellationToken)
    {
        if (time.GetUtcNow() - report.ObservedAt < options.LateReport)
        {
            return false;
        }

        DateTimeOffset? kept;
        try
        {
            kept = await heartbeats.ReadOnceAsync(report.NodeId, cancellationToken);
        }
        catch (Exception e) when (StorageFault.IsTransient(e))
        {
            cancellationToken.ThrowIfCancellationRequested();

            // A false alarm costs a change of leader, one that is not acted upon the node's channels.
            logger.LogWarning("Late report {EventId} against node {NodeId} is taken as it is: its heartbeat cannot be read: {Reason}", report.EventId, report.NodeId, e.Message);
            return false;
        }

        return kept is { } beat
            && listening.LastHeard(report.NodeId, beat) > report.ObservedAt
            && listening.SilentSince(report.NodeId, beat) + options.HeartbeatTimeout > time.GetUtcNow();
    }
}
