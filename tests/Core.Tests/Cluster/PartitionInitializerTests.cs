using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

public sealed class PartitionInitializerTests
{
    private static InitializedChannels Create(ClusterState state, LeaderPolicy policy, params WantedChannel[] wanted) => PartitionInitializer.Initialize(state, wanted, policy);

    private static string Owners(ClusterState state, string channel) => string.Join(',', state.Channels[channel].Replicas.Select(r => r.NodeId).Prepend(state.Channels[channel].Leader));

    private static bool Owns(ChannelState channel, string node) => channel.Leader == node || channel.Replicas.Any(r => r.NodeId == node);

    private static ClusterState ThreeNodes(string? zoneOfThird = null) => ClusterMembership.Join(
        ClusterMembership.Join(
            ClusterMembership.Join(ClusterState.Empty("b"), "n1", new("http://n1"), "z1", null).State, "n2", new("http://n2"), "z1", null).State,
        "n3", new("http://n3"), zoneOfThird ?? "z1", null).State;

    [Fact]
    public void Copies_go_to_other_zones_first_and_then_to_the_nodes_that_have_fewest()
    {
        var state = ThreeNodes("z2");

        var first = Create(state, LeaderPolicy.Spread, new WantedChannel("ch0", 2));
        var second = Create(first.State, LeaderPolicy.Spread, new WantedChannel("ch1", 2), new WantedChannel("ch2", 7));

        Assert.Equal(["ch0"], first.Created);
        Assert.Equal(["ch1", "ch2"], second.Created);
        Assert.Equal((state.Version + 1, state.Version + 2), (first.State.Version, second.State.Version));
        Assert.Equal("n1,n3", Owners(first.State, "ch0"));
        Assert.Equal(("n2,n3", "n3,n2,n1"), (Owners(second.State, "ch1"), Owners(second.State, "ch2")));
        Assert.Equal([(0, 1L), (1, 1L), (2, 1L)], second.State.Channels.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => (c.Value.Index, c.Value.Term)));
        Assert.All(second.State.Channels["ch2"].Replicas, r => Assert.Equal(new ReplicaState(r.NodeId, ReplicaMode.Sync, ReplicaProgress.Disconnected, 0), r));
    }

    [Theory]
    [InlineData(LeaderPolicy.Spread, 1, "4,4,4")]
    [InlineData(LeaderPolicy.Spread, 2, "4,4,4")]
    [InlineData(LeaderPolicy.Spread, 3, "4,4,4")]
    [InlineData(LeaderPolicy.PreferCoordinator, 1, "4,4,4")]
    [InlineData(LeaderPolicy.PreferCoordinator, 3, "12,0,0")]
    public void Twelve_partitions_are_spread_over_three_nodes_and_led_as_the_policy_says(LeaderPolicy policy, int copies, string led)
    {
        var state = PartitionInitializer.InitializeMetadata(ThreeNodes(), policy).State;

        var after = Create(state, policy, [.. Enumerable.Range(0, 12).Select(p => new WantedChannel($"orders-{p}", copies, 5))]).State;

        Assert.Equal(led, string.Join(',', after.Nodes.Keys.Select(n => after.PChannels.Count(c => c.Value.Leader == n))));
        Assert.All(after.Nodes.Keys, n => Assert.Equal(4 * copies, after.PChannels.Count(c => Owns(c.Value, n))));
        Assert.All(after.PChannels, c => Assert.Equal(5, c.Value.TopicId));
    }

    [Fact]
    public void The_coordinator_leads_what_it_has_a_copy_of_and_the_rest_is_as_even_as_that_allows()
    {
        var state = PartitionInitializer.InitializeMetadata(ThreeNodes(), LeaderPolicy.PreferCoordinator).State;

        var after = Create(state, LeaderPolicy.PreferCoordinator, [.. Enumerable.Range(0, 6).Select(p => new WantedChannel($"orders-{p}", 2, 5))]).State;

        Assert.Equal("n1", after.Channels[MetadataChannel.Name].Leader);
        Assert.Equal(4, after.PChannels.Count(c => Owns(c.Value, "n1")));
        Assert.All(after.PChannels.Where(c => Owns(c.Value, "n1")), c => Assert.Equal("n1", c.Value.Leader));
        Assert.Equal(["n2", "n3"], after.PChannels.Where(c => c.Value.Leader != "n1").Select(c => c.Value.Leader!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_metadata_comes_before_all_other_channels_has_one_copy_and_is_made_once()
    {
        var begun = States.With(ThreeNodes(), "ch0", 3);

        var state = PartitionInitializer.InitializeMetadata(begun, LeaderPolicy.PreferCoordinator).State;

        Assert.Equal((-1, 1, 1L), (state.Channels[MetadataChannel.Name].Index, state.Channels[MetadataChannel.Name].ReplicationFactor, state.Channels[MetadataChannel.Name].Term));
        Assert.Empty(state.Channels[MetadataChannel.Name].Replicas);
        Assert.Same(state, PartitionInitializer.InitializeMetadata(state, LeaderPolicy.PreferCoordinator).State);
        Assert.Equal(["ch0"], state.PChannels.Select(c => c.Key));
        Assert.Equal([MetadataChannel.Name, "ch0"], state.Channels.OrderBy(c => c.Value.Index).Select(c => c.Key));
        Assert.Equal(
            0, States.With(PartitionInitializer.InitializeMetadata(ThreeNodes(), LeaderPolicy.Spread).State, "first", 1).Channels["first"].Index);
    }

    [Fact]
    public void Who_leads_the_metadata_can_be_read_from_the_state()
    {
        var state = PartitionInitializer.InitializeMetadata(ClusterMembership.Join(ClusterState.Empty("b"), "n1", new("http://n1"), null, null).State, LeaderPolicy.Spread).State;
        var offline = FailoverPlanner.Plan(state, new FailureEvidence("n1", FailureEvidenceKind.Operator), TimeSpan.Zero, DateTimeOffset.UnixEpoch).State;

        Assert.Equal(new LeaderHint("n1", new("http://n1"), 1), MetadataChannel.LeaderIn(state));
        Assert.Null(MetadataChannel.LeaderIn(offline));
        Assert.Null(MetadataChannel.LeaderIn(ClusterState.Empty("b")));
        Assert.Equal(MetadataChannel.LeaderIn(state), Assignments.Answer(state, "n1", 1).Metadata);
    }

    [Fact]
    public void A_repair_gives_the_metadata_no_copies_and_no_recoveries()
    {
        var state = PartitionInitializer.InitializeMetadata(ThreeNodes(), LeaderPolicy.Spread).State;

        Assert.Same(state, ReplicaSets.Repair(state, ClusterStories.Beats(state, "", null, ClusterStories.Start), TimeSpan.FromSeconds(3), ClusterStories.Start));
    }

    [Fact]
    public void A_channel_that_exists_is_left_as_it_is()
    {
        var state = States.Of(["n1"], ("ch0", States.Led("n1", 3)), ("orders-0", States.Led("n1", 3) with { TopicId = 4 }));

        var again = Create(state, LeaderPolicy.Spread, new WantedChannel("ch0", 3), new WantedChannel("orders-0", 2, 4));

        Assert.Empty(again.Created);
        Assert.Null(again.Error);
        Assert.Same(state, again.State);
    }

    [Theory]
    [InlineData("ch0", 4L)]
    [InlineData("orders-0", 5L)]
    [InlineData("orders-0", null)]
    public void A_channel_of_another_owner_refuses_all_that_are_asked_for(string name, long? topicId)
    {
        var state = States.Of(["n1"], ("ch0", States.Led("n1", 3)), ("orders-0", States.Led("n1", 3) with { TopicId = 4 }));

        var refused = Create(state, LeaderPolicy.Spread, new WantedChannel("new", 1, topicId), new WantedChannel(name, 1, topicId));

        Assert.Equal(ApiErrorCode.Conflict, refused.Error?.Code);
        Assert.Same(state, refused.State);
    }

    [Theory]
    [InlineData("Ch0", 1)]
    [InlineData("ch_v0", 1)]
    [InlineData(MetadataChannel.Name, 1)]
    [InlineData("other", 1)]
    [InlineData("ch0", 0)]
    [InlineData("ch0", 8)]
    public void A_channel_that_cannot_be_is_refused(string name, int replicationFactor) =>
        Assert.Equal(ApiErrorCode.InvalidArgument, Create(ClusterState.Empty("b"), LeaderPolicy.Spread, new WantedChannel("other", 1), new WantedChannel(name, replicationFactor)).Error?.Code);

    [Fact]
    public void Channels_without_nodes_wait_for_one()
    {
        var state = States.With(ClusterState.Empty("b"), "ch0", 1);
        Assert.True(state.Channels["ch0"].Offline);

        Assert.Equal(("n1", 1), (ClusterMembership.Join(state, "n1", new("http://n1"), null, null).State.Channels["ch0"] is var c ? (c.Leader, c.Term) : default));
    }
}
