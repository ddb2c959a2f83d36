using Baton.Node.Broadcasts;
using Baton.Node.Leadership;
using Baton.Node.Messages;
using Baton.Node.Metadata;
using Baton.Node.Replication;
using Baton.Node.Settings;
using Baton.Node.Status;
using Baton.Storage.Wal;
using Microsoft.Extensions.Options;

namespace Baton.Node.Channels;

/// <summary>Takes a channel over: fences its log at the new term, recovers its state from the newest snapshot and the records behind it, and owes again every ack that may not have been taken.</summary>
internal sealed partial class ChannelOpener(
    WalStore store,
    ControlPlaneClient controlPlane,
    AckTurns ackTurns,
    LeaderHints hints,
    HeardStanding heard,
    NodeMetrics metrics,
    SnapshotTurns snapshotTurns,
    RecentBytes recentBytes,
    MetadataCopy metadataCopy,
    IOptions<NodeSettings> node,
    IOptions<ClusterSettings> cluster,
    TimeProvider time,
    ILogger<LedChannel> log)
{
    private readonly ChannelSurroundings _around = new(time, metrics, hints, heard, TimeSpan.FromMilliseconds(node.Value.AckFlushTimeoutMs), node.Value.SnapshotEveryRecords, snapshotTurns, recentBytes, log);

    /// <summary>What a request gets that came to the wrong node.</summary>
    public Core.Api.ApiException NotLeader(string channel) => _around.NotLeader(channel);

    /// <summary>The channel, led by this node.</summary>
    /// <exception cref="WalTermRefusedException">The log has seen this term or a higher one.</exception>
    /// <exception cref="WalDamagedException">The log cannot be read.</exception>
    /// <exception cref="InvalidDataException">The log holds what the rules cannot follow.</exception>
    public async Task<LedChannel> OpenAsync(string channel, long term)
    {
        var started = time.GetTimestamp();
        var recovery = new ChannelRecovery(cluster.Value.Id, channel, log);
        var writer = await ClaimAsync(channel, term, recovery);
        var machine = recovery.Machine;
        recovery.Sizes.Keep([.. machine.OpenTransactions.Select(t => t.TxnId)]);
        var led = new LedChannel(machine, writer, store, new BroadcastAcks(channel, controlPlane, ackTurns, time, log), recovery.Sizes, _around, recovery.Metadata is { } metadata ? new LedMetadata(metadata, metadataCopy) : null);
        led.Start(recovery);
        metrics.Opened(channel, recovery.Records, time.GetElapsedTime(started));
        LogOpened(log, channel, term, machine.LastLsn, recovery.SnapshotLsn, recovery.Records, machine.Role, machine.OpenTransactions.Count, recovery.Owed.Count, (long)time.GetElapsedTime(started).TotalMilliseconds);
        return led;
    }

    private async Task<WalWriter> ClaimAsync(string channel, long term, ChannelRecovery recovery)
    {
        try
        {
            return await store.OpenAsync(channel, term, node.Value.Id, new WalReplay(recovery.TakeRecordAsync, recovery.TakeSnapshotAsync), CancellationToken.None);
        }
        catch (Exception e)
        {
            metrics.OpenFailed(refused: e is WalTermRefusedException);
            throw;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel} opened at term {Term} behind LSN {LastLsn}, from the snapshot at LSN {SnapshotLsn} and {Records} records: role {Role}, {OpenTransactions} open transactions, {OwedAcks} acks owed, {ElapsedMs} ms")]
    private static partial void LogOpened(ILogger log, string channel, long term, long lastLsn, long snapshotLsn, int records, Core.Replication.ClusterRole role, int openTransactions, int owedAcks, long elapsedMs);
}
