using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Operations;
using Baton.Core.Wal;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Testing;
using Microsoft.Extensions.Hosting;

namespace Baton.Functions.Tests.Broadcasts;

public sealed class BroadcastTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_broadcast_reaches_every_vchannel_and_becomes_a_tombstone_without_locks()
    {
        await using var plane = await StartAsync();

        var answer = await CreateAsync(plane, Request());
        var task = answer.Read<BroadcastView>();
        await ForcedPromotionTests.FinishedAsync(plane, $"broadcast-{task.BroadcastId}");

        Assert.Equal(202, answer.Status);
        Assert.Equal(3, plane.Logs.Appended.Count(a => a.BroadcastId == task.BroadcastId));
        Assert.Equal(BroadcastState.Tombstone, (await plane.BroadcastAsync(task.BroadcastId)).State);
        Assert.Empty(await plane.LocksAsync());
    }

    [Fact]
    public async Task The_same_request_again_is_the_same_broadcast_and_another_message_under_its_id_is_a_conflict()
    {
        await using var plane = await StartAsync();
        await CreateAsync(plane, Request() with { BroadcastId = 77 });
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-77");

        var again = await CreateAsync(plane, Request() with { BroadcastId = 77 });
        var other = await CreateAsync(plane, Request() with { BroadcastId = 77, Kind = "other" });

        Assert.Equal((200, BroadcastState.Tombstone), (again.Status, again.Read<BroadcastView>().State));
        Assert.Equal((409, "Conflict"), (other.Status, other.Problem.Code));
        Assert.Equal(3, plane.Logs.Appended.Count);
    }

    [Fact]
    public async Task A_broadcast_whose_control_plane_died_before_it_was_begun_is_begun_by_the_sweep_when_nobody_can_be_about_to()
    {
        await using var plane = await StartAsync();
        await plane.Broadcasts.AddAsync(BroadcastRules.Create(77, Scenes.Drop, plane.Time.GetUtcNow()), default);

        await SweepAsync(plane);
        Assert.Empty(plane.Logs.Appended);

        plane.Time.Advance(OrphanSweep.Grace);
        await Task.WhenAll(SweepAsync(plane), SweepAsync(plane));
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-77");

        Assert.Equal(BroadcastState.Tombstone, (await plane.BroadcastAsync(77)).State);
        Assert.Equal(3, plane.Logs.Appended.Count);
        Assert.Empty(await plane.LocksAsync());
    }

    [Theory]
    [InlineData("GET ClusterState")]
    [InlineData(null)]
    public async Task B57_A_control_plane_that_is_stopping_refuses_a_broadcast_before_anything_is_stored(string? stopsAt)
    {
        await using var plane = await StartAsync();
        var lifetime = plane.Get<IHostApplicationLifetime>();
        if (stopsAt is null)
        {
            lifetime.StopApplication();
        }

        plane.Storage.Clear();
        plane.Storage.Before = call =>
        {
            if (call == stopsAt)
            {
                lifetime.StopApplication();
            }

            return Task.CompletedTask;
        };
        var answer = await CreateAsync(plane, Request() with { BroadcastId = 21 });

        Assert.Equal((503, "Unavailable"), (answer.Status, answer.Problem.Code));
        Assert.All(plane.Storage.Calls, call => Assert.StartsWith("GET ", call, StringComparison.Ordinal));
        Assert.Empty(plane.Engine.InstanceIds);
    }

    [Fact]
    public async Task A_broadcast_that_is_being_stored_when_the_app_stops_is_started_all_the_same()
    {
        await using var plane = await StartAsync();
        plane.Storage.Before = call =>
        {
            if (call == "POST BroadcastTasks" || call.Contains("batch", StringComparison.Ordinal))
            {
                plane.Get<IHostApplicationLifetime>().StopApplication();
            }

            return Task.CompletedTask;
        };

        var answer = await CreateAsync(plane, Request() with { BroadcastId = 21 });

        Assert.Equal(202, answer.Status);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-21");
    }

    [Fact]
    public async Task B58_Duplicate_acks_change_nothing()
    {
        await using var plane = await StartAsync();
        await plane.PutInForceAsync(Clusters.AToB);
        var ack = new BroadcastAckRequest("ch1_v1", new BroadcastAck(5, 5, 5), Scenes.Drop, new SourcePosition("a", "x1", 5, 5));
        await AckAsync(plane, 10, ack);
        var before = (await plane.Broadcasts.ReadAsync(10, default))!;

        var again = await AckAsync(plane, 10, ack with { Ack = new BroadcastAck(99, 99, 99) });

        Assert.Equal(["ch1_vcontrol", "ch2_v2"], again.Read<BroadcastView>().PendingVChannels);
        Assert.Equal(5, Assert.Single(again.Read<BroadcastView>().Acked).Lsn);
        Assert.Equal(before.ETag, (await plane.Broadcasts.ReadAsync(10, default))!.ETag);
        Assert.Empty(plane.Engine.InstanceIds);
    }

    [Fact]
    public async Task The_last_ack_of_a_replicated_broadcast_starts_its_callback_once()
    {
        await using var plane = await StartAsync();
        await plane.PutInForceAsync(Clusters.AToB);
        foreach (var vchannel in new[] { "ch1_vcontrol", "ch1_v1", "ch2_v2", "ch2_v2" })
        {
            await AckAsync(plane, 10, new BroadcastAckRequest(vchannel, new BroadcastAck(5, 5, 5), Scenes.Drop, new SourcePosition("a", "x1", 5, 5)));
        }

        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-10");
        var late = await AckAsync(plane, 10, new BroadcastAckRequest("ch2_v2", new BroadcastAck(7, 7, 7), Scenes.Drop));

        Assert.Equal(BroadcastState.Tombstone, late.Read<BroadcastView>().State);
        Assert.Empty(plane.Logs.Appended);
        Assert.Equal(["broadcast-10-1"], plane.Engine.InstanceIds);
    }

    [Fact]
    public async Task B59_Two_broadcasts_on_one_exclusive_key_serialise()
    {
        await using var plane = await StartAsync();
        var release = new TaskCompletionSource();
        foreach (var node in plane.Nodes)
        {
            node.Intercept = async call =>
            {
                if (call.Control?.BroadcastId == 21)
                {
                    await release.Task;
                }

                return null;
            };
        }

        await CreateAsync(plane, Request() with { BroadcastId = 21 });
        await Until.TrueAsync(async () => (await plane.LocksAsync()).Any(l => l.Owner == "broadcast-21"));
        await CreateAsync(plane, Request() with { BroadcastId = 22 });
        var tries = plane.Engine.Runs("TakeBroadcastLocks");
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.Runs("TakeBroadcastLocks") >= tries + 2));
        Assert.DoesNotContain(plane.Logs.Appended, a => a.BroadcastId == 22);
        release.SetResult();

        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-22");
        Assert.Equal([21L, 21L, 21L, 22L, 22L, 22L], plane.Logs.Appended.Select(a => a.BroadcastId));
    }

    [Fact]
    public async Task A_blocked_operation_is_remembered_by_one_write_and_forgotten_with_its_end()
    {
        await using var plane = await StartAsync();
        var locks = plane.Get<LockStore>();
        Assert.Null(await locks.TryAcquireAsync("one", ResourceLocks.KeysOf(null), default));
        plane.Storage.Clear();

        Assert.Equal(["one"], await locks.TryAcquireAsync("two", ResourceLocks.ExclusiveCluster, default));
        Assert.Equal(["one"], await locks.TryAcquireAsync("two", ResourceLocks.ExclusiveCluster, default));
        Assert.Single(plane.Storage.Calls, c => !c.StartsWith("GET", StringComparison.Ordinal));
        Assert.Equal(["two"], await locks.TryAcquireAsync("three", ResourceLocks.KeysOf(null), default));

        await locks.ReleaseFinishedAsync((owner, _) => Task.FromResult(owner == "two"), default);
        Assert.Null(await locks.TryAcquireAsync("three", ResourceLocks.KeysOf(null), default));
    }

    [Fact]
    public async Task A_secondary_makes_no_broadcasts()
    {
        await using var plane = await StartAsync();
        await plane.PutInForceAsync(Clusters.AToB);

        var answer = await CreateAsync(plane, Request());

        Assert.Equal((409, "ReplicateViolation"), (answer.Status, answer.Problem.Code));
        Assert.Empty(await plane.Broadcasts.ListAsync(null, 10, default));
    }

    [Fact]
    public async Task A_broadcast_that_a_change_of_role_overtook_lets_go_of_its_locks()
    {
        await using var plane = await StartAsync();
        Assert.Null(await plane.Get<LockStore>().TryAcquireAsync("an-update", ResourceLocks.ExclusiveCluster, default));
        await CreateAsync(plane, Request() with { BroadcastId = 21 });
        await plane.PutInForceAsync(Clusters.AToB);
        await plane.Get<LockStore>().ReleaseAsync("an-update", default);

        var head = await ForcedPromotionTests.FinishedAsync(plane, "broadcast-21");

        Assert.Equal((OperationStatus.Failed, ApiErrorCode.ReplicateViolation), (head.Status, head.Error!.Code));
        Assert.Empty(await plane.LocksAsync());
        Assert.Empty(plane.Logs.Appended);
    }

    [Theory]
    [InlineData("nowhere_v1", "drop")]
    [InlineData("ch1_v1", "alterReplicateConfig")]
    [InlineData("ch1_v1", "No Kind")]
    public async Task A_broadcast_that_cannot_be_is_refused(string vchannel, string kind)
    {
        await using var plane = await StartAsync();

        var answer = await CreateAsync(plane, new CreateBroadcastRequest(kind, [vchannel]));

        Assert.Equal((400, "InvalidArgument"), (answer.Status, answer.Problem.Code));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"vchannel":"ch1_v1","ack":{"lsn":1,"lastConfirmedLsn":1,"timeTick":1}}""")]
    [InlineData("""{"vchannel":"ch1_v1","ack":{"lsn":1,"lastConfirmedLsn":1,"timeTick":1},"message":{"kind":"drop","vchannels":["ch2_v2"],"resourceKeys":[]}}""")]
    [InlineData("""{"vchannel":"ch1_v1","ack":{"lsn":-1,"lastConfirmedLsn":1,"timeTick":1},"message":{"kind":"drop","vchannels":["ch1_v1"],"resourceKeys":[]}}""")]
    public async Task An_ack_that_makes_no_sense_is_refused(string body)
    {
        await using var plane = await StartAsync();

        var ack = await plane.CallAsync<BroadcastAckReceive>((f, r) => f.RunAsync(r, plane.Engine, default), System.Text.Encoding.UTF8.GetBytes(body), ("id", "10"));
        var create = await plane.CallAsync<BroadcastCreate>((f, r) => f.RunAsync(r, plane.Engine, default), System.Text.Encoding.UTF8.GetBytes("{}"));

        Assert.Equal((400, 400), (ack.Status, create.Status));
        Assert.Empty(await plane.Broadcasts.ListAsync(null, 10, default));
    }

    [Fact]
    public async Task An_id_that_was_heard_of_is_never_given_out_again()
    {
        await using var plane = await StartAsync();
        var ahead = (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + 60_000) * 1024;
        await plane.AddIncompleteAsync(ahead, []);

        Assert.True(await plane.Broadcasts.AllocateIdAsync(default) > ahead);
    }

    [Fact]
    public async Task Reads_list_by_state_and_name_what_is_missing()
    {
        await using var plane = await StartAsync();
        await plane.AddIncompleteAsync(10, ["ch1_v1"]);

        var one = await plane.CallAsync<BroadcastRead>((f, r) => f.RunAsync(r, default), null, ("id", "10"));
        var none = await plane.CallAsync<BroadcastRead>((f, r) => f.RunAsync(r, default), null, ("id", "11"));
        var replicated = await plane.CallAsync<BroadcastList>((f, r) => f.RunAsync(r, default), null, "?state=replicated");
        var pending = await plane.CallAsync<BroadcastList>((f, r) => f.RunAsync(r, default), null, "?state=pending");
        var wrong = await plane.CallAsync<BroadcastList>((f, r) => f.RunAsync(r, default), null, "?state=2");

        Assert.Equal(["ch1_vcontrol", "ch2_v2"], one.Read<BroadcastView>().PendingVChannels);
        Assert.Equal(404, none.Status);
        Assert.Equal(10, Assert.Single(replicated.Read<List<BroadcastView>>()).BroadcastId);
        Assert.Empty(pending.Read<List<BroadcastView>>());
        Assert.Equal(400, wrong.Status);
    }

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        return plane;
    }

    private static CreateBroadcastRequest Request() => new(Scenes.Drop.Kind, Scenes.Drop.VChannels, Scenes.Drop.Payload, Scenes.Drop.ResourceKeys);

    private static Task<bool> SweepAsync(ControlPlane plane) => plane.RunAsync<OrphanSweep, bool>(async f =>
    {
        await f.RunAsync(new TimerInfo(false), plane.Engine, default);
        return true;
    });

    private static Task<Answer> CreateAsync(ControlPlane plane, CreateBroadcastRequest request) =>
        plane.CallAsync<BroadcastCreate>((f, r) => f.RunAsync(r, plane.Engine, default), request);

    private static Task<Answer> AckAsync(ControlPlane plane, long id, BroadcastAckRequest request) =>
        plane.CallAsync<BroadcastAckReceive>((f, r) => f.RunAsync(r, plane.Engine, default), request, ("id", $"{id}"));
}
