using Baton.DevHost.Chaos.Metadata;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Metadata;

/// <summary>Three nodes that reach each other, and are reached by their control plane, by way of a <see cref="LinkDelay"/>. Clients of the benchmark go straight to a node.</summary>
internal sealed class DelayedCluster : IAsyncDisposable
{
    public const int Nodes = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly LinkDelay[] _links;

    private DelayedCluster(LocalCluster cluster, LinkDelay[] links)
    {
        Cluster = cluster;
        Catalogue = new Catalogue(cluster);
        _links = links;
    }

    public LocalCluster Cluster { get; }

    public Catalogue Catalogue { get; }

    public static async Task<DelayedCluster> StartAsync(LocalMachine machine, string clusterId, string commit, CancellationToken cancellationToken)
    {
        var links = Enumerable.Range(0, Nodes).Select(_ => new LinkDelay()).ToArray();
        try
        {
            // A node is called as soon as it has joined, which it may before its own port is known here.
            var cluster = await machine.StartClusterAsync(
                clusterId,
                o => o with
                {
                    Gateway = false,
                    Nodes = Nodes,
                    Channels = 0,
                    NodeSettings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Metadata__Commit"] = commit },
                    NodeSettingsOf = i => new Dictionary<string, string>(StringComparer.Ordinal) { ["Node__Endpoint"] = links[i].Address.ToString() },
                    NodeStarted = (i, address) => links[i].Aim(address),
                },
                cancellationToken);
            return new DelayedCluster(cluster, links);
        }
        catch
        {
            await Task.WhenAll(links.Select(l => l.DisposeAsync().AsTask()));
            throw;
        }
    }

    /// <summary>How much later everything arrives that goes from node to node, either way.</summary>
    public void Delay(int oneWayMs)
    {
        foreach (var link in _links)
        {
            link.Delay(TimeSpan.FromMilliseconds(oneWayMs));
        }
    }

    public async Task<int> LeaderAsync(CancellationToken cancellationToken) => (await Catalogue.LeaderAsync(Patience, cancellationToken)).Node;

    public LeanClient Client(int node) => new(Cluster.NodeAddress(node), Cluster.Secrets.ClientSecret);

    public async ValueTask DisposeAsync()
    {
        await Cluster.KillEverythingAsync();
        await Task.WhenAll(_links.Select(l => l.DisposeAsync().AsTask()));
    }
}
