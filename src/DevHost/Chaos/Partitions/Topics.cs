using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Partitions;

/// <summary>Topics for a load to write to.</summary>
public static class Topics
{
    /// <summary>Creates topics, a request each, asked of the nodes in turn, and waits until their partitions are served.</summary>
    /// <returns>The channels of all partitions.</returns>
    public static async Task<IReadOnlyList<string>> CreateAsync(LocalCluster cluster, string prefix, int topics, int partitions, int replicationFactor, TimeSpan timeout, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        var channels = new List<string>();
        for (var i = 0; i < topics; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"{prefix}{i}");
            var nodes = cluster.RunningNodes;
            var answer = await cluster.Client.NodeAsync<MetadataCommandsResponse>(
                cluster.NodeAddress(nodes[i % nodes.Count]), HttpMethod.Post, "metadata/commands", ClusterClient.Json(new MetadataCommandsRequest([new CreateTopic(name, partitions, replicationFactor)])), false, cancellationToken);
            channels.AddRange(answer.Value.Topics!.Single().Partitions.Select(p => p.Channel));
        }

        await cluster.Client.WaitUntilServingAsync(channels, timeout, cancellationToken);
        return channels;
    }

    /// <summary>Waits until each of the channels has a leader and so many copies on live nodes beside it, all in sync.</summary>
    public static Task InSyncAsync(LocalCluster cluster, IReadOnlyList<string> channels, int copies, TimeSpan timeout, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return ClusterClient.UntilAsync(
            $"each partition has {copies} copies in sync beside its leader",
            async () =>
            {
                var topology = await cluster.Client.TopologyAsync(cancellationToken);
                return topology.Channels.Where(c => channels.Contains(c.Name, StringComparer.Ordinal)).All(c => ReplicaWatch.Live(topology, c, inSync: true) >= copies + 1);
            },
            timeout,
            cancellationToken);
    }
}
