using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Metadata;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>One cluster of three nodes and a gateway, whose metadata leader leads what it can, for all tests of topics and the catalogue. Each names its topics for itself, and leaves all nodes running.</summary>
public sealed class MetadataCluster() : OneCluster("metadata")
{
    public const int Nodes = 3;
    private Catalogue? _catalogue;

    public Catalogue Catalogue => _catalogue ?? throw new InvalidOperationException("The fixture has not started.");

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        _catalogue = new Catalogue(Cluster);
        await _catalogue.LeaderAsync(Patience, CancellationToken.None);
    }

    protected override LocalClusterOptions Options(LocalClusterOptions options) => options with
    {
        Nodes = Nodes,
        Channels = 0,
        LeaderPolicy = LeaderPolicy.PreferCoordinator,

        // A slow machine costs a wait and no failure.
        GatewaySettings = Settings(("Gateway__HoldMs", "60000")),

        // Nodes are started often here, and a first opening that takes longer fails nothing.
        NodeSettings = Settings(("Metadata__ForwardTimeoutMs", "60000"), ("Node__RehearseOpening", "false")),
    };

    /// <summary>Sends commands to a node, once.</summary>
    public Task<ApiAnswer<MetadataCommandsResponse>> CommandAsync(int node, params IReadOnlyList<MetadataCommand> commands) => Catalogue.CommandAsync(Cluster.NodeAddress(node), CancellationToken.None, commands);

    /// <summary>Appends one message to a channel by way of any node or the gateway, once.</summary>
    public Task<ApiAnswer<AppendResponse>> AppendAsync(Uri to, string channel, string text) => Cluster.Client.NodeAsync<AppendResponse>(
        to, HttpMethod.Post, $"channels/{channel}/messages", ClusterClient.Json(new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text))])), false, CancellationToken.None);

    /// <summary>A topic as each node's own copy has it, from an LSN on.</summary>
    public Task<TopicView[]> TopicEverywhereAsync(string name, long minLsn) => Task.WhenAll(Enumerable.Range(0, Nodes).Select(async i =>
        (await Catalogue.ReadAsync(i, string.Create(CultureInfo.InvariantCulture, $"metadata/topics/{name}?local=true&minLsn={minLsn}"), CancellationToken.None)).Topic!));

    /// <summary>The texts of all messages of a channel.</summary>
    public async Task<IReadOnlyList<string>> TextsAsync(string channel) =>
        [.. (await Cluster.Client.ReadAllAsync(channel, Isolation.Committed, CancellationToken.None)).Select(m => Encoding.UTF8.GetString(m.Payload))];
}
