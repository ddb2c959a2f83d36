using Baton.Core.Cluster;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Metadata;

/// <summary>Kills whoever leads the catalogue, under a load, and starts it again.</summary>
public sealed class MetadataKills(LocalCluster cluster, Catalogue catalogue, MetadataLoad load, TimeSpan patience)
{
    /// <summary>One SIGKILL. Over when another leads and takes commands of every client, and the one that was killed has its copy again.</summary>
    /// <returns>From the SIGKILL to the first command that was acknowledged above the term of whom it hit; and what is wrong with the copies, or null.</returns>
    public async Task<(TimeSpan Away, string? Differing)> KillLeaderAsync(CancellationToken cancellationToken)
    {
        var (node, status) = await catalogue.LeaderAsync(patience, cancellationToken);
        var killed = DateTimeOffset.UtcNow;
        await cluster.KillNodeAsync(node);
        var first = await load.Acknowledgements.FirstAboveAsync(MetadataChannel.Name, status.Term).WaitAsync(patience, cancellationToken);
        await cluster.StartNodeAsync(node, cancellationToken);
        await load.MoreAsync(1, patience, cancellationToken);
        var lsn = (await catalogue.LeaderAsync(patience, cancellationToken)).Status.Lsn;
        await ClusterClient.UntilAsync(
            $"{cluster.NodeId(node)} has its copy again", async () => await catalogue.StatusAsync(node, hash: false, cancellationToken) is { Problem: null } now && now.Lsn >= lsn, patience, cancellationToken);
        await cluster.Client.WaitForNodesAsync(cluster.RunningNodes.Count, patience, cancellationToken);
        return (first.At - killed, await catalogue.CompareAsync(cancellationToken));
    }
}
