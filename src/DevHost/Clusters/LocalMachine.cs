using Baton.DevHost.Azurite;

namespace Baton.DevHost.Clusters;

/// <summary>The storage service and whatever clusters are started on it: everything Baton needs, on this machine.</summary>
public sealed class LocalMachine : IAsyncDisposable
{
    private readonly AzuriteServer _azurite;
    private readonly DataFolder _data;
    private readonly IDisposable _hold;
    private readonly Dictionary<string, ClusterSecrets> _secrets;
    private readonly List<LocalCluster> _clusters = [];

    private LocalMachine(AzuriteServer azurite, DataFolder data, IDisposable hold, Dictionary<string, ClusterSecrets> secrets)
    {
        _azurite = azurite;
        _data = data;
        _hold = hold;
        _secrets = secrets;
    }

    /// <summary>The storage service.</summary>
    public AzuriteServer Azurite => _azurite;

    /// <summary>Starts the storage service with an account for each of the clusters.</summary>
    /// <param name="dataFolder">Where everything is kept.</param>
    /// <param name="clusterIds">The clusters that may be started.</param>
    /// <param name="keepData">False keeps the storage in memory, for runs that nobody continues.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="DataFolderInUseException">Another process has the folder.</exception>
    public static async Task<LocalMachine> StartAsync(string dataFolder, IReadOnlyList<string> clusterIds, bool keepData, CancellationToken cancellationToken)
    {
        var data = new DataFolder(dataFolder);
        var hold = data.Hold();
        try
        {
            if (!keepData && Directory.Exists(data.Replicas))
            {
                // Copies of logs that are gone with the memory they were in.
                Directory.Delete(data.Replicas, recursive: true);
            }

            var secrets = clusterIds.ToDictionary(id => id, data.Secrets, StringComparer.Ordinal);
            var azurite = await AzuriteServer.StartAsync(
                new AzuriteOptions { Accounts = [.. secrets.Values.Select(s => s.Account)], DataFolder = keepData ? data.Azurite : null }, cancellationToken);
            return new LocalMachine(azurite, data, hold, secrets);
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    /// <summary>Starts a cluster.</summary>
    /// <param name="clusterId">One of the ids the machine was started with.</param>
    /// <param name="configure">Changes the options.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<LocalCluster> StartClusterAsync(string clusterId, Func<LocalClusterOptions, LocalClusterOptions>? configure, CancellationToken cancellationToken)
    {
        var secrets = _secrets[clusterId];
        var options = new LocalClusterOptions
        {
            ClusterId = clusterId,
            Secrets = secrets,
            StorageConnectionString = _azurite.ConnectionString(secrets.Account.Name),
            LogFolder = _data.Logs,
            ReplicaFolder = _data.Replicas,
        };
        var cluster = await LocalCluster.StartAsync(configure?.Invoke(options) ?? options, cancellationToken);
        lock (_clusters)
        {
            _clusters.Add(cluster);
        }

        return cluster;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Clusters before their storage, so that nothing logs a failure that is only the order of stopping.
        await Task.WhenAll(_clusters.Select(c => c.DisposeAsync().AsTask()));
        await _azurite.DisposeAsync();
        _hold.Dispose();
    }
}
