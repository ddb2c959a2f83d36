using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Channels;
using Baton.Functions.Health;
using Baton.Functions.Nodes;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.Failover;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;
using Baton.Testing;

namespace Baton.Functions.Tests.Nodes;

public sealed class NodeTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_node_that_joins_again_gets_a_new_incarnation_and_no_old_term()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddNodeAsync("n1");
        await plane.AddChannelAsync("ch1");
        var first = (await BeatAsync(plane, "n1", 1)).Assignments;

        var again = (await JoinAsync(plane, "n1")).Read<JoinNodeResponse>();

        Assert.Equal(2, again.Incarnation);
        Assert.Equal([MetadataChannel.Name, "ch1"], first.Select(a => a.Channel));
        Assert.Equal(first.Select(a => a with { Term = a.Term + 1 }), again.Assignments);
        Assert.True((await BeatAsync(plane, "n1", 1)).MustRejoin);
        Assert.Equal(again.Assignments, (await BeatAsync(plane, "n1", 2)).Assignments);
    }

    [Fact]
    public async Task A_node_counts_as_heard_of_where_the_replicate_configuration_cannot_be_read_and_a_join_changes_nothing_then()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddNodeAsync("n1");
        var before = await plane.StateAsync();
        var heard = (await plane.Get<HeartbeatStore>().ReadAllAsync(default))["n1"];
        plane.Storage.Before = call => call == "GET ReplicateConfig" ? throw new InvalidDataException("damaged") : Task.CompletedTask;

        var answer = await BeatAsync(plane, "n1", 1);

        Assert.Null(answer.Replication);
        Assert.True((await plane.Get<HeartbeatStore>().ReadAllAsync(default))["n1"] > heard);
        await Assert.ThrowsAnyAsync<Exception>(() => JoinAsync(plane, "n1"));
        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
    }

    [Theory]
    [InlineData("""{"endpoint":"ftp://somewhere"}""")]
    [InlineData("""{"endpoint":"relative"}""")]
    [InlineData("""{"endpoint":"http://h","zone":"A zone"}""")]
    [InlineData("""{"endpoint":"http://h","capacity":0}""")]
    [InlineData("""{}""")]
    public async Task A_join_that_makes_no_sense_is_refused(string body)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var answer = await plane.CallAsync<NodeJoin>(async (f, r) => (await f.RunAsync(r, default)).Answer, System.Text.Encoding.UTF8.GetBytes(body), ("nodeId", "n1"));

        Assert.Equal((400, "InvalidArgument"), (answer.Status, answer.Problem.Code));
        Assert.Empty((await plane.StateAsync()).Nodes);
    }

    [Fact]
    public async Task A_report_becomes_one_urgent_message_and_202()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        string? message = null;

        var answer = await plane.CallAsync<NodeFailed>(
            async (f, r) =>
            {
                var outputs = await f.RunAsync(r, default);
                message = outputs.Message;
                return outputs.Answer;
            },
            new NodeFailedRequest("reset", "gateway", "e-1", 3),
            ("nodeId", "n1"));

        Assert.Equal(202, answer.Status);
        var sent = JsonSerializer.Deserialize<UrgentFailoverMessage>(message!, BatonJson.Options)!;
        Assert.Equal(("e-1", "n1", "reset", 3L, "gateway"), (sent.EventId, sent.NodeId, sent.Reason, sent.Incarnation, sent.ObservedBy));
    }

    [Fact]
    public async Task A_channel_is_created_once_led_and_its_leader_told()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var node = await plane.AddNodeAsync("n1");

        var created = await CreateAsync(plane, "ch1");
        var again = await CreateAsync(plane, "ch1");

        Assert.Equal((201, 200), (created.Status, again.Status));
        Assert.Equal(("n1", 1L, ChannelAvailability.Online), (created.Read<ChannelView>().Leader, created.Read<ChannelView>().Term, created.Read<ChannelView>().Status));
        Assert.Equal(1, Assert.Single(node.Of("open")).Open!.Term);
    }

    [Fact]
    public async Task A_channel_without_a_live_node_is_offline_until_one_joins()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        Assert.Equal(ChannelAvailability.Offline, (await CreateAsync(plane, "ch1")).Read<ChannelView>().Status);

        await plane.AddNodeAsync("n1");

        Assert.Equal("n1", (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task A_channel_is_created_while_clusters_replicate_and_does_not_stand_in_a_promotions_way()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();

        var created = await CreateAsync(plane, "ch3");
        var forced = await plane.UpdateAsync(Clusters.BAlone, force: true);

        Assert.Equal((201, 200), (created.Status, forced.Status));
        Assert.Equal(["ch1_vcontrol", "ch2", "ch3"], plane.Logs.Appended.Select(a => a.VChannel).Order(StringComparer.Ordinal), StringComparer.Ordinal);
    }

    [Fact]
    public async Task A_long_poll_of_the_route_ends_with_the_change_and_without_one_in_304()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        var version = (await plane.StateAsync()).Version;

        var waiting = Enumerable.Range(0, 5).Select(_ => RouteAsync(plane, $"?since={version}&waitMs=60000")).ToList();
        var none = await RouteAsync(plane, $"?since={version}&waitMs=30");
        await plane.AddChannelAsync("ch3");
        var answers = await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(60));
        var past = await RouteAsync(plane, $"?since={version - 1}&waitMs=60000");

        Assert.Equal(304, none.Status);
        Assert.All(answers, a => Assert.Equal([MetadataChannel.Name, "ch1", "ch2", "ch3"], a.Read<RouteView>().Channels.Keys.Order(StringComparer.Ordinal), StringComparer.Ordinal));
        Assert.Equal(version + 1, past.Read<RouteView>().Version);
        Assert.Equal(400, (await RouteAsync(plane, "?since=1&waitMs=60001")).Status);
    }

    [Fact]
    public async Task The_route_names_each_leaders_incarnation_and_the_channels_that_have_none()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddNodeAsync("n1");
        await plane.AddChannelAsync("ch1");
        var online = (await RouteAsync(plane, "?since=0&waitMs=0")).Read<RouteView>();
        await plane.HandleAsync(UrgentQueue.Report("n1"));
        var offline = (await RouteAsync(plane, "?since=0&waitMs=0")).Read<RouteView>();

        Assert.Equal([MetadataChannel.Name, "ch1"], online.Channels.Keys.Order(StringComparer.Ordinal));
        Assert.All(online.Channels.Values, c => Assert.Equal(new RouteEntry(plane.Nodes[0].Endpoint, "n1", 1, 1), c));
        Assert.Empty(online.Offline!);
        Assert.Empty(offline.Channels);
        Assert.Equal([MetadataChannel.Name, "ch1"], offline.Offline!);
    }

    [Fact]
    public async Task Nobody_waiting_means_no_reads()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        var version = (await plane.StateAsync()).Version;
        Assert.Equal(304, (await RouteAsync(plane, $"?since={version}&waitMs=30")).Status);

        // The loop may be in its last round; after that it is still.
        await Until.TrueAsync(async () =>
        {
            plane.Storage.Clear();
            await Task.Delay(200);
            return plane.Storage.Calls.Count == 0;
        });
    }

    [Fact]
    public async Task The_topology_shows_nodes_channels_and_role()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();

        var view = (await plane.CallAsync<TopologyRead>((f, r) => f.RunAsync(r, default))).Read<TopologyView>();

        Assert.Equal(("b", Core.Replication.ClusterRole.Secondary), (view.ClusterId, view.Role));
        Assert.Equal(["n1", "n2"], view.Nodes.Select(n => n.NodeId), StringComparer.Ordinal);
        Assert.All(view.Nodes, n => Assert.NotNull(n.LastHeartbeat));
        Assert.Equal([MetadataChannel.Name, "ch1", "ch2"], view.Channels.Select(c => c.Name), StringComparer.Ordinal);
    }

    [Fact]
    public async Task The_topology_shows_how_far_each_replica_is_by_its_own_account()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddNodeAsync("n1");
        await plane.AddNodeAsync("n2");
        await plane.CallAsync<ChannelCreate>((f, r) => f.RunAsync(r, default), new CreateChannelRequest(2), ("name", "ch1"));
        var before = await ReplicaAsync(plane);
        var beat = new HeartbeatRequest(1, [new HeartbeatChannel("ch1", 1, "replica", 41, 42, 1, 7, FollowState.Following), new HeartbeatChannel("ch2", 1, "replica", 99, 99)]);
        await plane.CallAsync<NodeHeartbeat>(async (f, r) => (await f.RunAsync(r, default)).Answer, beat, ("nodeId", before.NodeId));

        var after = await ReplicaAsync(plane);

        Assert.Equal((0, null), (before.FlushedLsn, before.Following));
        Assert.Equal((41, FollowState.Following), (after.FlushedLsn, after.Following));
        Assert.Equal(ReplicaProgress.Disconnected, after.State);
    }

    [Fact]
    public async Task Probes_tell_a_secondary_from_a_primary()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        Assert.Equal(200, (await PrimaryAsync(plane)).Status);
        await plane.PutInForceAsync(Clusters.AToB);

        Assert.Equal((503, "Unavailable"), ((await PrimaryAsync(plane)).Status, (await PrimaryAsync(plane)).Problem.Code));
        Assert.Equal(200, (await plane.CallAsync<HealthRead>((f, r) => f.RunAsync(r, default))).Status);
    }

    [Fact]
    public async Task The_timeline_answers_the_newest_first_and_bounded()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        for (var i = 0; i < 3; i++)
        {
            var entry = new TimelineEntry($"e{i}", TimelineKinds.Failover, DateTimeOffset.UnixEpoch.AddSeconds(i), "moved");
            await plane.Get<TimelineStore>().AddAsync(entry, default);
            await plane.Get<TimelineStore>().AddAsync(entry, default);
        }

        await plane.Get<TimelineStore>().AddAsync(new TimelineEntry("/an/outside#event?", TimelineKinds.Failover, DateTimeOffset.UnixEpoch.AddSeconds(-1), "moved"), default);

        var answer = await plane.CallAsync<TimelineRead>((f, r) => f.RunAsync(r, default), null, "?last=2");
        var wrong = await plane.CallAsync<TimelineRead>((f, r) => f.RunAsync(r, default), null, "?last=0");

        Assert.Equal(["e2", "e1"], answer.Read<List<TimelineEntry>>().Select(e => e.Id), StringComparer.Ordinal);
        Assert.Equal(400, wrong.Status);
    }

    private static Task<Answer> JoinAsync(ControlPlane plane, string nodeId) =>
        plane.CallAsync<NodeJoin>(async (f, r) => (await f.RunAsync(r, default)).Answer, new JoinNodeRequest(plane.Nodes[0].Endpoint), ("nodeId", nodeId));

    private static async Task<HeartbeatResponse> BeatAsync(ControlPlane plane, string nodeId, long incarnation) =>
        (await plane.CallAsync<NodeHeartbeat>(async (f, r) => (await f.RunAsync(r, default)).Answer, new HeartbeatRequest(incarnation, []), ("nodeId", nodeId))).Read<HeartbeatResponse>();

    private static Task<Answer> CreateAsync(ControlPlane plane, string channel) =>
        plane.CallAsync<ChannelCreate>((f, r) => f.RunAsync(r, default), new CreateChannelRequest(), ("name", channel));

    private static async Task<ReplicaView> ReplicaAsync(ControlPlane plane) =>
        Assert.Single((await plane.CallAsync<TopologyRead>((f, r) => f.RunAsync(r, default))).Read<TopologyView>().Channels.Single(c => c.Name == "ch1").Replicas);

    private static Task<Answer> RouteAsync(ControlPlane plane, string query) => plane.CallAsync<RouteRead>((f, r) => f.RunAsync(r, default), null, query);

    private static Task<Answer> PrimaryAsync(ControlPlane plane) => plane.CallAsync<HealthRead>((f, r) => f.RunPrimaryAsync(r, default));
}
