using Baton.Core.Api;
using Baton.Node.Leadership;
using Baton.Node.Messages;
using Baton.Node.Replication;
using Baton.Node.Status;

namespace Baton.Node.Channels;

/// <summary>What every channel of a node shares.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Metrics">The numbers.</param>
/// <param name="Hints">Who leads elsewhere.</param>
/// <param name="Heard">How the cluster replicates.</param>
/// <param name="AckFlushTimeout">How long a change of configuration waits for acks.</param>
/// <param name="SnapshotEveryRecords">Records after which a channel takes a snapshot.</param>
/// <param name="SnapshotTurns">How many of them may be taken at the same time.</param>
/// <param name="RecentBytes">What they may keep of their ends in memory.</param>
/// <param name="Log">The log of all channels.</param>
internal sealed record ChannelSurroundings(
    TimeProvider Time, NodeMetrics Metrics, LeaderHints Hints, HeardStanding Heard, TimeSpan AckFlushTimeout, int SnapshotEveryRecords, SnapshotTurns SnapshotTurns, RecentBytes RecentBytes, ILogger Log)
{
    /// <summary>What a request gets that came to the wrong node.</summary>
    public ApiException NotLeader(string channel) =>
        new(ApiErrorCode.NotLeader, $"this node does not lead channel {channel}") { Leader = Hints.Find(channel) };
}
