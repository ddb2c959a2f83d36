using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Metadata;

/// <summary>A cluster of whole nodes in this process, with a storage account of its own and a control plane that decides by the real rules.</summary>
internal sealed class CatalogueScene : IAsyncDisposable
{
    private readonly NodeFixture _fixture;
    private readonly Dictionary<string, TestNode> _nodes = new(StringComparer.Ordinal);

    private CatalogueScene(NodeFixture fixture, CataloguePlane plane) => (_fixture, Plane, Account) = (fixture, plane, fixture.NewAccount());

    public CataloguePlane Plane { get; }

    public string Account { get; }

    public IReadOnlyCollection<TestNode> Nodes => _nodes.Values;

    public static async Task<CatalogueScene> StartAsync(NodeFixture fixture, int nodes = 3, params (string Key, string Value)[] settings)
    {
        var scene = new CatalogueScene(fixture, await CataloguePlane.StartAsync());
        for (var i = 1; i <= nodes; i++)
        {
            await scene.AddAsync($"n{i}", settings);
        }

        await scene.KnownByAllAsync();
        return scene;
    }

    public async Task<TestNode> AddAsync(string id, params (string Key, string Value)[] settings)
    {
        // Small batches of replicas' sessions have nothing to do with the catalogue; the openings need no rehearsal.
        var node = await TestNode.StartAsync(
            _fixture, Plane.Address, id, configure: null, [("Storage:ConnectionString", Account), ("Node:RehearseOpening", "false"), ("Follow:RetryDelayMs", "20"), .. settings]);
        _nodes[id] = node;
        return node;
    }

    public TestNode Node(string id) => _nodes[id];

    /// <summary>The node that leads the metadata, as the state says.</summary>
    public TestNode Leader => _nodes[MetadataChannel.LeaderIn(Plane.State)!.NodeId];

    /// <summary>One that does not.</summary>
    public TestNode Follower => _nodes.Values.First(n => n.Id != Leader.Id);

    /// <summary>Ends a node without a word to anybody, and has the control plane notice.</summary>
    public async Task LoseAsync(string id)
    {
        Plane.Fail(id);
        _nodes.Remove(id, out var node);
        await node!.DisposeAsync();
    }

    /// <summary>Waits until the catalogue knows every node of the cluster, on every node.</summary>
    public Task KnownByAllAsync() => Eventually.HoldsAsync(
        async () =>
        {
            foreach (var node in _nodes.Values)
            {
                if ((await ReadAsync(node, "nodes?local=true")).Nodes!.Count(n => n.Status == NodeStatus.Live) != _nodes.Count)
                {
                    return false;
                }
            }

            return true;
        },
        "every node's copy knows every node");

    public static Task<HttpResponseMessage> SendAsync(TestNode node, params MetadataCommand[] commands) => SendAsync(node, stamp: null, node.Client, commands);

    public static async Task<HttpResponseMessage> SendAsync(TestNode node, string? stamp, HttpClient by, params MetadataCommand[] commands)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("metadata/commands", UriKind.Relative))
        {
            Content = new StringContent(JsonSerializer.Serialize(new MetadataCommandsRequest(commands), BatonJson.Options), Encoding.UTF8, "application/json"),
        };
        if (stamp is not null)
        {
            request.Headers.Add(BatonHeaders.Producer, stamp);
        }

        return await by.SendAsync(request);
    }

    public static Task<MetadataCommandsResponse> WriteAsync(TestNode node, params MetadataCommand[] commands) => TestNode.OkAsync<MetadataCommandsResponse>(SendAsync(node, commands));

    public static Task<MetadataAnswer> ReadAsync(TestNode node, string what) => TestNode.OkAsync<MetadataAnswer>(node.Client.GetAsync($"metadata/{what}"));

    public static Task<MetadataStatus> StatusAsync(TestNode node, bool hash = false) => TestNode.OkAsync<MetadataStatus>(node.Client.GetAsync($"metadata/status{(hash ? "?hash=true" : "")}"));

    /// <summary>Waits until all copies are at one LSN and equal.</summary>
    public Task EqualAsync() => Eventually.HoldsAsync(
        async () =>
        {
            var statuses = await Task.WhenAll(_nodes.Values.Select(n => StatusAsync(n, hash: true)));
            return statuses.DistinctBy(s => (s.Lsn, s.Hash)).Count() == 1;
        },
        "all copies are equal");

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.Values)
        {
            await node.DisposeAsync();
        }

        await Plane.DisposeAsync();
    }
}
