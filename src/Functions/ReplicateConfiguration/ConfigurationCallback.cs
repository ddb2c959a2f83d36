using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.Broadcasts;
using Baton.Functions.Cdc;
using Baton.Functions.Settings;
using Baton.Functions.Tables;
using Baton.Functions.Timeline;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>
/// The callback of broadcasts: one that changes the replicate configuration puts it in force here once every channel has it. Other kinds are the
/// business of the log's users and have none. Runs at least once.
/// <code>
/// step            writes                             a crash leaves
/// Tasks           CDC tasks of new pairs of channel  tasks above the version in force, which nobody is shown: the next run finds them by the broadcast,
///                 and target; superseded ones ended  makes the others, and goes on
/// Configuration   the row, version + 1; clears a     a configuration without timeline entry. It is known by the broadcast, so a repeat writes nothing
///                 supersession
/// </code>
/// So a configuration in force has its tasks. Both are written only if they are what they were when this was decided (tasks are read before the configuration), so that a worker that slept in between, while others finished
/// this and what came after it, loses its write and decides again.
/// </summary>
internal sealed class ConfigurationCallback(
    ReplicateConfigurationStore configurations, CdcTaskStore tasks, TimelineStore timeline, ClusterOptions cluster, TimeProvider time, ILogger<ConfigurationCallback> logger)
{
    /// <summary>Runs the callback of a broadcast that is acked everywhere.</summary>
    public async Task RunAsync(StoredBroadcast broadcast, CancellationToken cancellationToken)
    {
        var task = broadcast.Task;

        // A promotion's own change is put in force by the promotion itself: it must not look like a change that undoes it.
        if (!HasWork(task))
        {
            return;
        }

        var change = task.Message.AlterReplicateConfig!;
        var (refused, changed) = await ConditionalWrite.RunAsync("the replicate configuration", ct => PutInForceAsync(broadcast, change, ct), cancellationToken);
        if (refused is not null)
        {
            logger.LogWarning("The configuration of broadcast {BroadcastId} is refused: {Reason}", task.BroadcastId, refused);
            await AddEntryAsync(TimelineKinds.ConfigurationRefused, task, $"A configuration from cluster {broadcast.SourceClusterId} was refused: {refused}.", cancellationToken);
        }
        else if (changed)
        {
            await AddEntryAsync(TimelineKinds.ConfigurationApplied, task, $"The configuration of broadcast {task.BroadcastId} is in force.", cancellationToken);
        }
    }

    /// <summary>Whether the callback of <paramref name="task"/> does anything.</summary>
    public static bool HasWork(BroadcastTask task) =>
        task.Message.AlterReplicateConfig is { Ignored: false } change && !(change.Forced && task.State == BroadcastState.Pending);

    /// <summary>What a broadcast's write of the configuration is known by.</summary>
    public static string ChangeId(long broadcastId) => BroadcastViews.OperationId(broadcastId);

    private async Task<(string? Refused, bool Changed)> PutInForceAsync(StoredBroadcast broadcast, AlterReplicateConfig change, CancellationToken cancellationToken)
    {
        var rows = await tasks.ListAsync(cancellationToken);
        var stored = await configurations.ReadAsync(cancellationToken);
        if (stored.ChangeId == ChangeId(broadcast.Task.BroadcastId))
        {
            return (null, false);
        }

        var (refused, next) = Decide(stored, broadcast, change);
        if (next is null)
        {
            return (refused, false);
        }

        var cdc = new CdcChange(
            cluster.Id,
            stored.Meta.Configuration,
            change.Configuration,
            stored.Meta.Left,
            broadcast.Task.BroadcastId,
            stored.Meta.Version + 1,
            broadcast.Task.Acks.ToDictionary(a => VChannels.ChannelOf(a.Key), a => a.Value.Lsn, StringComparer.Ordinal),
            time.GetUtcNow());
        await tasks.WriteAsync(rows, CdcTaskRules.Apply([.. rows.Select(r => r.Task)], cdc), cancellationToken);
        next = next with { Meta = next.Meta with { Left = CdcTaskRules.LeftAfter(cdc) } };
        await configurations.RaiseAsync(ChangeId(broadcast.Task.BroadcastId), stored, next, cancellationToken);
        return (null, true);
    }

    private (string? Refused, StoredConfiguration? Next) Decide(StoredConfiguration stored, StoredBroadcast broadcast, AlterReplicateConfig change)
    {
        var arrived = broadcast.Task.State == BroadcastState.Replicated;

        // Two configurations of one source may complete at the same time; the older must not be written after the newer.
        if (arrived && stored.ArrivedFrom is not null && stored.ArrivedFrom == broadcast.SourceClusterId && stored.ArrivedBroadcastId > broadcast.Task.BroadcastId)
        {
            return ($"broadcast {stored.ArrivedBroadcastId} of the same source is newer", null);
        }

        // A worker that slept between reading the task and this, while others finished it: written once, and perhaps changed since.
        if (!arrived && stored.OwnBroadcastId >= broadcast.Task.BroadcastId)
        {
            return (null, null);
        }

        var decision = ConfigArrival.Decide(stored.Meta, cluster.Id, change, arrived ? new ConfigOrigin(broadcast.SourceClusterId ?? "", broadcast.SourceTimeTick ?? 0) : null);
        return decision.Outcome switch
        {
            ConfigArrivalOutcome.Refuse => (decision.Reason, null),
            ConfigArrivalOutcome.Accept => (null, Accept(stored, broadcast, change, arrived)),
            _ => (null, null),
        };
    }

    // What is known of an earlier force is kept: what is older than it stays refused.
    private static StoredConfiguration Accept(StoredConfiguration stored, StoredBroadcast broadcast, AlterReplicateConfig change, bool arrived) => stored with
    {
        Meta = stored.Meta with { Configuration = change.Configuration, ForceUpdated = false, ForceUpdateTimestamp = null },
        ArrivedFrom = arrived ? broadcast.SourceClusterId : stored.ArrivedFrom,
        ArrivedBroadcastId = arrived ? broadcast.Task.BroadcastId : stored.ArrivedBroadcastId,
        OwnBroadcastId = arrived ? stored.OwnBroadcastId : broadcast.Task.BroadcastId,
        Superseded = null,
    };

    private Task AddEntryAsync(string kind, BroadcastTask task, string summary, CancellationToken cancellationToken) =>
        timeline.AddAsync(new TimelineEntry($"{kind}-{task.BroadcastId}", kind, time.GetUtcNow(), summary, BroadcastViews.OperationId(task.BroadcastId)), cancellationToken);
}
