using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Functions.Failover;
using Baton.Functions.Nodes;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;

namespace Baton.Functions.Channels;

/// <summary>
/// Appends one vchannel's copy of a broadcast on whoever leads its channel. A leader that cannot be reached is failed over first; one that
/// does not know yet that it leads is told. One round: what is still wrong then is thrown, and the orchestration comes back later.
/// Idempotent by broadcast id and vchannel, whoever leads: the answer of a repeat comes from the log.
/// </summary>
internal sealed class ChannelControl(
    ClusterStateStore states,
    NodeFailover failover,
    OpenHints hints,
    NodeClient nodes,
    FailoverOptions options,
    TimelineStore timeline,
    TimeProvider time,
    ILogger<ChannelControl> logger)
{
    /// <summary>Appends, and answers where the record stands.</summary>
    /// <param name="broadcastId">The broadcast.</param>
    /// <param name="vchannel">Where its copy goes.</param>
    /// <param name="message">The message.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="known">The state as it was a moment ago, for one who appends much; where its leader does not lead, the state is read.</param>
    /// <exception cref="NodeCallException">The leader could not be reached, or refused.</exception>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.Unavailable"/>: the channel has no leader.</exception>
    public async Task<ControlResponse> AppendAsync(long broadcastId, string vchannel, BroadcastMessage message, CancellationToken cancellationToken, ClusterState? known = null)
    {
        var channel = VChannels.ChannelOf(vchannel);
        var request = new ControlRequest(broadcastId, vchannel, message);
        var state = known ?? (await states.ReadAsync(cancellationToken)).State;
        var leader = LeaderOf(state, channel);
        try
        {
            return await nodes.ControlAsync(leader.Endpoint, channel, request, cancellationToken);
        }
        catch (NodeCallException e) when (known is not null && (e.Failure == NodeCallFailure.Unreachable || e.Is(ApiErrorCode.NotLeader)))
        {
            return await AppendAsync(broadcastId, vchannel, message, cancellationToken);
        }
        catch (NodeCallException e) when (e.Failure == NodeCallFailure.Unreachable)
        {
            logger.LogWarning("Leader {NodeId} of channel {Channel} cannot be reached ({Reason}): failing over", leader.NodeId, channel, e.Message);
            leader = LeaderOf(await MoveAwayAsync(leader, e.Message, cancellationToken), channel);
        }
        catch (NodeCallException e) when (e.Is(ApiErrorCode.NotLeader))
        {
            logger.LogInformation("Leader {NodeId} of channel {Channel} does not know yet that it leads at term {Term}", leader.NodeId, channel, leader.Term);
        }

        await OpenAsync(leader, channel, cancellationToken);
        return await nodes.ControlAsync(leader.Endpoint, channel, request, cancellationToken);
    }

    private async Task<ClusterState> MoveAwayAsync(ChannelLeader leader, string reason, CancellationToken cancellationToken)
    {
        var done = await failover.RunAsync(new FailureEvidence(leader.NodeId, FailureEvidenceKind.Suspicion, leader.Incarnation), cancellationToken);
        if (done.Plan.Outcome == FailoverOutcome.Planned)
        {
            await hints.SendAsync(done.Plan.State, done.Plan.Moves, cancellationToken);
            await timeline.AddAsync(
                new TimelineEntry(
                    $"failover-{leader.NodeId}-{leader.Incarnation}",
                    TimelineKinds.Failover,
                    time.GetUtcNow(),
                    $"Node {leader.NodeId} could not be reached for a control message ({reason}): {done.Plan.Moves.Count} channels moved."),
                cancellationToken);
        }

        return done.Plan.State;
    }

    private async Task OpenAsync(ChannelLeader leader, string channel, CancellationToken cancellationToken)
    {
        try
        {
            await nodes.OpenAsync(leader.Endpoint, channel, new OpenChannelRequest(leader.Term), OpenTimeout, cancellationToken);
        }
        catch (NodeCallException e) when (e.Is(ApiErrorCode.Conflict))
        {
            // It is open at this term already, or at a later one: then it says so again to the append, or knows the leader.
        }
    }

    // Unlike a failover's hint, this call is waited for: the append cannot go on before the channel is open.
    private TimeSpan OpenTimeout => options.OpenTimeout > NodeClient.StatusTimeout ? options.OpenTimeout : NodeClient.StatusTimeout;

    private static ChannelLeader LeaderOf(ClusterState state, string channel)
    {
        if (!state.Channels.TryGetValue(channel, out var found))
        {
            throw new ApiException(ApiErrorCode.Unavailable, $"Channel {channel} does not exist in this cluster.");
        }

        return found.Leader is { } nodeId && state.Nodes.TryGetValue(nodeId, out var node)
            ? new ChannelLeader(nodeId, node.Endpoint, node.Incarnation, found.Term)
            : throw new ApiException(ApiErrorCode.Unavailable, $"Channel {channel} has no leader: no node is live.");
    }

    private sealed record ChannelLeader(string NodeId, Uri Endpoint, long Incarnation, long Term);
}
