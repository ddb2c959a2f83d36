using Baton.Core.Channels;
using Baton.Node.Broadcasts;
using Baton.Node.Leadership;
using Baton.Node.Settings;
using Baton.Node.Status;
using Baton.Storage.Wal;
using Microsoft.Extensions.Options;

namespace Baton.Node.Channels;

/// <summary>Takes a channel over: fences its log at the new term, replays it, and owes again every ack of a replicated broadcast in it.</summary>
internal sealed partial class ChannelOpener(
    WalStore store,
    ControlPlaneClient controlPlane,
    LeaderHints hints,
    NodeMetrics metrics,
    IOptions<NodeSettings> node,
    IOptions<ClusterSettings> cluster,
    TimeProvider time,
    ILogger<LedChannel> log)
{
    private readonly ChannelSurroundings _around = new(time, metrics, hints, TimeSpan.FromMilliseconds(node.Value.AckFlushTimeoutMs), log);

    /// <summary>What a request gets that came to the wrong node.</summary>
    public Core.Api.ApiException NotLeader(string channel) => _around.NotLeader(channel);

    /// <summary>The channel, led by this node.</summary>
    /// <exception cref="WalTermRefusedException">The log has seen this term or a higher one.</exception>
    /// <exception cref="WalDamagedException">The log cannot be read.</exception>
    /// <exception cref="InvalidDataException">The log holds what the rules cannot follow.</exception>
    public async Task<LedChannel> OpenAsync(string channel, long term)
    {
        var started = time.GetTimestamp();
        var machine = new ChannelMachine(cluster.Value.Id, channel);
        var sizes = new TransactionSizes();
        List<PendingAck> owed = [];
        var writer = await store.OpenAsync(
            channel,
            term,
            node.Value.Id,
            new WalReplay((lsn, record) =>
            {
                if (machine.Apply(lsn, record).Ack is { Source: not null } ack)
                {
                    owed.Add(new PendingAck(lsn, record.BroadcastId, ack, Task.CompletedTask));
                }

                sizes.Apply(record);
                return ValueTask.CompletedTask;
            }),
            CancellationToken.None);
        sizes.Keep([.. machine.OpenTransactions.Select(t => t.TxnId)]);
        var led = new LedChannel(machine, writer, store, new BroadcastAcks(channel, controlPlane, time, log), sizes, _around);
        led.Start(owed);
        LogOpened(log, channel, term, machine.LastLsn, machine.Role, machine.OpenTransactions.Count, owed.Count, (long)time.GetElapsedTime(started).TotalMilliseconds);
        return led;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel} opened at term {Term} behind LSN {LastLsn}: role {Role}, {OpenTransactions} open transactions, {OwedAcks} acks owed, {ElapsedMs} ms")]
    private static partial void LogOpened(ILogger log, string channel, long term, long lastLsn, Core.Replication.ClusterRole role, int openTransactions, int owedAcks, long elapsedMs);
}
