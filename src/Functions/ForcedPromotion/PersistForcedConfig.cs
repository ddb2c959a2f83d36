using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.ForcedPromotion;

/// <summary>The configuration that every channel has by now.</summary>
internal sealed record ForcedConfigToPersist(string OperationId, Configuration Configuration, long BroadcastId, IReadOnlyList<AppendedChannel> Appended);

/// <summary>
/// Activity, step 3 of a promotion. Stores the acks with the promotion's own task, then the configuration in one conditional write: forced, now, version + 1. A
/// repeat finds the operation's id in the row, or a broadcast of this cluster that is no older, and writes nothing. A configuration that arrived by replication since the check is overwritten:
/// the channels have left their source.
/// </summary>
internal sealed class PersistForcedConfig(
    OperationStore operations, BroadcastStore broadcasts, ReplicateConfigurationStore configurations, ClusterOptions cluster, TimeProvider time, ILogger<PersistForcedConfig> logger)
{
    /// <summary>Persists it.</summary>
    [Function(nameof(PersistForcedConfig))]
    public async Task RunAsync([ActivityTrigger] ForcedConfigToPersist persist, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(persist.OperationId, PromotionSteps.Persist, nameof(PromotionSteps.Persist), null, cancellationToken);
        var now = time.GetUtcNow();
        await broadcasts.UpdateAsync(
            persist.BroadcastId,
            task => persist.Appended.Aggregate(task, (t, a) => BroadcastRules.Ack(t, t.BroadcastId, a.VChannel, a.Ack, t.Message, now)),
            cancellationToken);

        var stored = await configurations.ApplyAsync(
            persist.OperationId,
            current => current.OwnBroadcastId >= persist.BroadcastId
                ? null
                : current with
                {
                    Meta = new ReplicateConfigurationMeta(persist.Configuration, current.Meta.Version, ForceUpdated: true, now, LeftBy(persist.Appended, current.Meta)),
                    OwnBroadcastId = persist.BroadcastId,
                    Superseded = null,
                },
            cancellationToken);
        logger.LogInformation("Promotion {OperationId}: configuration version {Version} is in force (forceUpdate=true)", persist.OperationId, stored.Meta.Version);
    }

    // The source by the channels' own account where they have one: a configuration may have arrived here since.
    private LeftSource? LeftBy(IReadOnlyList<AppendedChannel> appended, ReplicateConfigurationMeta current)
    {
        var taken = appended.Select(a => a.LastReplicated).OfType<ReplicateCheckpoint>().ToList();
        var source = taken.FirstOrDefault()?.ClusterId ?? ReplicateRoles.SourceOf(current.Configuration, cluster.Id);
        return source is null
            ? current.Left
            : new LeftSource(
                source,
                taken.Where(t => string.Equals(t.ClusterId, source, StringComparison.Ordinal)).Select(t => t.TimeTick).DefaultIfEmpty().Max(),
                appended.ToDictionary(a => VChannels.ChannelOf(a.VChannel), a => a.Ack.Lsn, StringComparer.Ordinal));
    }
}
