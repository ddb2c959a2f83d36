using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Channels;
using Baton.Functions.Switchover;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.Failover;
using Baton.Functions.Topics;
using Baton.Functions.Topology;
using Baton.Testing;

namespace Baton.Functions.Tests.Topics;

/// <summary>The channel of the metadata, and what its leader asks for.</summary>
public sealed class TopicChannelsTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly CreateTopicChannelsRequest Orders = new(1, [.. Enumerable.Range(0, 4).Select(p => new TopicChannel($"orders-{p}", 5, 2))]);

    [Fact]
    public async Task The_first_join_brings_the_metadata_and_every_answer_says_who_leads_it()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var n1 = await plane.AddNodeAsync("n1");

        var joined = (await plane.JoinAsync("n2", n1.Endpoint)).Read<JoinNodeResponse>();
        var beat = (await plane.BeatAsync("n2", 1)).Read<HeartbeatResponse>();
        var state = await plane.StateAsync();
        await plane.HandleAsync(UrgentQueue.Report("n2"));
        await plane.HandleAsync(UrgentQueue.Report("n1"));
        var alone = (await plane.BeatAsync("n2", 1)).Read<HeartbeatResponse>();

        Assert.Equal((-1, "n1", 1L, 1), (state.Channels[MetadataChannel.Name].Index, state.Channels[MetadataChannel.Name].Leader, state.Channels[MetadataChannel.Name].Term, state.Channels.Count));
        Assert.Equal(2, state.Version);
        Assert.Equal(new LeaderHint("n1", n1.Endpoint, 1), joined.Metadata);
        Assert.Equal(joined.Metadata, beat.Metadata);
        Assert.Null(alone.Metadata);
    }

    [Fact]
    public async Task A_cluster_of_an_older_version_gets_the_metadata_with_its_next_join()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        await plane.States.UpdateAsync(s => s with { Version = s.Version + 1, Channels = s.PChannels.ToDictionary(StringComparer.Ordinal) }, default);
        Assert.Null((await plane.BeatAsync("n1", 1)).Read<HeartbeatResponse>().Metadata);
        var before = await plane.StateAsync();

        var joined = (await plane.JoinAsync("n1", plane.Nodes[0].Endpoint)).Read<JoinNodeResponse>();

        var after = await plane.StateAsync();
        Assert.Equal(before.Version + 1, after.Version);
        Assert.Equal(MetadataChannel.LeaderIn(after), joined.Metadata);
        Assert.Equal(-1, after.Channels[MetadataChannel.Name].Index);
    }

    [Fact]
    public async Task The_metadata_is_no_channel_of_the_clients_but_can_be_moved()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();

        var created = await plane.CallAsync<ChannelCreate>((f, r) => f.RunAsync(r, default), new CreateChannelRequest(), ("name", MetadataChannel.Name));
        var configured = await plane.UpdateAsync(Clusters.BAlone, dryRun: true);
        var named = await plane.UpdateAsync(new Core.Replication.ReplicateConfiguration([Clusters.B with { PChannels = [MetadataChannel.Name, "ch1", "ch2"] }]), dryRun: true);
        var moved = await plane.CallAsync<ChannelMove>((f, r) => f.RunAsync(r, plane.Engine, default), new MoveChannelRequest("n2"), ("name", MetadataChannel.Name));
        await Until.TrueAsync(async () => (await plane.StateAsync()).Channels[MetadataChannel.Name] is { Leader: "n2", Term: 2 });

        Assert.Equal((400, 200, 400, 202), (created.Status, configured.Status, named.Status, moved.Status));
        await Until.TrueAsync(() => Task.FromResult(plane.Nodes[1].Open.GetValueOrDefault(MetadataChannel.Name) == 2));
    }

    [Fact]
    public async Task The_channels_of_a_topic_are_one_write_and_one_call_per_leader_and_the_same_again_tells_them_again()
    {
        await using var plane = await StartAsync(("Placement:LeaderPolicy", "Spread"));
        var before = await plane.StateAsync();
        plane.Storage.Clear();

        var created = (await CreateAsync(plane, Orders)).Read<TopicChannelsResponse>();
        var calls = plane.Storage.Calls;
        var again = (await CreateAsync(plane, Orders)).Read<TopicChannelsResponse>();

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], calls);
        Assert.Equal(before.Version + 1, created.Version);
        Assert.Equal(created.Version, again.Version);
        Assert.Equal(["orders-0", "orders-1", "orders-2", "orders-3"], created.Channels.Select(c => c.Name));
        Assert.All(created.Channels, c => Assert.Equal((5L, 1L, 1, ChannelAvailability.Online), (c.TopicId, c.Term, c.Replicas.Count, c.Status)));
        Assert.Equal(created.Channels.Select(c => (c.Name, c.Leader)), again.Channels.Select(c => (c.Name, c.Leader)));
        Assert.All(plane.Nodes, n => Assert.Equal([2, 2], n.Of("open-many").Select(c => c.Many!.Count)));
        Assert.Equal([0, 1, 2, 3], (await plane.StateAsync()).PChannels.Select(c => c.Value.Index).Order());
        Assert.Equal(5, (await TopologyAsync(plane)).Channels.Single(c => c.Name == "orders-3").TopicId);
    }

    [Fact]
    public async Task By_default_the_leader_of_the_metadata_leads_what_it_has_a_copy_of()
    {
        await using var plane = await StartAsync();

        var created = (await CreateAsync(plane, Orders)).Read<TopicChannelsResponse>();

        Assert.All(created.Channels, c => Assert.Equal("n1", c.Leader));
    }

    [Fact]
    public async Task Leaders_that_cannot_be_told_are_no_reason_to_fail()
    {
        await using var plane = await StartAsync();
        await plane.Nodes[0].KillAsync();

        var created = await CreateAsync(plane, Orders);

        Assert.Equal((200, 4), (created.Status, created.Read<TopicChannelsResponse>().Channels.Count));
    }

    [Fact]
    public async Task A_former_leader_of_the_metadata_changes_nothing()
    {
        await using var plane = await StartAsync();
        await CreateAsync(plane, Orders);
        await plane.HandleAsync(UrgentQueue.Report("n1"));
        var before = await plane.StateAsync();

        var created = await CreateAsync(plane, Orders with { Channels = [new("orders-9", 5)] });
        var deleted = await DeleteAsync(plane, new DeleteTopicChannelsRequest(1, [new("orders-0", 5)]));

        Assert.Equal((409, 409), (created.Status, deleted.Status));
        Assert.Contains("term 2, not 1", created.Problem.Detail, StringComparison.Ordinal);
        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
    }

    [Fact]
    public async Task A_leader_that_is_replaced_between_the_read_and_the_write_changes_nothing()
    {
        await using var plane = await StartAsync();
        var moved = false;
        plane.Storage.Before = async call =>
        {
            if (call == "PUT ClusterState" && !moved)
            {
                moved = true;
                await plane.HandleAsync(UrgentQueue.Report("n1"));
            }
        };

        var created = await CreateAsync(plane, Orders);

        Assert.True(moved);
        Assert.Equal(409, created.Status);
        Assert.Empty((await plane.StateAsync()).PChannels);
    }

    [Fact]
    public async Task A_name_that_is_taken_refuses_the_whole_topic()
    {
        await using var plane = await StartAsync();
        await plane.AddChannelAsync("orders-3");

        var created = await CreateAsync(plane, Orders);
        await CreateAsync(plane, Orders with { Channels = [new("orders-0", 5)] });
        var byClient = await plane.CallAsync<ChannelCreate>((f, r) => f.RunAsync(r, default), new CreateChannelRequest(), ("name", "orders-0"));

        Assert.Equal((409, 409), (created.Status, byClient.Status));
        Assert.Equal(["orders-0", "orders-3"], (await plane.StateAsync()).PChannels.Select(c => c.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_a_deleted_topic_had_is_gone_from_what_its_nodes_should_own_and_others_stay()
    {
        await using var plane = await StartAsync();
        await CreateAsync(plane, Orders);
        await CreateAsync(plane, new CreateTopicChannelsRequest(1, [new("other-0", 6)]));
        var request = new DeleteTopicChannelsRequest(1, [new("orders-0", 5), new("orders-1", 5), new("orders-2", 5), new("orders-3", 5), new("other-0", 5), new("never", 5)]);

        var deleted = (await DeleteAsync(plane, request)).Read<DeletedTopicChannels>();
        var again = (await DeleteAsync(plane, request)).Read<DeletedTopicChannels>();

        Assert.Equal(["orders-0", "orders-1", "orders-2", "orders-3"], deleted.Deleted);
        Assert.Equal((deleted.Version, 0), (again.Version, again.Deleted.Count));
        Assert.Equal(["other-0"], (await plane.StateAsync()).PChannels.Select(c => c.Key));
        Assert.DoesNotContain((await plane.BeatAsync("n1", 1)).Read<HeartbeatResponse>().Assignments, a => a.Channel.StartsWith("orders", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_clusters_replicate_is_not_deleted_and_holds_up_nothing_else()
    {
        await using var plane = await StartAsync();
        await CreateAsync(plane, Orders);
        await plane.PutInForceAsync(new Core.Replication.ReplicateConfiguration([Clusters.B with { PChannels = ["orders-0", "orders-1"] }]));

        var deleted = await DeleteAsync(plane, new DeleteTopicChannelsRequest(1, [new("orders-1", 5), new("orders-2", 5)]));

        Assert.Equal(["orders-2"], deleted.Read<DeletedTopicChannels>().Deleted);
        Assert.Equal(["orders-0", "orders-1", "orders-3"], (await plane.StateAsync()).PChannels.Select(c => c.Key).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("""{"metadataTerm":0,"channels":[{"name":"orders-0","topicId":5}]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[{"name":"Orders-0","topicId":5}]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[{"name":"orders-0"}]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[{"name":"orders-0","topicId":0}]}""")]
    [InlineData("""{"metadataTerm":1}""")]
    [InlineData("""{"metadataTerm":1,"channels":[]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[null]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[{"name":"__metadata","topicId":5}]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[{"name":"orders_v0","topicId":5}]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[{"name":"orders-0","topicId":5},{"name":"orders-0","topicId":5}]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[{"name":"orders-0","topicId":5,"replicationFactor":8}]}""")]
    [InlineData("""{"metadataTerm":1,"channels":[{"name":"orders-0","topicId":5,"leader":"n1"}]}""")]
    public async Task A_request_that_cannot_be_is_refused(string body)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var refused = await CreateAsync(plane, System.Text.Encoding.UTF8.GetBytes(body));

        Assert.Equal((400, "InvalidArgument"), (refused.Status, refused.Problem.Code));
    }

    [Fact]
    public async Task A_thousand_channels_are_one_request_and_one_more_is_refused()
    {
        await using var plane = await StartAsync(("Placement:LeaderPolicy", "Spread"));
        TopicChannel[] channels = [.. Enumerable.Range(0, 1_001).Select(p => new TopicChannel($"{new string('t', 48)}-{p:D14}", 5, 2))];

        var created = await CreateAsync(plane, Orders with { Channels = channels[..1_000] });
        var refused = await CreateAsync(plane, Orders with { Channels = channels });
        var deleted = await DeleteAsync(plane, new DeleteTopicChannelsRequest(1, [.. channels[..1_000].Select(c => new ChannelOfTopic(c.Name, 5))]));

        Assert.Equal((200, 400, 200), (created.Status, refused.Status, deleted.Status));
        Assert.Equal([500, 500], created.Read<TopicChannelsResponse>().Channels.CountBy(c => c.Leader!).Select(c => c.Value));
        Assert.All(plane.Nodes, n => Assert.Equal(500, Assert.Single(n.Of("open-many")).Many!.Count));
        Assert.Empty((await plane.StateAsync()).PChannels);
    }

    private async Task<ControlPlane> StartAsync(params (string Name, string Value)[] settings)
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, settings);
        await plane.AddNodeAsync("n1");
        await plane.AddNodeAsync("n2");
        return plane;
    }

    private static Task<Answer> CreateAsync(ControlPlane plane, object body) => plane.CallAsync<TopicChannelsCreate>((f, r) => f.RunAsync(r, default), body);

    private static Task<Answer> DeleteAsync(ControlPlane plane, DeleteTopicChannelsRequest body) => plane.CallAsync<TopicChannelsDelete>((f, r) => f.RunAsync(r, default), body);

    private static async Task<TopologyView> TopologyAsync(ControlPlane plane) => (await plane.CallAsync<TopologyRead>((f, r) => f.RunAsync(r, default))).Read<TopologyView>();
}
