using Baton.Core.Api;
using Baton.DevHost.Chaos;
using Baton.DevHost.Chaos.Clients;
using Baton.DevHost.Clusters;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>
/// One cluster of real processes for all failover scenarios: four nodes, a gateway that holds requests for longer than anything here lasts, its storage behind a proxy
/// that can be made to fail. A scenario finds it whole, whatever the one before left.
/// </summary>
public sealed class FailoverCluster() : OneCluster("failover")
{
    public const int Nodes = 4;
    private FlakyStorage? _storage;
    private int _scenarios;

    public FlakyStorage Storage => _storage ?? throw new InvalidOperationException("The fixture has not started.");

    public ClusterClient Client => Cluster.Client;

    /// <summary>Where the processes' output goes.</summary>
    public string Logs => Path.Combine(Folder, "logs");

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        if (_storage is not null)
        {
            await _storage.DisposeAsync();
        }
    }

    /// <summary>Runs a scenario under load, and looks at what its clients were told and what is in the log afterwards.</summary>
    /// <param name="output">Gets the stall.</param>
    /// <param name="scenario">What happens; the clients write on meanwhile, and must have more acknowledged afterwards.</param>
    public async Task UnderLoadAsync(ITestOutputHelper output, Func<ClientLoad, Task> scenario)
    {
        await WholeAsync();
        var began = DateTimeOffset.UtcNow;
        await using var load = StartLoad();
        await load.MoreAsync(3, Patience, CancellationToken.None);
        await scenario(load);
        await load.MoreAsync(3, Patience, CancellationToken.None);
        await load.FinishAsync(Patience);
        await AssertNothingLostAsync(load);
        var (gap, writer) = load.Acknowledgements.LongestGap(began);
        output.WriteLine($"longest stall of a writer: {gap.TotalMilliseconds:0} ms ({writer}); {load.Recorder.Messages.Count} messages, {load.Recorder.Transactions.Count} transactions");
    }

    /// <summary>Clients of every kind on every channel.</summary>
    public ClientLoad StartLoad() =>
        ClientLoad.Start(Cluster, new ClientLoadOptions { Name = $"s{Interlocked.Increment(ref _scenarios)}", LongestPauseMs = 60 }, CancellationToken.None);

    /// <summary>No client saw an error, and every acknowledged write is where it was acknowledged, once, in its writer's order.</summary>
    public static async Task AssertNothingLostAsync(ClientLoad load)
    {
        var findings = await load.FindingsAsync(CancellationToken.None);
        Assert.True(findings.Count == 0, $"{findings.Count} findings:\n{string.Join('\n', findings.Take(20))}");
    }

    /// <summary>The node that leads a channel, and the channel as the topology shows it.</summary>
    public async Task<(int Leader, ChannelView Channel)> LeaderAsync(string channel)
    {
        var view = (await Client.TopologyAsync(CancellationToken.None)).Channels.Single(c => c.Name == channel);
        return (Cluster.NodeIndex(view.Leader ?? throw new ApiAnswerException($"Channel {channel} has no leader.", 503)), view);
    }

    /// <summary>Waits until no channel is led by any of these nodes.</summary>
    public Task MovedAwayAsync(params int[] nodes) => ClusterClient.UntilAsync(
        "others lead what they led",
        async () => (await Client.TopologyAsync(CancellationToken.None)).Channels.All(c => c.Leader is not null && !nodes.Contains(Cluster.NodeIndex(c.Leader))),
        Patience,
        CancellationToken.None);

    /// <summary>Starts every node that does not run, and waits until all have joined, every channel is led, has its copies on live nodes, and is served.</summary>
    public async Task WholeAsync()
    {
        await Task.WhenAll(Enumerable.Range(0, Nodes).Where(i => !Cluster.IsNodeRunning(i)).Select(i => Cluster.StartNodeAsync(i, CancellationToken.None)));
        await Client.WaitForNodesAsync(Nodes, Patience, CancellationToken.None);
        await Client.WaitUntilServingAsync(Cluster.Channels, Patience, CancellationToken.None);
    }

    protected override LocalClusterOptions Options(LocalClusterOptions options)
    {
        _storage = FlakyStorage.StartAsync(options.StorageConnectionString, CancellationToken.None).GetAwaiter().GetResult();
        return options with
        {
            Nodes = Nodes,
            Channels = 3,
            ReplicationFactor = 3,
            StorageConnectionString = _storage.ConnectionString,
            GatewaySettings = Settings(("Gateway__HoldMs", "60000")),

            // Longer than a scenario waits: a node that ends has not run into it.
            NodeSettings = Settings(("Node__DrainTimeoutMs", "600000")),
        };
    }
}
