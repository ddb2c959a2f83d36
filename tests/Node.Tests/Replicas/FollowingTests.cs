using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Replicas;

/// <summary>Whole nodes on real storage: one leads, one follows.</summary>
public sealed class FollowingTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly (string, string)[] FewAttempts = [("Wal:MaxAttempts", "2"), ("Wal:RetryDelayMs", "1")];

    [Theory]
    [InlineData(ReplicaMode.Sync)]
    [InlineData(ReplicaMode.Async)]
    public async Task A_replica_that_follows_under_load_ends_with_the_log_record_for_record(ReplicaMode mode)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        long last;
        await using (var leader = await scene.LeadAsync())
        {
            // Some before it comes, some while it catches up, some pushed.
            last = (await AppendManyAsync(leader, scene.Channel, 100)).Max();
            scene.AssignFollower(leader, mode: mode);
            await using var follower = await scene.StartFollowerAsync();
            for (var round = 0; round < 5; round++)
            {
                last = (await AppendManyAsync(leader, scene.Channel, 100)).Max();
            }

            await scene.FollowsAsync(follower, last);
            await Eventually.HoldsAsync(
                async () => (await leader.StatusAsync(scene.Channel)).Replicas is [{ NodeId: ReplicaScene.Follower, LagRecords: 0 } replica] && replica.Mode == mode && replica.FlushedLsn == last,
                "the leader knows that it has everything");
            await Eventually.HoldsAsync(
                () => scene.Plane.Heartbeats[ReplicaScene.Follower].Channels is [{ Role: "replica", Term: 1, State: FollowState.Following } beat] && (beat.FlushedLsn, beat.CommittedLsn) == (last, last),
                "the control plane knows too");
            var stored = (await scene.StoredAsync())[^1];
            var beat = scene.Plane.Heartbeats[ReplicaScene.Follower].Channels[0];
            Assert.Equal((stored.Term, (long)stored.Crc), (beat.LastTerm, beat.LastCrc));
        }

        var expected = await scene.StoredAsync();
        Assert.Equal(last, expected[^1].Lsn);
        Assert.Equal(expected, await scene.OnDiskAsync());
    }

    [Fact]
    public async Task A_replica_that_was_away_goes_on_from_its_disk()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        var first = (await leader.AppendAsync(scene.Channel, "a", "b")).LastLsn;
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.FollowsAsync(follower, first);
        }

        await Eventually.HoldsAsync(async () => (await leader.StatusAsync(scene.Channel)).Replicas is [], "the leader has noticed");
        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
        var second = (await leader.AppendAsync(scene.Channel, "c")).LastLsn;
        await using (var again = await scene.StartFollowerAsync())
        {
            await scene.FollowsAsync(again, second);
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task What_was_pushed_and_never_became_durable_is_never_on_the_disk()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        var fault = new StorageFault();
        await using (var leader = await scene.LeadAsync(1, "node-1", fault, FewAttempts))
        {
            scene.AssignFollower(leader);
            await using var follower = await scene.StartFollowerAsync();
            var kept = (await leader.AppendAsync(scene.Channel, "kept")).LastLsn;
            await scene.FollowsAsync(follower, kept);
            fault.Broken = true;
            await TestNode.ProblemAsync(leader.PostRawAsync($"channels/{scene.Channel}/messages", """{"messages":[{"payload":"YQ=="}]}"""), ApiErrorCode.Unavailable);
            await scene.IsAsync(follower, FollowState.Disconnected);
            Assert.Equal(kept, (await follower.StatusAsync(scene.Channel)).LastLsn);

            // The next leader writes something else at the LSN that was pushed.
            fault.Broken = false;
            await using var next = await scene.LeadAsync(2, "node-2");
            scene.AssignFollower(next, 2);
            var other = (await next.AppendAsync(scene.Channel, "other")).LastLsn;
            Assert.Equal(kept + 1, other);
            await scene.FollowsAsync(follower, other);
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task After_a_takeover_the_replica_listens_to_the_new_leader_alone()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var old = await scene.LeadAsync();
        scene.AssignFollower(old);
        await using var follower = await scene.StartFollowerAsync();
        await scene.FollowsAsync(follower, (await old.AppendAsync(scene.Channel, "of term 1")).LastLsn);

        // The old leader does not know yet.
        await using var next = await scene.LeadAsync(2, "node-2");
        scene.AssignFollower(next, 2);
        var last = (await next.AppendAsync(scene.Channel, "of term 2")).LastLsn;
        await scene.FollowsAsync(follower, last);
        Assert.Equal(2, (await follower.StatusAsync(scene.Channel)).Term);
        await Eventually.HoldsAsync(async () => (await next.StatusAsync(scene.Channel)).Replicas is [{ NodeId: ReplicaScene.Follower }], "it follows the new one");

        // An answer that was late on its way.
        scene.AssignFollower(old, 1);
        var beats = scene.Plane.Heartbeats[ReplicaScene.Follower];
        await Eventually.HoldsAsync(() => !ReferenceEquals(beats, scene.Plane.Heartbeats[ReplicaScene.Follower]), "it has heard the old assignment");
        beats = scene.Plane.Heartbeats[ReplicaScene.Follower];
        await Eventually.HoldsAsync(() => !ReferenceEquals(beats, scene.Plane.Heartbeats[ReplicaScene.Follower]), "and gone on");
        last = (await next.AppendAsync(scene.Channel, "more")).LastLsn;
        await scene.FollowsAsync(follower, last);
        Assert.Equal([ReplicaScene.Follower], (await next.StatusAsync(scene.Channel)).Replicas!.Select(r => r.NodeId));
    }

    [Fact]
    public async Task A_restarted_replica_knows_the_term_of_its_last_record()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var old = await scene.LeadAsync();
        await old.AppendAsync(scene.Channel, "of term 1");
        await using var leader = await scene.LeadAsync(5, "node-2");
        scene.AssignFollower(leader, 5);
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.FollowsAsync(follower, (await leader.AppendAsync(scene.Channel, "of term 5")).LastLsn);
        }

        scene.AssignFollower(leader, 4);
        await using (var again = await scene.StartFollowerAsync())
        {
            await Eventually.HoldsAsync(async () => (await again.StatusAsync(scene.Channel)).Term == 5, "it knows term 5 from its disk");
            await scene.IsAsync(again, FollowState.Disconnected);
            scene.AssignFollower(leader, 5);
            await scene.FollowsAsync(again, 2);
        }
    }

    [Fact]
    public async Task A_channel_that_is_no_longer_assigned_is_left_and_its_files_stay()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        await using var follower = await scene.StartFollowerAsync();
        var last = (await leader.AppendAsync(scene.Channel, "a")).LastLsn;
        await scene.FollowsAsync(follower, last);
        scene.Plane.Assign(ReplicaScene.Follower);
        await Eventually.HoldsAsync(async () => (await follower.StatusAsync(scene.Channel)).Role == "none", "it follows no more");
        await Eventually.HoldsAsync(async () => (await leader.StatusAsync(scene.Channel)).Replicas is [], "the leader has noticed");
        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());

        // Files that are closed can be had again.
        scene.AssignFollower(leader);
        await scene.FollowsAsync(follower, (await leader.AppendAsync(scene.Channel, "b")).LastLsn);
    }

    [Fact]
    public async Task A_replica_that_is_to_lead_leads_from_the_storage_and_keeps_its_files()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.FollowsAsync(follower, (await leader.AppendAsync(scene.Channel, "a")).LastLsn);
            scene.Plane.Assign(ReplicaScene.Follower, new Assignment(scene.Channel, "leader", 2, null));
            await follower.LeadsAsync(scene.Channel, 2);
            await follower.AppendAsync(scene.Channel, "b");
            Assert.Equal(["a", "b"], await follower.TextsAsync(scene.Channel));
            Assert.DoesNotContain(scene.Plane.Heartbeats[ReplicaScene.Follower].Channels, c => c.Role == "replica" && c.Term > 1);
        }

        Assert.Equal((await scene.StoredAsync())[..1], await scene.OnDiskAsync());
    }

    [Fact]
    public async Task A_disk_that_cannot_be_used_is_tried_again()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        var last = (await leader.AppendAsync(scene.Channel, "a")).LastLsn;
        scene.AssignFollower(leader);

        // Somebody else has the folder.
        var held = await scene.OpenDiskAsync();
        await using var follower = await scene.StartFollowerAsync();
        await Eventually.HoldsAsync(() => scene.Plane.Heartbeats.TryGetValue(ReplicaScene.Follower, out var beat) && beat.Channels is [{ State: FollowState.Disconnected, FlushedLsn: 0 }], "it says that it does not follow");
        await held.DisposeAsync();
        await scene.FollowsAsync(follower, last);
    }

    private static async Task<long[]> AppendManyAsync(TestNode leader, string channel, int count) =>
        [.. (await Task.WhenAll(Enumerable.Range(0, count).Select(i => leader.AppendAsync(channel, $"m{i}", new string('x', i))))).Select(a => a.LastLsn)];
}
