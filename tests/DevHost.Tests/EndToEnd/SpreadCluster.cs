using Baton.Core.Cluster;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>A cluster of three nodes and a gateway, with room for a fourth, and leaders spread. Nothing moves by itself but what a failure moves.</summary>
public sealed class SpreadCluster() : OneCluster("partitions")
{
    public const int Nodes = 3;

    protected override LocalClusterOptions Options(LocalClusterOptions options) => options with
    {
        Nodes = Nodes + 1,
        NodesAtFirst = Nodes,
        Channels = 0,
        LeaderPolicy = LeaderPolicy.Spread,
        AppSettings = Settings(("Placement__AutoRebalance", "false")),

        // A slow machine costs a wait and no failure.
        GatewaySettings = Settings(("Gateway__HoldMs", "60000")),
        NodeSettings = Settings(("Metadata__ForwardTimeoutMs", "60000")),
    };
}
