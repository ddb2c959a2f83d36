using Baton.DevHost.Chaos.Metadata;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Metadata;

/// <summary>Three nodes that reach each other, and are reached by their control plane, by way of a <see cref="LinkDelay"/>. Clients of the benchmark go straight to a node.</summary>
internal sealed class DelayedCluster : IAsyncDisposable
{
    public const int Nodes = 3;
    private const int MostAttempts = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly LinkDelay[] _links;

    private DelayedCluster(LocalCluster cluster, LinkDelay[] links, int storageProcessId)
    {
        Cluster = cluster;
        StorageProcessId = storageProcessId;
        Catalogue = new Catalogue(cluster);
        _links = links;
    }

    public LocalCluster Cluster { get; }

    public Catalogue Catalogue { get; }

    public int StorageProcessId { get; }

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

                    // A machine that stands still for seconds is no reason here for another leader; one that was killed is reported by its peers at once.
                    AppSettings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Failover__HeartbeatTimeoutMs"] = "60000" },
                    NodeSettings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Metadata__Commit"] = commit },
                    NodeSettingsOf = i => new Dictionary<string, string>(StringComparer.Ordinal) { ["Node__Endpoint"] = links[i].Address.ToString() },
                    NodeStarted = (i, address) => links[i].Aim(address),
                },
                cancellationToken);
            return new DelayedCluster(cluster, links, machine.Azurite.Process.Id);
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

    /// <summary>Measures something at the leader: again, where another has come to lead meanwhile.</summary>
    public async Task<T> AtLeaderAsync<T>(Func<int, Task<T>> measure, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var (leader, before) = await Catalogue.LeaderAsync(Patience, cancellationToken);
            var measured = await measure(leader);
            if ((await Catalogue.LeaderAsync(Patience, cancellationToken)).Status.Term == before.Term)
            {
                return measured;
            }

            if (attempt == MostAttempts)
            {
                throw new InvalidOperationException($"The leader of the metadata has changed in each of {MostAttempts} measurements: this machine is too busy.");
            }
        }
    }

    public LeanClient Client(int node) => new(Cluster.NodeAddress(node), Cluster.Secrets.ClientSecret);

    public async ValueTask DisposeAsync()
    {
        await Cluster.KillEverythingAsync();
        await Task.WhenAll(_links.Select(l => l.DisposeAsync().AsTask()));
    }
}
