using System.Net.Http.Json;
using System.Text;
using Baton.Core.Api;
using Baton.Node.Messages;
using Baton.Node.Tests.Harness;
using Baton.Node.Tests.Replicas;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Messages;

/// <summary>Who reads where a channel is written gets it without a call of the storage, and the same as from there.</summary>
public sealed class RecentReadTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task A_reader_at_the_end_costs_the_storage_nothing()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        var (storage, channel) = (new StorageFault(), scene.Channel);
        await using var node = await scene.LeadAsync(fault: storage);
        await node.AppendAsync(channel, "before");
        var first = await node.ReadAsync(channel);
        var reads = storage.Reads;
        Assert.True(reads > 0);

        var (next, read) = (first.NextLsn, new List<string>());
        for (var round = 0; round < 20; round++)
        {
            var waiting = node.ReadAsync(channel, from: next, waitMs: 60_000);
            await Eventually.HoldsAsync(() => node.WaitingReaders(channel) == 1, "the reader waits");
            await node.AppendAsync(channel, $"m{round}");
            var page = await waiting;
            read.AddRange(page.Messages.Select(m => $"{m.Lsn}:{Encoding.UTF8.GetString(m.Payload)}"));
            next = page.NextLsn;
        }

        Assert.Equal(Enumerable.Range(0, 20).Select(n => $"{n + 2}:m{n}"), read);
        Assert.Equal(reads, storage.Reads);

        // Behind what is kept it is the storage's.
        var whole = await node.ReadAsync(channel);
        Assert.Equal(["before", .. Enumerable.Range(0, 20).Select(n => $"m{n}")], whole.Messages.Select(m => Encoding.UTF8.GetString(m.Payload)));
        Assert.True(storage.Reads > reads);
    }

    [Fact]
    public async Task With_nothing_to_keep_it_in_every_read_is_the_storages_and_the_same()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        var (storage, channel) = (new StorageFault(), scene.Channel);
        await using var node = await scene.LeadAsync(fault: storage, settings: ("Node:MaxRecentBytes", "0"));
        await node.AppendAsync(channel, "one");
        await node.ReadAsync(channel);
        await node.AppendAsync(channel, "two");
        var reads = storage.Reads;
        Assert.Equal("two", Encoding.UTF8.GetString(Assert.Single((await node.ReadAsync(channel, from: 2)).Messages).Payload));
        Assert.True(storage.Reads > reads);
    }

    [Fact]
    public async Task What_is_kept_of_a_channel_is_given_back_when_it_is_led_no_more()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        var (storage, channel) = (new StorageFault(), scene.Channel);
        await using var node = await scene.LeadAsync(fault: storage);
        await node.AppendAsync(channel, "one");
        await node.ReadAsync(channel);
        await node.AppendAsync(channel, "two");
        var kept = node.Services.GetRequiredService<RecentBytes>();
        await Eventually.HoldsAsync(() => kept.Kept > 0, "the end is kept");

        using var closed = await node.Control.PostAsJsonAsync($"channels/{channel}/close", new CloseChannelRequest(1), BatonJson.Options);
        closed.EnsureSuccessStatusCode();

        Assert.Equal(0, kept.Kept);
    }
}
