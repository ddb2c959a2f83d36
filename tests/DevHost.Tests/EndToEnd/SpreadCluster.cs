using Baton.Core.Cluster;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>A cluster of three nodes and a gateway, with room for a fourth, and leaders spread. Nothing moves by itself but what a failure moves.</summary>
public sealed class SpreadCluster : IAsyncLifetime
{
    public const int Nodes = 3;
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly string _folder = Directory.CreateTempSubdirectory("baton-partitions-").FullName;
    private LocalMachine? _machine;
    private LocalCluster? _cluster;

    public LocalCluster Cluster => _cluster ?? throw new InvalidOperationException("The fixture has not started.");

    public async Task InitializeAsync()
    {
        _machine = await LocalMachine.StartAsync(_folder, ["a"], keepData: false, CancellationToken.None);
        _cluster = await _machine.StartClusterAsync(
            "a",
            o => o with
            {
                Nodes = Nodes + 1,
                NodesAtFirst = Nodes,
                Channels = 0,
                LeaderPolicy = LeaderPolicy.Spread,
                AppSettings = Settings("Placement__AutoRebalance", "false"),

                // A slow machine costs a wait and no failure.
                GatewaySettings = Settings("Gateway__HoldMs", "60000"),
                NodeSettings = Settings("Metadata__ForwardTimeoutMs", "60000"),
            },
            CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.KillEverythingAsync();
        }

        if (_machine is not null)
        {
            await _machine.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static Dictionary<string, string> Settings(string name, string value) => new(StringComparer.Ordinal) { [name] = value };
}
