using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.Node.Channels;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>Commands at the leader: checked, written, applied; with <c>Metadata:Commit = Quorum</c> confirmed by a majority; and new topics given their leaders, before they are answered.</summary>
internal sealed class MetadataWriter(MetadataCopy copy, TopicInitializer initializer, MetadataMetrics metrics, IOptions<MetadataSettings> settings, IOptions<NodeSettings> node)
{
    /// <summary>Writes commands, all or none.</summary>
    /// <exception cref="ApiException">The state refuses one; or the log, a majority or the control plane is not there.</exception>
    public async Task<MetadataCommandsResponse> WriteAsync(LedChannel led, IReadOnlyList<MetadataCommand> commands, ProducerStamp? producer, CancellationToken ct)
    {
        IReadOnlyList<MetadataCommand> whole = [.. commands.Select(c => MetadataRules.WithDefaults(c, settings.Value.DefaultPartitions, settings.Value.DefaultReplicationFactor))];
        var written = await led.CommandAsync(whole, producer);
        metrics.Written(whole.Count);
        if (settings.Value.Commit == MetadataCommit.Quorum)
        {
            await ConfirmAsync(led, written.LastLsn, ct);
        }

        List<string> created = [.. whole.OfType<CreateTopic>().Select(c => c.Name)];
        if (created.Count > 0)
        {
            await initializer.InitializeAsync(led, created, TimeSpan.FromMilliseconds(settings.Value.ForwardTimeoutMs), ct);
        }

        return new MetadataCommandsResponse(written.FirstLsn, written.LastLsn, led.Term, node.Value.Id, MetadataViews.Created(copy.State, whole, written.FirstLsn, written.LastLsn));
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
