using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Functions.Broadcasts;
using Baton.Functions.Settings;
using Baton.Functions.Timeline;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>
/// The callback of broadcasts: one that changes the replicate configuration puts it in force here once every channel has it. Other kinds are the
/// business of the log's users and have none. Runs at least once; its write is known by the broadcast, so a repeat writes nothing.
/// </summary>
internal sealed class ConfigurationCallback(ReplicateConfigurationStore configurations, TimelineStore timeline, ClusterOptions cluster, TimeProvider time, ILogger<ConfigurationCallback> logger)
{
    /// <summary>Runs the callback of a broadcast that is acked everywhere.</summary>
    public async Task RunAsync(StoredBroadcast broadcast, CancellationToken cancellationToken)
    {
        var task = broadcast.Task;

        // A promotion's own change is put in force by the promotion itself: it must not look like a change that undoes it.
        if (task.Message.AlterReplicateConfig is not { Ignored: false } change || (change.Forced && task.State == BroadcastState.Pending))
        {
            return;
        }

        var arrived = task.State == BroadcastState.Replicated;
        string? refused = null;
        var changed = false;
        await configurations.ApplyAsync(
            ChangeId(task.BroadcastId),
            stored =>
            {
                (refused, var next) = Decide(stored, broadcast, change, arrived);
                changed = next is not null;
                return next;
            },
            cancellationToken);

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

    /// <summary>What a broadcast's write of the configuration is known by.</summary>
    public static string ChangeId(long broadcastId) => BroadcastViews.OperationId(broadcastId);

    private (string? Refused, StoredConfiguration? Next) Decide(StoredConfiguration stored, StoredBroadcast broadcast, AlterReplicateConfig change, bool arrived)
    {
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
    };

    private Task AddEntryAsync(string kind, BroadcastTask task, string summary, CancellationToken cancellationToken) =>
        timeline.AddAsync(new TimelineEntry($"{kind}-{task.BroadcastId}", kind, time.GetUtcNow(), summary, BroadcastViews.OperationId(task.BroadcastId)), cancellationToken);
}
