using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Nodes;

namespace Baton.Functions.Failover;

/// <summary>
/// Tells new leaders that they lead. A hint only: a leader that misses it learns the same from its next heartbeat. So a new leader gets one call, with all its channels, in one attempt;
/// all calls go out at once under one deadline, and a failure is a warning.
/// </summary>
internal sealed class OpenHints(NodeClient nodes, FailoverOptions options, ILogger<OpenHints> logger)
{
    /// <summary>Sends one hint to every new leader.</summary>
    /// <returns>How many of them could not be told.</returns>
    public async Task<int> SendAsync(ClusterState state, IEnumerable<LeaderMove> moves, CancellationToken cancellationToken)
    {
        var results = await Task.WhenAll(moves
            .Where(m => m.To is not null)
            .GroupBy(m => m.To!, m => new ChannelAtTerm(m.Channel, m.Term), StringComparer.Ordinal)
            .Select(g => TryAsync(g.Key, state.Nodes[g.Key].Endpoint, [.. g], cancellationToken)));
        return results.Count(told => !told);
    }

    /// <summary>Tells the leader of one channel, and waits until it serves, or for the deadline: for one who is about to write there. That it came to nothing is a warning here, too.</summary>
    public async Task SendAndWaitAsync(ClusterState state, string channel, CancellationToken cancellationToken)
    {
        var led = state.Channels[channel];
        if (led.Leader is not { } leader)
        {
            return;
        }

        try
        {
            await nodes.OpenAsync(state.Nodes[leader].Endpoint, channel, new OpenChannelRequest(led.Term, [.. led.Replicas.Select(r => r.NodeId)]), options.OpenTimeout, cancellationToken);
        }
        catch (NodeCallException e)
        {
            logger.LogWarning("Node {NodeId} could not be told to open channel {Channel} at term {Term}: {Reason}", leader, channel, led.Term, e.Message);
        }
    }

    private async Task<bool> TryAsync(string nodeId, Uri endpoint, IReadOnlyList<ChannelAtTerm> channels, CancellationToken cancellationToken)
    {
        try
        {
            await nodes.OpenManyAsync(endpoint, new OpenChannelsRequest(channels), options.OpenTimeout, cancellationToken);
            return true;
        }
        catch (NodeCallException e)
        {
            logger.LogWarning(
                "Node {NodeId} could not be told that it leads {Channels} more channels, such as {Channel} at term {Term}: {Reason}", nodeId, channels.Count, channels[0].Channel, channels[0].Term, e.Message);
            return false;
        }
    }
}
