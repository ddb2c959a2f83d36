using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.Channels;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;

namespace Baton.Functions.ForcedPromotion;

/// <summary>One channel's append of the forced configuration.</summary>
internal sealed record ForcedConfigToAppend(string OperationId, long BroadcastId, string VChannel, BroadcastMessage Message);

/// <summary>A channel that has the forced configuration in its log.</summary>
/// <param name="VChannel">The vchannel it was appended to: the channel, or the control vchannel on the first.</param>
/// <param name="Ack">Where it stands.</param>
/// <param name="RolledBack">How many open transactions it ended.</param>
/// <param name="LastReplicated">What the channel had last taken over from the old primary.</param>
internal sealed record AppendedChannel(string VChannel, BroadcastAck Ack, int RolledBack, ReplicateCheckpoint? LastReplicated);

/// <summary>What became of an append: the channel, or the reason why it is still missing.</summary>
internal sealed record AppendResult(string VChannel, AppendedChannel? Appended, string? Reason = null);

/// <summary>
/// Activity, step 2 of a promotion, once a channel and round. The node's log is the only thing written: idempotent by broadcast id, whoever leads by then. A leader that
/// cannot be reached is failed over first. When the node answers, its transactions are rolled back, the channel is writable, and every broadcast
/// record before it has been acked here, so that step 4 misses none.
/// </summary>
internal sealed class AppendForcedConfig(ChannelControl channels, ILogger<AppendForcedConfig> logger)
{
    /// <summary>One attempt for one channel. A node that cannot do it is an answer, not a failure: the promotion shows it and comes back.</summary>
    [Function(nameof(AppendForcedConfig))]
    public async Task<AppendResult> RunAsync([ActivityTrigger] ForcedConfigToAppend append, CancellationToken cancellationToken)
    {
        ControlResponse response;
        try
        {
            response = await channels.AppendAsync(append.BroadcastId, append.VChannel, append.Message, cancellationToken);
        }
        catch (Exception e) when (e is NodeCallException or ApiException)
        {
            logger.LogWarning("Promotion {OperationId}: {VChannel} is missing: {Reason} (forceUpdate=true)", append.OperationId, append.VChannel, e.Message);
            return new AppendResult(append.VChannel, null, e.Message);
        }

        if (!response.Duplicate)
        {
            PromotionMetrics.RolledBack(append.VChannel, response.RolledBackTxnIds.Count);
            logger.LogInformation(
                "Promotion {OperationId}: {VChannel} promoted at LSN {Lsn}; rolled back transactions: {TxnIds} (forceUpdate=true)",
                append.OperationId, append.VChannel, response.Ack.Lsn, string.Join(", ", response.RolledBackTxnIds));
        }

        return new AppendResult(append.VChannel, new AppendedChannel(append.VChannel, response.Ack, response.RolledBackTxnIds.Count, response.LastReplicated));
    }
}
