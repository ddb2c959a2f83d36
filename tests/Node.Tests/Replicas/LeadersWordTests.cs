using System.IO.Pipelines;
using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.Node.Replicas.Feed;
using Baton.Node.Tests.Harness;
using Baton.Storage.Tests.Wal;

namespace Baton.Node.Tests.Replicas;

/// <summary>What a replica makes of what its leader says, and of what it does not say.</summary>
public sealed class LeadersWordTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task A_batch_is_on_the_disk_when_it_is_called_durable_and_not_before()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await FakeLeader.StartAsync();
        scene.AssignFollower(leader.Address);
        await using (var follower = await scene.StartFollowerAsync())
        {
            var stream = await leader.NextAsync();
            Assert.Equal($"?term=1&replica={ReplicaScene.Follower}&mode=sync", stream.Query);
            await WriteAsync(scene, "a");
            await stream.PushAsync(await StoredBatchAsync(scene, 1));
            await stream.PushAsync(ReplicaScene.Batch(2, "b"));
            await stream.DurableAsync(1);
            await scene.FollowsAsync(follower, 1);
            await Eventually.HoldsAsync(() => leader.Reports.Any(r => r == new ReplicaProgressRequest(1, 1)), "it has told its leader");
            Assert.Equal(1, (await follower.StatusAsync(scene.Channel)).LastLsn);

            // The leader dies with the second under way.
            stream.End();
            await leader.NextAsync();
            Assert.DoesNotContain(leader.Reports, r => r.FlushedLsn > 1);
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task A_leader_that_falls_silent_is_given_up_and_asked_again()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await FakeLeader.StartAsync();
        scene.AssignFollower(leader.Address);
        await using var follower = await scene.StartFollowerAsync(("Follow:SilenceMs", "400"));
        var first = await leader.NextAsync();
        await Eventually.HoldsAsync(() => first.Gone, "it has hung up");
        Assert.NotSame(first, await leader.NextAsync());
    }

    [Fact]
    public async Task A_leader_that_says_it_is_idle_is_not_given_up_before_it_is_silent_for_the_whole_time()
    {
        var silence = TimeSpan.FromMilliseconds(400);
        var almost = silence - TimeSpan.FromMilliseconds(1);
        var time = new ManualTime();
        var pipe = new Pipe();
        using var answer = new HttpResponseMessage();
        await using var stream = new FeedStream(answer, pipe.Reader.AsStream(), silence, time);
        var idle = new byte[FeedFrame.HeaderSizeBytes];
        FeedFrame.WriteHeader(idle, FeedFrameKind.Idle, 0);
        var buffer = new FeedBuffer(durableLsn: 0, maxBytes: 1_000);
        var reading = stream.ReadIntoAsync(buffer, CancellationToken.None);
        Assert.Equal(silence, await time.NextWaitAsync());
        for (var i = 0; i < 10; i++)
        {
            time.Advance(almost);
            await pipe.Writer.WriteAsync(idle);
            Assert.Equal(silence, await time.NextWaitAsync());
        }

        time.Advance(almost);
        Assert.False(reading.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));
        await reading.WaitAsync(TimeSpan.FromSeconds(120));
        Assert.True(buffer.Ended(out var failure));
        Assert.Contains("has said nothing", Assert.IsType<FeedException>(failure).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_not_pushed_is_fetched_from_the_storage_when_it_is_durable()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await FakeLeader.StartAsync();
        scene.AssignFollower(leader.Address);
        await using (var follower = await scene.StartFollowerAsync())
        {
            var stream = await leader.NextAsync();
            await WriteAsync(scene, "a", "b", "c");

            // It hears of the third alone, and then that all are durable.
            await stream.PushAsync(await StoredBatchAsync(scene, 3));
            await stream.DurableAsync(3);
            await scene.FollowsAsync(follower, 3);
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task What_is_over_its_bound_is_dropped_and_fetched_later()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await FakeLeader.StartAsync();
        scene.AssignFollower(leader.Address);
        await using (var follower = await scene.StartFollowerAsync(("Follow:HeldBytes", "1024")))
        {
            var stream = await leader.NextAsync();
            await WriteAsync(scene, [.. Enumerable.Range(0, 10).Select(i => new string('x', 300 + i))]);
            for (var lsn = 1; lsn <= 10; lsn++)
            {
                await stream.PushAsync(await StoredBatchAsync(scene, lsn));
            }

            await stream.DurableAsync(10);
            await scene.FollowsAsync(follower, 10);
            Assert.Empty(leader.Opened);
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task A_leader_that_calls_durable_what_the_storage_does_not_have_is_left()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await FakeLeader.StartAsync();
        scene.AssignFollower(leader.Address);
        await using var follower = await scene.StartFollowerAsync();
        var stream = await leader.NextAsync();
        await stream.DurableAsync(7);
        await Eventually.HoldsAsync(() => stream.Gone, "it has hung up");
        Assert.Equal(0, (await follower.StatusAsync(scene.Channel)).LastLsn);
    }

    [Theory]
    [InlineData(9, 0)]
    [InlineData(2, 1_000_000_000)]
    [InlineData(3, 7)]
    [InlineData(1, 24)]
    public async Task A_stream_that_is_none_is_left(byte kind, int length)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await FakeLeader.StartAsync();
        scene.AssignFollower(leader.Address);
        await using var follower = await scene.StartFollowerAsync();
        var stream = await leader.NextAsync();
        await stream.SendAsync([kind, .. BitConverter.GetBytes(length), .. new byte[Math.Min(length, 64)]]);
        await Eventually.HoldsAsync(() => stream.Gone, "it has hung up");
        await leader.NextAsync();
    }

    [Fact]
    public async Task A_batch_that_is_damaged_on_its_way_is_fetched_from_the_storage()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await FakeLeader.StartAsync();
        scene.AssignFollower(leader.Address);
        await using (var follower = await scene.StartFollowerAsync())
        {
            var stream = await leader.NextAsync();
            await WriteAsync(scene, "a");
            var batch = await StoredBatchAsync(scene, 1);
            batch[^1] ^= 1;
            await stream.PushAsync(batch);
            await stream.DurableAsync(1);
            await Eventually.HoldsAsync(() => stream.Gone, "it has hung up");
            await scene.FollowsAsync(follower, 1);
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task A_leader_of_another_term_is_not_listened_to()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await FakeLeader.StartAsync();
        leader.Start = new FeedStart(1, 1, 0);
        scene.AssignFollower(leader.Address, term: 2);
        await using var follower = await scene.StartFollowerAsync();
        var stream = await leader.NextAsync();
        await Eventually.HoldsAsync(() => stream.Gone, "it has hung up");
        await scene.IsAsync(follower, FollowState.Disconnected);
        leader.Refuses = 409;
        await Eventually.HoldsAsync(() => leader.Refused >= 3, "it asks again, a leader may be about to open");
        leader.Refuses = null;
        leader.Start = new FeedStart(2, 1, 0);
        await scene.FollowsAsync(follower, 0);
    }

    private static async Task WriteAsync(ReplicaScene scene, params string[] texts)
    {
        await using var writer = await scene.OpenStore().OpenAsync(scene.Channel, 1, "test", null, CancellationToken.None);
        for (var i = 0; i < texts.Length; i++)
        {
            await writer.Append([new WalRecord { Type = WalRecordType.Message, TimeTick = i + 1, Payload = System.Text.Encoding.UTF8.GetBytes(texts[i]) }]).Durable;
        }
    }

    private static async Task<byte[]> StoredBatchAsync(ReplicaScene scene, long lsn)
    {
        await foreach (var entry in scene.OpenStore().ReadAsync(scene.Channel, lsn, lsn, CancellationToken.None))
        {
            return WalBatchCodec.Encode(lsn, [entry.Record]);
        }

        throw new InvalidOperationException($"LSN {lsn} is not there");
    }
}
