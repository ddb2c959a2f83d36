using System.Net.Http.Headers;
using Baton.Core.Api;
using Baton.Core.Frames;
using Baton.Core.Replication;
using Baton.Node.Replication;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Replication;

/// <summary>What a node refuses by its cluster's standing, and what it goes on doing.</summary>
public sealed class RefusedWritesTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly ReplicateStanding Superseded = new(3, Replicates: true, new Supersession("c", 100, DateTimeOffset.UnixEpoch, RefusesWrites: true));

    [Fact]
    public async Task A_superseded_cluster_refuses_every_change_of_clients_until_the_control_plane_says_otherwise()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 1, pair.Replicated));
        await node.AppendAsync(channel, "before");
        var txnId = (await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(600_000)))).TxnId;
        await HearsAsync(plane, node, Superseded);
        var before = (await node.StatusAsync(channel)).LastLsn;

        foreach (var change in Changes(node, channel, txnId))
        {
            var problem = await TestNode.ProblemAsync(change(), ApiErrorCode.ReplicateViolation);
            Assert.Contains("cluster c was promoted in place of cluster b by broadcast 100", problem.Detail, StringComparison.Ordinal);
        }

        // Reads and orders go on.
        Assert.Equal(before, (await node.StatusAsync(channel)).LastLsn);
        Assert.Contains("before", await node.TextsAsync(channel));
        await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 2, pair.Replicated));

        await HearsAsync(plane, node, Superseded with { Superseded = Superseded.Superseded! with { RefusesWrites = false } });
        await node.AppendAsync(channel, "after");
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync($"channels/{channel}/transactions/{txnId}/commit", ""));
    }

    [Fact]
    public async Task A_superseded_secondary_gives_its_own_reason_and_takes_what_its_source_sends()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Replication = Superseded;
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);

        foreach (var change in Changes(node, channel, txnId: 1))
        {
            Assert.Contains("is secondary of a", (await TestNode.ProblemAsync(change(), ApiErrorCode.ReplicateViolation)).Detail, StringComparison.Ordinal);
        }

        Assert.Equal(1, (await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, Pair.Plain(1, 10, "x")))).Appended);
    }

    [Fact]
    public async Task A_channel_takes_no_writes_before_a_configuration_names_it_while_clusters_replicate()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Replication = new ReplicateStanding(1, Replicates: true);
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);

        foreach (var change in Changes(node, channel, txnId: 1))
        {
            Assert.Contains($"no configuration names channel {channel} yet", (await TestNode.ProblemAsync(change(), ApiErrorCode.ReplicateViolation)).Detail, StringComparison.Ordinal);
        }

        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
        await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 1, pair.Replicated));
        await node.AppendAsync(channel, "named");
    }

    [Fact]
    public async Task A_transaction_of_a_superseded_cluster_still_expires()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        var clock = new MovableClock();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault: null, clock);
        await node.LeadsAsync(channel, 1);
        await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(200)));
        await HearsAsync(plane, node, Superseded);
        Assert.Single((await node.StatusAsync(channel)).OpenTransactions);

        clock.Milliseconds += 200;

        await Eventually.HoldsAsync(async () => (await node.StatusAsync(channel)).OpenTransactions.Count == 0, "the transaction is ended");
    }

    private static Func<Task<HttpResponseMessage>>[] Changes(TestNode node, string channel, long txnId)
    {
        var messages = new AppendRequest([new MessageBody("x"u8.ToArray())]);
        return
        [
            () => node.PostAsync($"channels/{channel}/messages", messages),
            () => FramesAsync(node, $"channels/{channel}/messages"),
            () => node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest()),
            () => node.PostAsync($"channels/{channel}/transactions/{txnId}/messages", messages),
            () => FramesAsync(node, $"channels/{channel}/transactions/{txnId}/messages"),
            () => node.PostRawAsync($"channels/{channel}/transactions/{txnId}/commit", ""),
            () => node.PostRawAsync($"channels/{channel}/transactions/{txnId}/rollback", ""),
        ];
    }

    private static async Task<HttpResponseMessage> FramesAsync(TestNode node, string path)
    {
        using var content = new ByteArrayContent(AppendFrames.Encode(new AppendRequest([new MessageBody("x"u8.ToArray())])));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(AppendFrames.MediaType);
        return await node.Client.PostAsync(new Uri(path, UriKind.Relative), content);
    }

    private static async Task HearsAsync(ScriptedControlPlane plane, TestNode node, ReplicateStanding standing)
    {
        plane.Replication = standing;
        await Eventually.HoldsAsync(() => node.Services.GetRequiredService<HeardStanding>().Now == standing, "the node hears how its cluster replicates");
    }
}
