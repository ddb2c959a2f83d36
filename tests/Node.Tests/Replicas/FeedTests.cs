using System.Buffers.Binary;
using System.Net;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Wal;
using Baton.Node.Replicas.Feed;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Replicas;

/// <summary>The leader's side: what a subscriber gets, byte for byte, and who gets nothing.</summary>
public sealed class FeedTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly (string, string)[] FewAttempts = [("Wal:MaxAttempts", "2"), ("Wal:RetryDelayMs", "1")];

    [Theory]
    [InlineData("sync")]
    [InlineData("async")]
    public async Task A_subscriber_gets_the_start_the_batches_and_when_they_are_durable(string mode)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        await leader.AppendAsync(scene.Channel, "before");
        await using var feed = await RawFeed.OpenAsync(leader, scene.Channel, mode: mode);
        Assert.Equal(new FeedStart(1, 2, 1), FeedFrame.ReadStart((await feed.NextAsync(FeedFrameKind.Start)).Span));
        await leader.AppendAsync(scene.Channel, "one", "two");
        var batch = WalBatchCodec.Decode(await feed.NextAsync(FeedFrameKind.Batch));
        Assert.Equal((2, 3), (batch.FirstLsn, batch.LastLsn));
        Assert.Equal("one"u8.ToArray(), batch.Records[0].Payload.ToArray());
        Assert.Equal(3, BinaryPrimitives.ReadInt64LittleEndian((await feed.NextAsync(FeedFrameKind.Durable)).Span));
        await feed.NextAsync(FeedFrameKind.Idle);
    }

    [Fact]
    public async Task A_sync_subscriber_gets_a_batch_that_never_becomes_durable_and_an_async_one_does_not_and_both_streams_end()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        var fault = new StorageFault();
        await using var leader = await scene.LeadAsync(1, "node-1", fault, FewAttempts);
        await using var sync = await RawFeed.OpenAsync(leader, scene.Channel, replica: "r1");
        await using var async = await RawFeed.OpenAsync(leader, scene.Channel, replica: "r2", mode: "async");
        fault.Broken = true;
        await TestNode.ProblemAsync(leader.PostRawAsync($"channels/{scene.Channel}/messages", """{"messages":[{"payload":"YQ=="}]}"""), ApiErrorCode.Unavailable);
        Assert.Equal([FeedFrameKind.Start, FeedFrameKind.Batch], await sync.RestAsync());
        Assert.Equal([FeedFrameKind.Start], await async.RestAsync());
    }

    [Fact]
    public async Task A_stream_ends_when_the_leader_closes_the_channel_or_stops()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using (var leader = await scene.LeadAsync())
        {
            await using var closed = await RawFeed.OpenAsync(leader, scene.Channel);
            await TestNode.OkAsync<ChannelStatus>(leader.PostAsync($"channels/{scene.Channel}/close", new CloseChannelRequest(1), leader.Control));
            Assert.Equal([FeedFrameKind.Start], await closed.RestAsync());
        }

        await using var next = await scene.LeadAsync(2, "node-2");
        await using var stopped = await RawFeed.OpenAsync(next, scene.Channel, term: 2);
        await next.StopAsync();
        Assert.Equal([FeedFrameKind.Start], await stopped.RestAsync());
    }

    [Fact]
    public async Task A_subscriber_that_does_not_take_what_is_pushed_is_disconnected_and_nobody_waits_for_it()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync(settings: ("Follow:FeedQueueBytes", "65536"));
        await using var slow = await RawFeed.OpenAsync(leader, scene.Channel, replica: "slow");
        await Eventually.HoldsAsync(async () => (await leader.StatusAsync(scene.Channel)).Replicas is [{ NodeId: "slow" }], "it follows");
        var payload = new string('x', 500_000);
        for (var i = 0; i < 200 && (await leader.StatusAsync(scene.Channel)).Replicas is not []; i++)
        {
            // What the sockets between them take is not the leader's to say.
            await leader.AppendAsync(scene.Channel, payload);
        }

        Assert.Empty((await leader.StatusAsync(scene.Channel)).Replicas!);
        await Assert.ThrowsAnyAsync<IOException>(slow.RestAsync);
    }

    [Fact]
    public async Task A_replica_that_was_too_slow_heals_by_itself()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using (var leader = await scene.LeadAsync(settings: ("Follow:FeedQueueBytes", "1024")))
        {
            scene.AssignFollower(leader);
            await using var follower = await scene.StartFollowerAsync();
            await scene.FollowsAsync(follower, 0);
            AppendResponse[] answers = [];
            for (var round = 0; round < 10; round++)
            {
                answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => leader.AppendAsync(scene.Channel, new string('x', 2_000))));
            }

            await scene.FollowsAsync(follower, answers.Max(a => a.LastLsn));
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task No_more_than_sixteen_follow_and_a_node_that_comes_again_takes_its_own_place()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        List<RawFeed> feeds = [];
        for (var i = 0; i < 16; i++)
        {
            feeds.Add(await RawFeed.OpenAsync(leader, scene.Channel, replica: $"r{i}"));
        }

        await TestNode.ProblemAsync(leader.Control.GetAsync($"channels/{scene.Channel}/feed?term=1&replica=r16&mode=sync"), ApiErrorCode.Overloaded);
        feeds.Add(await RawFeed.OpenAsync(leader, scene.Channel, replica: "r3", mode: "async"));
        Assert.Equal([FeedFrameKind.Start], (await feeds[3].RestAsync()).Where(k => k != FeedFrameKind.Idle));
        var replicas = (await leader.StatusAsync(scene.Channel)).Replicas!;
        Assert.Equal(16, replicas.Count);
        Assert.Equal(ReplicaMode.Async, replicas.Single(r => r.NodeId == "r3").Mode);
        foreach (var feed in feeds)
        {
            await feed.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("term=2&replica=r&mode=sync", ApiErrorCode.Conflict)]
    [InlineData("term=0&replica=r&mode=sync", ApiErrorCode.InvalidArgument)]
    [InlineData("term=x&replica=r&mode=sync", ApiErrorCode.InvalidArgument)]
    [InlineData("replica=r&mode=sync", ApiErrorCode.InvalidArgument)]
    [InlineData("term=1&replica=R%20&mode=sync", ApiErrorCode.InvalidArgument)]
    [InlineData("term=1&mode=sync", ApiErrorCode.InvalidArgument)]
    [InlineData("term=1&replica=r&mode=later", ApiErrorCode.InvalidArgument)]
    [InlineData("term=1&replica=r", ApiErrorCode.InvalidArgument)]
    public async Task A_subscription_that_is_wrong_gets_no_stream(string query, ApiErrorCode code)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        await TestNode.ProblemAsync(leader.Control.GetAsync($"channels/{scene.Channel}/feed?{query}"), code);
        Assert.Empty((await leader.StatusAsync(scene.Channel)).Replicas!);
    }

    [Fact]
    public async Task Only_leaders_feed_and_only_nodes_of_the_cluster()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        var other = NodeFixture.NewChannel();
        await TestNode.ProblemAsync(leader.Control.GetAsync($"channels/{other}/feed?term=1&replica=r&mode=sync"), ApiErrorCode.NotLeader);
        await TestNode.ProblemAsync(leader.PostAsync($"channels/{other}/replicas/r", new ReplicaProgressRequest(1, 1), leader.Control), ApiErrorCode.NotLeader);
        await TestNode.ProblemAsync(leader.Client.GetAsync($"channels/{scene.Channel}/feed?term=1&replica=r&mode=sync"), ApiErrorCode.Unauthorized);
        await TestNode.ProblemAsync(leader.PostAsync($"channels/{scene.Channel}/replicas/r", new ReplicaProgressRequest(1, 1)), ApiErrorCode.Unauthorized);
    }

    [Fact]
    public async Task Progress_is_shown_of_those_that_follow_at_this_term()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        await leader.AppendAsync(scene.Channel, "a", "b", "c");
        await using var feed = await RawFeed.OpenAsync(leader, scene.Channel, replica: "r1");
        await ReportAsync("r1", 2);
        await ReportAsync("nobody", 3);
        Assert.Equal([new ReplicaStatus("r1", ReplicaMode.Sync, 2, 1)], (await leader.StatusAsync(scene.Channel)).Replicas);
        await TestNode.ProblemAsync(leader.PostAsync($"channels/{scene.Channel}/replicas/r1", new ReplicaProgressRequest(2, 3), leader.Control), ApiErrorCode.Conflict);
        await TestNode.ProblemAsync(leader.PostAsync($"channels/{scene.Channel}/replicas/r1", new ReplicaProgressRequest(1, -1), leader.Control), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(leader.PostAsync($"channels/{scene.Channel}/replicas/R!", new ReplicaProgressRequest(1, 1), leader.Control), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(leader.PostRawAsync($"channels/{scene.Channel}/replicas/r1", """{"term":1,"flushed":3}""", leader.Control), ApiErrorCode.InvalidArgument);
        Assert.Equal(2, (await leader.StatusAsync(scene.Channel)).Replicas![0].FlushedLsn);
        Assert.Contains($"baton_replica_feeds{{channel=\"{scene.Channel}\"}} 1", await leader.Client.GetStringAsync("metrics"), StringComparison.Ordinal);

        async Task ReportAsync(string node, long lsn)
        {
            using var answer = await leader.PostAsync($"channels/{scene.Channel}/replicas/{node}", new ReplicaProgressRequest(1, lsn), leader.Control);
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }
    }

    /// <summary>A subscriber that takes frames as they come.</summary>
    private sealed class RawFeed(HttpResponseMessage answer, Stream body) : IAsyncDisposable
    {
        private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

        public static async Task<RawFeed> OpenAsync(TestNode leader, string channel, long term = 1, string replica = "r", string mode = "sync")
        {
            var answer = await leader.Control.GetAsync($"channels/{channel}/feed?term={term}&replica={replica}&mode={mode}", HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal(FeedFrame.MediaType, answer.Content.Headers.ContentType?.MediaType);
            return new RawFeed(answer, await answer.Content.ReadAsStreamAsync());
        }

        /// <summary>The next frame's payload; it must be of this kind, but for words of idleness before it.</summary>
        public async Task<ReadOnlyMemory<byte>> NextAsync(FeedFrameKind kind)
        {
            var frame = await FrameAsync();
            while (frame is { Kind: FeedFrameKind.Idle } && kind != FeedFrameKind.Idle)
            {
                frame = await FrameAsync();
            }

            Assert.NotNull(frame);
            Assert.Equal(kind, frame.Value.Kind);
            return frame.Value.Payload;
        }

        /// <summary>The kinds of all frames until the stream ends, without idle ones.</summary>
        public async Task<FeedFrameKind[]> RestAsync()
        {
            List<FeedFrameKind> kinds = [];
            while (await FrameAsync() is var (kind, _))
            {
                kinds.Add(kind);
            }

            return [.. kinds.Where(k => k != FeedFrameKind.Idle)];
        }

        public async ValueTask DisposeAsync()
        {
            await body.DisposeAsync();
            answer.Dispose();
        }

        private async Task<(FeedFrameKind Kind, byte[] Payload)?> FrameAsync()
        {
            using var limit = new CancellationTokenSource(Limit);
            var header = new byte[FeedFrame.HeaderSizeBytes];
            if (await body.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, limit.Token) == 0)
            {
                return null;
            }

            var (kind, length) = FeedFrame.ReadHeader(header);
            var payload = new byte[length];
            await body.ReadExactlyAsync(payload, limit.Token);
            return (kind, payload);
        }
    }
}
