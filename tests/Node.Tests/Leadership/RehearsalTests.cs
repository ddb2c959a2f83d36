using Azure.Storage.Blobs;
using Baton.Node.Tests.Harness;
using Baton.Storage;
using Baton.Storage.Wal;

namespace Baton.Node.Tests.Leadership;

/// <summary>The opening that a node tries before it joins.</summary>
public sealed class RehearsalTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly (string, string) Rehearsing = ("Node:RehearseOpening", "true");

    [Fact]
    public async Task A_node_that_rehearses_leaves_nothing_behind_and_shows_no_channel_of_it()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();

        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, id: "rehearsing", settings: Rehearsing);

        Assert.Equal([], await BlobsAsync("rehearsing"));
        Assert.DoesNotContain(await ChannelsAsync(), c => c == WalStore.RehearsalName("rehearsing"));
        Assert.DoesNotContain('~', await node.Client.GetStringAsync("metrics"));
        await node.AppendAsync(channel, "first");
        Assert.Equal(["first"], await node.TextsAsync(channel));
    }

    [Fact]
    public async Task What_a_node_that_died_in_its_rehearsal_left_is_deleted_by_the_next()
    {
        var channel = NodeFixture.NewChannel();
        var name = WalStore.RehearsalName("died");
        var store = fixture.OpenStore();
        await store.PrepareAsync(CancellationToken.None);
        await using (var left = await store.OpenAsync(name, 7, "died", null, CancellationToken.None))
        {
            Assert.NotEmpty(await BlobsAsync("died"));
        }

        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, id: "died", settings: Rehearsing);

        Assert.Equal([], await BlobsAsync("died"));
        Assert.DoesNotContain(await ChannelsAsync(), c => c == name);
    }

    [Fact]
    public async Task A_channels_log_is_never_deleted_as_a_rehearsal()
    {
        var store = fixture.OpenStore();
        await Assert.ThrowsAsync<ArgumentException>(() => store.DeleteRehearsalAsync("a-ch0", CancellationToken.None));
    }

    private async Task<IReadOnlyList<string>> ChannelsAsync() =>
        await new WalVerifier(BatonStorage.Open(new StorageOptions { ConnectionString = fixture.ConnectionString }), new WalOptions(), TimeProvider.System).ListChannelsAsync(CancellationToken.None);

    private async Task<List<string>> BlobsAsync(string nodeId)
    {
        var names = new List<string>();
        await foreach (var blob in new BlobServiceClient(fixture.ConnectionString).GetBlobContainerClient("wal").GetBlobsAsync(prefix: WalStore.RehearsalName(nodeId)))
        {
            names.Add(blob.Name);
        }

        return names;
    }
}
