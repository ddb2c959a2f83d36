using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Nodes;

namespace Baton.Functions.Failover;

/// <summary>
/// Tells new leaders that they lead. A hint only: a leader that misses it learns the same from its next heartbeat. So there is one attempt,
/// all go out at once under one deadline, and a failure is a warning.
/// </summary>
internal sealed class OpenHints(NodeClient nodes, FailoverOptions options, ILogger<OpenHints> logger)
{
    /// <summary>Sends a hint for every move that has a new leader.</summary>
    /// <returns>How many came to nothing.</returns>
    public async Task<int> SendAsync(ClusterState state, IEnumerable<LeaderMove> moves, CancellationToken cancellationToken)
    {
        var results = await Task.WhenAll(moves.Where(m => m.To is not null).Select(m => TryAsync(state, m, cancellationToken)));
        return results.Count(sent => !sent);
    }

    private async Task<bool> TryAsync(ClusterState state, LeaderMove move, CancellationToken cancellationToken)
    {
        try
        {
            var replicas = state.Channels[move.Channel].Replicas.Select(r => r.NodeId).ToList();
            await nodes.OpenAsync(state.Nodes[move.To!].Endpoint, move.Channel, new OpenChannelRequest(move.Term, replicas), options.OpenTimeout, cancellationToken);
            return true;
        }
        catch (NodeCallException e)
        {
            logger.LogWarning("Node {NodeId} could not be told to open channel {Channel} at term {Term}: {Reason}", move.To, move.Channel, move.Term, e.Message);
            return false;
        }
    }
}
