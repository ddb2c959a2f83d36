using System.Globalization;
using Baton.Core.Api;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Replicas;

/// <summary>What a recovery session can have a replica do.</summary>
public sealed class RecoveryOrderTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task A_replica_with_a_foreign_record_touches_nothing_until_it_is_truncated_and_then_follows()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        var last = (await leader.AppendAsync(scene.Channel, "a", "b")).LastLsn;
        await scene.ForgeAsync(1, "foreign");
        scene.AssignFollower(leader);
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.IsAsync(follower, FollowState.Diverged);
            await TestNode.ProblemAsync(follower.Client.GetAsync($"channels/{scene.Channel}/messages?local=true"), ApiErrorCode.Unavailable);
            var steps = new Steps(follower, scene.Channel);
            Assert.Equal(new ReplicaConnectResponse(FollowState.Diverged, 1, 1, 1), await steps.ConnectAsync(1));
            var handshake = await steps.HandshakeAsync(1);
            var stored = (await scene.StoredAsync())[0];
            Assert.Equal((1, 1, 1), (handshake.FlushedLsn, handshake.LastTerm, handshake.FirstLsn));
            Assert.NotEqual((long)stored.Crc, handshake.LastCrc);
            Assert.Equal(new ReplicaPositionResponse(1, 1, handshake.LastCrc), await steps.PositionAsync(1, 1));

            var caughtUp = await steps.CatchUpAsync(1, last, 30_000);
            Assert.Equal((1, false, FollowState.Diverged), (caughtUp.FlushedLsn, caughtUp.Done, caughtUp.State));
            await steps.RefusedAsync("truncate", new ReplicaTruncateRequest(1, 2), ApiErrorCode.Conflict, "holds LSN 1 to 1");
            Assert.Equal(0, (await steps.TruncateAsync(1, 0)).FlushedLsn);
            Assert.Equal(0, (await steps.TruncateAsync(1, 0)).FlushedLsn);
            await steps.RefusedAsync("position", new ReplicaPositionRequest(1, 1), ApiErrorCode.NotFound, "not 1");
            await steps.ReleaseAsync(1);
            await steps.ReleaseAsync(1);
            await steps.RefusedAsync("connect", new ReplicaConnectRequest(1, 1), ApiErrorCode.Conflict, "session 1 was released");
            await scene.FollowsAsync(follower, last);
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task A_replica_that_is_ahead_is_cut_exactly_and_comes_to_its_target()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        var last = (await leader.AppendAsync(scene.Channel, "a", "b", "c")).LastLsn;
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.FollowsAsync(follower, last);
        }

        await scene.ForgeAsync(last + 1, "never in the log");
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.IsAsync(follower, FollowState.Diverged);
            var steps = new Steps(follower, scene.Channel);
            Assert.Equal(FollowState.Diverged, (await steps.ConnectAsync(7)).State);
            Assert.Equal(last + 1, (await steps.HandshakeAsync(7)).FlushedLsn);
            var cut = await steps.TruncateAsync(7, last);
            Assert.Equal((last, (long)(await scene.StoredAsync())[^1].Crc), (cut.FlushedLsn, cut.LastCrc));
            var done = await steps.CatchUpAsync(7, last, 30_000);
            Assert.Equal((last, true), (done.FlushedLsn, done.Done));

            // What is done stays done, and never says more than was asked for.
            var more = (await leader.AppendAsync(scene.Channel, "d")).LastLsn;
            await scene.FollowsAsync(follower, more);
            done = await steps.CatchUpAsync(7, last, 30_000);
            Assert.Equal((last, true), (done.FlushedLsn, done.Done));
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Fact]
    public async Task A_bound_replica_holds_still_and_a_catch_up_beyond_the_log_is_done_when_the_log_gets_there()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        await using var follower = await scene.StartFollowerAsync();
        var first = (await leader.AppendAsync(scene.Channel, "a")).LastLsn;
        await scene.FollowsAsync(follower, first);
        var steps = new Steps(follower, scene.Channel);
        var connected = await steps.ConnectAsync(1);
        Assert.Equal(connected, await steps.ConnectAsync(1));
        await Eventually.HoldsAsync(async () => (await leader.StatusAsync(scene.Channel)).Replicas is [], "it has left its leader");
        var last = (await leader.AppendAsync(scene.Channel, "b", "c")).LastLsn;
        Assert.Equal(first, (await steps.HandshakeAsync(1)).FlushedLsn);
        Assert.Contains("baton_recovery_sessions{state=\"connected\"} 1", await follower.Client.GetStringAsync("metrics"), StringComparison.Ordinal);

        var early = await steps.CatchUpAsync(1, last + 1, 0);
        Assert.False(early.Done);
        var waiting = steps.CatchUpAsync(1, last + 1, 30_000);
        Assert.Equal(last + 1, (await leader.AppendAsync(scene.Channel, "d")).LastLsn);
        var done = await waiting;
        Assert.Equal((last + 1, true), (done.FlushedLsn, done.Done));
        await scene.FollowsAsync(follower, (await leader.AppendAsync(scene.Channel, "e")).LastLsn);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"baton_replica_lag_records{{channel=\"{scene.Channel}\"}} "), await follower.Client.GetStringAsync("metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_step_that_the_disk_refused_can_be_asked_for_again_in_the_same_session()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        var last = (await leader.AppendAsync(scene.Channel, "a", "b", "c")).LastLsn;
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.FollowsAsync(follower, last);
            var steps = new Steps(follower, scene.Channel);
            await steps.ConnectAsync(1);

            // A batch is cut by way of a new file, which cannot be made where a folder is.
            var inTheWay = Path.ChangeExtension(Assert.Single(Directory.GetFiles(Path.Combine(scene.Folder, scene.Channel), "*.seg")), ".new");
            Directory.CreateDirectory(inTheWay);
            await steps.RefusedAsync("truncate", new ReplicaTruncateRequest(1, last - 1), ApiErrorCode.Unavailable, "could not do that");
            Directory.Delete(inTheWay);
            Assert.Equal(last, (await steps.HandshakeAsync(1)).FlushedLsn);
            Assert.Equal(last - 1, (await steps.TruncateAsync(1, last - 1)).FlushedLsn);
            await steps.ReleaseAsync(1);
            await scene.FollowsAsync(follower, last);
        }

        Assert.Equal(await scene.StoredAsync(), await scene.OnDiskAsync());
    }

    [Theory]
    [InlineData(ReplicaRebuildRequest.FullBase)]
    [InlineData(ReplicaRebuildRequest.SnapshotTail)]
    public async Task A_replica_below_the_history_waits_to_be_rebuilt(string source)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync(settings: Trimming);
        scene.AssignFollower(leader);
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.FollowsAsync(follower, (await leader.AppendAsync(scene.Channel, "a")).LastLsn);
        }

        var last = await TrimAsync(scene, leader);
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.IsAsync(follower, FollowState.NeedsRebuild);
            var steps = new Steps(follower, scene.Channel);
            Assert.Equal(FollowState.NeedsRebuild, (await steps.ConnectAsync(1)).State);
            var caughtUp = await steps.CatchUpAsync(1, last, 30_000);
            Assert.Equal((1, false, FollowState.NeedsRebuild), (caughtUp.FlushedLsn, caughtUp.Done, caughtUp.State));
            var rebuilt = await steps.RebuildAsync(1, source, last, 30_000);
            Assert.Equal(("completed", last, true), (rebuilt.Phase, rebuilt.TransferredLsn, rebuilt.Done));
            Assert.Equal(source == ReplicaRebuildRequest.SnapshotTail, rebuilt.SnapshotLsn > 0);
            Assert.Equal(rebuilt, await steps.RebuildAsync(1, source, last, 0));
            await scene.FollowsAsync(follower, last);
            await TestNode.ProblemAsync(follower.Client.GetAsync($"channels/{scene.Channel}/messages?local=true&from=1"), ApiErrorCode.RangeNotSatisfiable);
        }

        var disk = await scene.OnDiskAsync();
        Assert.Equal(last, disk[^1].Lsn);
        Assert.Equal(await scene.StoredAsync(disk[0].Lsn), disk);
    }

    [Fact]
    public async Task An_empty_replica_begins_where_the_history_does()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync(settings: Trimming);
        var last = await TrimAsync(scene, leader);
        scene.AssignFollower(leader);
        await using (var follower = await scene.StartFollowerAsync())
        {
            await scene.FollowsAsync(follower, last);
            var problem = await TestNode.ProblemAsync(follower.Client.GetAsync($"channels/{scene.Channel}/messages?local=true&from=1"), ApiErrorCode.RangeNotSatisfiable);
            Assert.True(problem.FirstAvailable > 1);
        }

        var disk = await scene.OnDiskAsync();
        Assert.Equal(await scene.StoredAsync(disk[0].Lsn), disk);
    }

    [Fact]
    public async Task Without_a_snapshot_a_rebuild_from_one_is_refused_and_drops_nothing()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        await using var follower = await scene.StartFollowerAsync();
        var last = (await leader.AppendAsync(scene.Channel, "a")).LastLsn;
        await scene.FollowsAsync(follower, last);
        var steps = new Steps(follower, scene.Channel);
        await steps.ConnectAsync(1);
        await steps.RefusedAsync("rebuild", new ReplicaRebuildRequest(1, ReplicaRebuildRequest.SnapshotTail, last, 30_000), ApiErrorCode.Conflict, "no snapshot");
        Assert.Equal(last, (await steps.HandshakeAsync(1)).FlushedLsn);
    }

    [Fact]
    public async Task A_stale_session_changes_nothing_and_a_higher_one_supersedes()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync(3);
        scene.AssignFollower(leader, 3);
        await using var follower = await scene.StartFollowerAsync();
        var last = (await leader.AppendAsync(scene.Channel, "a")).LastLsn;
        await scene.FollowsAsync(follower, last);
        var steps = new Steps(follower, scene.Channel);
        foreach (var (step, body) in Every(5, last))
        {
            await steps.RefusedAsync(step, body, ApiErrorCode.Conflict, "no active session");
        }

        await steps.RefusedAsync("connect", new ReplicaConnectRequest(5, 2), ApiErrorCode.Conflict, "knows term 3");
        await steps.ConnectAsync(5, 3);
        await steps.ConnectAsync(6, 3);
        await steps.RefusedAsync("connect", new ReplicaConnectRequest(5, 3), ApiErrorCode.Conflict, "session ID mismatch");
        foreach (var (step, body) in Every(5, last))
        {
            await steps.RefusedAsync(step, body, ApiErrorCode.Conflict, "session ID mismatch");
        }

        await steps.RefusedAsync("release", new ReplicaSessionRequest(5), ApiErrorCode.Conflict, "session ID mismatch");
        Assert.Equal(last, (await steps.HandshakeAsync(6)).FlushedLsn);

        static (string, object)[] Every(long session, long last) =>
        [
            ("handshake", new ReplicaSessionRequest(session)),
            ("position", new ReplicaPositionRequest(session, 1)),
            ("catch-up", new ReplicaCatchUpRequest(session, last)),
            ("truncate", new ReplicaTruncateRequest(session, 0)),
            ("rebuild", new ReplicaRebuildRequest(session, ReplicaRebuildRequest.FullBase, last)),
        ];
    }

    [Fact]
    public async Task A_session_that_falls_silent_lets_the_replica_follow_again()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync();
        scene.AssignFollower(leader);
        await using var follower = await scene.StartFollowerAsync(("Follow:SessionIdleMs", "300"));
        await scene.FollowsAsync(follower, 0);
        var steps = new Steps(follower, scene.Channel);
        await steps.ConnectAsync(1);
        await scene.FollowsAsync(follower, (await leader.AppendAsync(scene.Channel, "a")).LastLsn);
        await steps.RefusedAsync("handshake", new ReplicaSessionRequest(1), ApiErrorCode.Conflict, "no active session");
    }

    [Fact]
    public async Task A_session_of_a_higher_term_brings_its_leader_and_assignments_below_are_ignored()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var old = await scene.LeadAsync();
        scene.AssignFollower(old);
        await using var follower = await scene.StartFollowerAsync();
        await scene.FollowsAsync(follower, (await old.AppendAsync(scene.Channel, "a")).LastLsn);
        await using var leader = await scene.LeadAsync(2, "node-2");
        var last = (await leader.AppendAsync(scene.Channel, "b")).LastLsn;
        var steps = new Steps(follower, scene.Channel);
        Assert.Equal(2, (await steps.ConnectAsync(1, 2, ReplicaScene.AddressOf(leader))).Term);
        Assert.True((await steps.CatchUpAsync(1, last, 30_000)).Done);
        await scene.FollowsAsync(follower, (await leader.AppendAsync(scene.Channel, "c")).LastLsn);
        Assert.Equal(2, (await follower.StatusAsync(scene.Channel)).Term);
    }

    [Theory]
    [InlineData("connect", """{"sessionId":0,"epoch":1}""")]
    [InlineData("connect", """{"sessionId":1,"epoch":0}""")]
    [InlineData("connect", """{"sessionId":1,"epoch":1,"leaderEndpoint":"ftp://x"}""")]
    [InlineData("connect", """{"sessionId":1,"epoch":1,"leaderEndpoint":"nowhere"}""")]
    [InlineData("connect", """{"sessionId":1,"epoch":1,"more":1}""")]
    [InlineData("connect", """null""")]
    [InlineData("handshake", """{"sessionId":-1}""")]
    [InlineData("position", """{"sessionId":1,"lsn":0}""")]
    [InlineData("catch-up", """{"sessionId":1,"targetLsn":-1}""")]
    [InlineData("catch-up", """{"sessionId":1,"targetLsn":1,"waitMs":60001}""")]
    [InlineData("catch-up", """{"sessionId":1,"targetLsn":1,"waitMs":-1}""")]
    [InlineData("truncate", """{"sessionId":1,"lsn":-1}""")]
    [InlineData("truncate", """{"sessionId":1,"lsn":"1"}""")]
    [InlineData("rebuild", """{"sessionId":1,"source":"elsewhere","targetLsn":1}""")]
    [InlineData("rebuild", """{"sessionId":1,"targetLsn":1}""")]
    [InlineData("rebuild", """{"sessionId":1,"source":"full_base","targetLsn":-5}""")]
    [InlineData("release", """[]""")]
    public async Task A_step_that_makes_no_sense_is_refused(string step, string body)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        scene.AssignFollower((Uri?)null);
        await using var follower = await scene.StartFollowerAsync();
        await Eventually.HoldsAsync(async () => (await follower.StatusAsync(scene.Channel)).Role == "replica", "it is a replica");
        await TestNode.ProblemAsync(follower.PostRawAsync($"replicas/{scene.Channel}/{step}", body, follower.Control), ApiErrorCode.InvalidArgument);
    }

    [Fact]
    public async Task Steps_are_the_control_planes_and_for_replicas()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var node = await scene.LeadAsync();
        foreach (var step in new[] { "connect", "handshake", "position", "catch-up", "truncate", "rebuild", "release" })
        {
            await TestNode.ProblemAsync(node.PostRawAsync($"replicas/{scene.Channel}/{step}", "{}"), ApiErrorCode.Unauthorized);
        }

        await TestNode.ProblemAsync(node.PostAsync($"replicas/{scene.Channel}/connect", new ReplicaConnectRequest(1, 1), node.Control), ApiErrorCode.NotFound);
        await TestNode.ProblemAsync(node.PostAsync($"replicas/{scene.Channel}/handshake", new ReplicaSessionRequest(1), node.Control), ApiErrorCode.NotFound);
        await TestNode.ProblemAsync(node.PostAsync("replicas/UPPER/handshake", new ReplicaSessionRequest(1), node.Control), ApiErrorCode.InvalidArgument);
    }

    /// <summary>A leader that keeps no more of its log than it must.</summary>
    private static (string, string)[] Trimming => [("Node:SnapshotEveryRecords", "100"), ("Wal:MaxSegmentBlocks", "3"), ("Wal:RetainMs", "0"), ("Wal:SnapshotsKept", "1")];

    /// <summary>Has the log grow until its beginning is gone. Returns its last LSN.</summary>
    private static async Task<long> TrimAsync(ReplicaScene scene, TestNode leader)
    {
        var store = scene.OpenStore();
        var last = 0L;
        await Eventually.HoldsAsync(
            async () =>
            {
                last = (await leader.AppendAsync(scene.Channel, [.. Enumerable.Range(0, 40).Select(i => $"m{i}")])).LastLsn;
                return await store.ReadManifestAsync(scene.Channel, CancellationToken.None) is { FirstLsn: > 2, SnapshotLsn: > 0 };
            },
            "the beginning of the log is gone");
        return last;
    }

    private sealed class Steps(TestNode node, string channel)
    {
        public Task<ReplicaConnectResponse> ConnectAsync(long session, long epoch = 1, Uri? leader = null) => AskAsync<ReplicaConnectResponse>("connect", new ReplicaConnectRequest(session, epoch, leader));

        public Task<ReplicaHandshakeResponse> HandshakeAsync(long session) => AskAsync<ReplicaHandshakeResponse>("handshake", new ReplicaSessionRequest(session));

        public Task<ReplicaPositionResponse> PositionAsync(long session, long lsn) => AskAsync<ReplicaPositionResponse>("position", new ReplicaPositionRequest(session, lsn));

        public Task<ReplicaCatchUpResponse> CatchUpAsync(long session, long target, int waitMs) => AskAsync<ReplicaCatchUpResponse>("catch-up", new ReplicaCatchUpRequest(session, target, waitMs));

        public Task<ReplicaHandshakeResponse> TruncateAsync(long session, long lsn) => AskAsync<ReplicaHandshakeResponse>("truncate", new ReplicaTruncateRequest(session, lsn));

        public Task<ReplicaRebuildResponse> RebuildAsync(long session, string source, long target, int waitMs) => AskAsync<ReplicaRebuildResponse>("rebuild", new ReplicaRebuildRequest(session, source, target, waitMs));

        public Task<ChannelStatus> ReleaseAsync(long session) => AskAsync<ChannelStatus>("release", new ReplicaSessionRequest(session));

        public async Task RefusedAsync(string step, object body, ApiErrorCode code, string why)
        {
            var problem = await TestNode.ProblemAsync(node.PostAsync($"replicas/{channel}/{step}", body, node.Control), code);
            Assert.Contains(why, problem.Detail, StringComparison.Ordinal);
        }

        private Task<T> AskAsync<T>(string step, object body) => TestNode.OkAsync<T>(node.PostAsync($"replicas/{channel}/{step}", body, node.Control));
    }
}
