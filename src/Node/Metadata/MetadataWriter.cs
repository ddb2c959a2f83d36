using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>Commands at the leader: checked, written, applied; with <c>Metadata:Commit = Quorum</c> confirmed by a majority; and new topics given their leaders, before they are answered.</summary>
internal sealed class MetadataWriter(MetadataCopy copy, TopicInitializer initializer, LeaderHints hints, MetadataMetrics metrics, IOptions<MetadataSettings> settings, IOptions<NodeSettings> node)
{
    /// <summary>Writes commands, all or none.</summary>
    /// <exception cref="ApiException">The state refuses one; or the log, a majority or the control plane is not there.</exception>
    public async Task<MetadataCommandsResponse> WriteAsync(LedChannel led, IReadOnlyList<MetadataCommand> commands, ProducerStamp? producer, CancellationToken ct)
    {
        IReadOnlyList<MetadataCommand> whole = [.. commands.Select(c => MetadataRules.WithDefaults(c, settings.Value.DefaultPartitions, settings.Value.DefaultReplicationFactor))];
        List<CreateTopic> created = [.. whole.OfType<CreateTopic>()];
        if (created.Count > 0)
        {
            await RefuseTakenAsync(created, ct);
        }

        var written = await led.CommandAsync(whole, producer);
        metrics.Written(whole.Count);
        if (settings.Value.Commit == MetadataCommit.Quorum)
        {
            await ConfirmAsync(led, written.LastLsn, ct);
        }

        if (created.Count > 0)
        {
            await initializer.InitializeAsync(led, [.. created.Select(c => c.Name)], TimeSpan.FromMilliseconds(settings.Value.ForwardTimeoutMs), ct);
        }

        return new MetadataCommandsResponse(written.FirstLsn, written.LastLsn, led.Term, node.Value.Id, MetadataViews.Created(copy.State, whole, written.FirstLsn, written.LastLsn));
    }

    // Such a topic would be in the log for good, and never have leaders. What the state refuses, or has done already, is left to it; a channel that comes up a moment later is met by the initializer.
    private async Task RefuseTakenAsync(List<CreateTopic> topics, CancellationToken ct)
    {
        var state = copy.State;
        var wanted = topics
            .Where(t => !state.Topics.ContainsKey(t.Name))
            .SelectMany(t => Enumerable.Range(0, Math.Clamp(t.Partitions!.Value, 0, MetadataLimits.MaxPartitionsPerTopic)).Select(p => (Topic: t.Name, Channel: PartitionChannels.NameOf(t.Name, p, state.NextGeneration(t.Name)))))
            .Take(PartitionInitializer.MaxChannels)
            .ToList();
        if (wanted.Count > 0 && await hints.FirstThereAsync(wanted.Select(w => w.Channel), ct) is { } taken && copy.State.FindPartition(taken) is null)
        {
            var topic = wanted.First(w => w.Channel == taken).Topic;
            throw new ApiException(ApiErrorCode.Conflict, $"topic {topic} cannot be created: its partitions need channels of their own, and there is a channel {taken} already, which is no topic's. Choose another name");
        }
    }

    private async Task ConfirmAsync(LedChannel led, long lsn, CancellationToken ct)
    {
        // This node is one of them, and has it.
        var nodes = copy.State.Nodes;
        var others = nodes.Count / 2;
        if (!await led.WaitForFollowersAsync(lsn, others, n => n != node.Value.Id && nodes.ContainsKey(n), TimeSpan.FromMilliseconds(settings.Value.QuorumTimeoutMs), ct))
        {
            throw new ApiException(
                ApiErrorCode.Unavailable,
                $"the commands are in the log, but {others} other nodes have not confirmed LSN {lsn} within {settings.Value.QuorumTimeoutMs} ms (Metadata:QuorumTimeoutMs): look before you send them again, or set Metadata:Commit to Wal")
            {
                RetryAfterSeconds = 1,
            };
        }
    }
}
