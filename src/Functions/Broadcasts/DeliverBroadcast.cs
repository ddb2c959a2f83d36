using System.Text.Json.Serialization;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.Channels;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;

namespace Baton.Functions.Broadcasts;

/// <summary>A broadcast to deliver.</summary>
/// <param name="OperationId">The operation it is delivered for.</param>
/// <param name="BroadcastId">The broadcast.</param>
internal sealed record BroadcastDelivery(string OperationId, long BroadcastId);

/// <summary>How far a delivery is.</summary>
/// <param name="Missing">Vchannels that are still without it, each with the reason; none when the task is a tombstone.</param>
/// <param name="WaitsFor">Delivered everywhere, but the callback of this broadcast comes first.</param>
/// <param name="Overtaken">This cluster has become a secondary, and nothing more of it can be appended: its locks must go.</param>
internal sealed record DeliveryProgress(IReadOnlyList<MissingVChannel> Missing, long? WaitsFor = null, bool Overtaken = false)
{
    /// <summary>Delivered everywhere, callback done.</summary>
    [JsonIgnore]
    public bool Done => Missing.Count == 0 && WaitsFor is null;

    /// <summary>What is missing, in words.</summary>
    public string Describe() => WaitsFor is { } ahead
        ? $"waits for the callback of broadcast {ahead}"
        : $"is missing on {StepText.List([.. Missing.Select(m => $"{m.VChannel}: {m.Reason}")])}";
}

/// <summary>A vchannel that is still without a broadcast, and why.</summary>
internal sealed record MissingVChannel(string VChannel, string Reason);

/// <summary>
/// Activity: one round of delivering a broadcast. Idempotent, whatever it was interrupted at:
/// <list type="number">
/// <item>a tombstone is left as it is, and so is one that is collected;</item>
/// <item>the missing vchannels are appended in parallel under the broadcast's own id; one that had it already answers from its log;</item>
/// <item>the acks of those that succeeded are stored, in one write; a crash before it repeats appends that answer from the log;</item>
/// <item>when all have acked and it is this broadcast's turn: the callback, which finds its own write when it is repeated; then the tombstone.</item>
/// </list>
/// </summary>
internal sealed class DeliverBroadcast(
    BroadcastStore broadcasts, ChannelControl channels, CallbackTurns turns, ReplicateConfigurationStore configurations, ClusterOptions cluster, TimeProvider time, ILogger<DeliverBroadcast> logger)
{
    /// <summary>Does one round.</summary>
    [Function(nameof(DeliverBroadcast))]
    public async Task<DeliveryProgress> RunAsync([ActivityTrigger] BroadcastDelivery delivery, CancellationToken cancellationToken)
    {
        var stored = await broadcasts.ReadUnlessCollectedAsync(delivery.BroadcastId, cancellationToken);
        if (stored is not { Task: { State: BroadcastState.Pending or BroadcastState.Replicated } task })
        {
            return new DeliveryProgress([]);
        }

        if (task.PendingVChannels.Count > 0)
        {
            var (progress, acked) = await AppendMissingAsync(task, cancellationToken);
            task = acked;
            if (!progress.Done)
            {
                return progress with { Overtaken = await IsOvertakenAsync(task, cancellationToken) };
            }
        }

        return new DeliveryProgress([], WaitsFor: await turns.RunAsync(stored with { Task = task }, cancellationToken));
    }

    // A change of configuration passes on a secondary too; of anything else the nodes take no more, and its locks would stand in a promotion's way.
    private async Task<bool> IsOvertakenAsync(BroadcastTask task, CancellationToken cancellationToken) =>
        task.State == BroadcastState.Pending
        && !BroadcastRules.IsConfigChange(task.Message)
        && ReplicateRoles.RoleOf((await configurations.ReadAsync(cancellationToken)).Meta.Configuration, cluster.Id) == ClusterRole.Secondary;

    private async Task<(DeliveryProgress Progress, BroadcastTask Task)> AppendMissingAsync(BroadcastTask task, CancellationToken cancellationToken)
    {
        var appends = await Task.WhenAll(task.PendingVChannels.Select(v => AppendAsync(task, v, cancellationToken)));
        var now = time.GetUtcNow();
        var acked = await broadcasts.UpdateAsync(
            task.BroadcastId,
            t => appends.Where(a => a.Ack is not null).Aggregate(t, (current, a) => BroadcastRules.Ack(current, t.BroadcastId, a.VChannel, a.Ack!, t.Message, now)),
            cancellationToken);
        return (new DeliveryProgress([.. appends.Where(a => a.Ack is null).Select(a => new MissingVChannel(a.VChannel, a.Reason!))]), acked);
    }

    private async Task<(string VChannel, BroadcastAck? Ack, string? Reason)> AppendAsync(BroadcastTask task, string vchannel, CancellationToken cancellationToken)
    {
        try
        {
            return (vchannel, (await channels.AppendAsync(task.BroadcastId, vchannel, task.Message, cancellationToken)).Ack, null);
        }
        catch (Exception e) when (e is NodeCallException or ApiException)
        {
            logger.LogWarning("Broadcast {BroadcastId} could not be appended to {VChannel}: {Reason}", task.BroadcastId, vchannel, e.Message);
            return (vchannel, null, e.Message);
        }
    }
}
