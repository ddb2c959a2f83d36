using System.Text;
using Baton.Core.Api;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Replicas;

/// <summary>Reads of a follower's own copy.</summary>
public sealed class LocalReadTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Theory]
    [InlineData("committed")]
    [InlineData("all")]
    public async Task A_follower_shows_what_its_leader_shows(string isolation)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        await using var follower = await scene.StartFollowerAsync();
        var committed = await BeginAsync(leader, scene.Channel);
        var open = await BeginAsync(leader, scene.Channel);
        await leader.AppendAsync(scene.Channel, "plain");
        await TestNode.OkAsync<AppendResponse>(leader.PostAsync($"channels/{scene.Channel}/transactions/{committed}/messages", Text("committed")));
        await TestNode.OkAsync<AppendResponse>(leader.PostAsync($"channels/{scene.Channel}/transactions/{open}/messages", Text("open")));
        var last = await TestNode.OkAsync<AppendResponse>(leader.PostAsync($"channels/{scene.Channel}/transactions/{committed}/commit", new { }));
        await scene.FollowsAsync(follower, last.LastLsn);

        var path = $"channels/{scene.Channel}/messages?isolation={isolation}&local=true";
        var there = await leader.Client.GetStringAsync(path);
        Assert.Equal(there, await leader.Client.GetStringAsync($"channels/{scene.Channel}/messages?isolation={isolation}"));
        Assert.Equal(there, await follower.Client.GetStringAsync(path));

        // Its begin is below where this read starts: it is read back.
        path = $"channels/{scene.Channel}/messages?isolation={isolation}&local=true&from={last.LastLsn}";
        Assert.Equal(await leader.Client.GetStringAsync(path), await follower.Client.GetStringAsync(path));
        Assert.Equal(isolation == "committed" ? ["plain", "committed"] : ["", "", "plain", "committed", "open", ""], await TextsAsync(follower, scene.Channel, isolation));
    }

    [Fact]
    public async Task A_local_read_waits_for_what_the_leader_pushes()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        await using var follower = await scene.StartFollowerAsync();
        await scene.FollowsAsync(follower, 0);
        var poll = TestNode.OkAsync<ReadResponse>(follower.Client.GetAsync($"channels/{scene.Channel}/messages?local=true&waitMs=30000"));
        await Eventually.HoldsAsync(() => scene.Inside(follower)!.WaitingReaders == 1, "the reader waits");
        await leader.AppendAsync(scene.Channel, "news");
        var answer = await poll;
        Assert.Equal("news"u8.ToArray(), Assert.Single(answer.Messages).Payload);

        var stopped = follower.Client.GetAsync($"channels/{scene.Channel}/messages?local=true&waitMs=60000&from=2");
        await Eventually.HoldsAsync(() => scene.Inside(follower)!.WaitingReaders == 1, "the next reader waits");
        await follower.StopAsync();
        await TestNode.ProblemAsync(stopped, ApiErrorCode.Unavailable);
    }

    [Fact]
    public async Task A_copy_can_be_read_while_the_leader_is_away()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        TestNode follower;
        await using (var leader = await scene.LeadAsync())
        {
            scene.AssignFollower(leader);
            follower = await scene.StartFollowerAsync();
            await scene.FollowsAsync(follower, (await leader.AppendAsync(scene.Channel, "kept")).LastLsn);
        }

        await using (follower)
        {
            await scene.IsAsync(follower, FollowState.Disconnected);
            for (var i = 0; i < 50; i++)
            {
                // It looks for its leader all the time meanwhile.
                Assert.Equal(["kept"], await TextsAsync(follower, scene.Channel, "committed"));
            }
        }
    }

    [Fact]
    public async Task Only_who_has_a_copy_answers_and_only_when_asked_for_it()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        await using var follower = await scene.StartFollowerAsync();
        await scene.FollowsAsync(follower, 0);
        await TestNode.ProblemAsync(follower.Client.GetAsync($"channels/{scene.Channel}/messages"), ApiErrorCode.NotLeader);
        await TestNode.ProblemAsync(follower.Client.GetAsync($"channels/{scene.Channel}/messages?local=false"), ApiErrorCode.NotLeader);
        await TestNode.ProblemAsync(follower.Client.GetAsync($"channels/{NodeFixture.NewChannel()}/messages?local=true"), ApiErrorCode.NotLeader);
        await TestNode.ProblemAsync(follower.Client.GetAsync($"channels/{scene.Channel}/messages?local=maybe"), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(follower.Anonymous.GetAsync($"channels/{scene.Channel}/messages?local=true"), ApiErrorCode.Unauthorized);
    }

    private static async Task<long> BeginAsync(TestNode node, string channel) =>
        (await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(60_000)))).TxnId;

    private static AppendRequest Text(string text) => new([new MessageBody(Encoding.UTF8.GetBytes(text))]);

    private static async Task<string[]> TextsAsync(TestNode node, string channel, string isolation) =>
        [.. (await TestNode.OkAsync<ReadResponse>(node.Client.GetAsync($"channels/{channel}/messages?local=true&isolation={isolation}"))).Messages.Select(m => Encoding.UTF8.GetString(m.Payload))];
}
