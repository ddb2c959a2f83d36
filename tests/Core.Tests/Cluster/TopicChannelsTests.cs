using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

public sealed class TopicChannelsTests
{
    private static readonly ClusterState Begin = States.Of(["n1", "n2"], ("ch0", States.Led("n1", 3)), ("orders-0", States.Led("n2", 2) with { TopicId = 4 }), (MetadataChannel.Name, States.Led("n1", 7)));

    private static readonly HashSet<string> NoneReplicated = [];

    private static CreateTopicChannelsRequest Orders(long term, long topicId) => new(term, [new("orders-0", topicId, 1), new("orders-1", topicId, 2)]);

    [Fact]
    public void What_a_topic_lacks_is_created_and_belongs_to_it()
    {
        var result = TopicChannels.Create(Begin, Orders(7, 4), LeaderPolicy.Spread);

        Assert.Null(result.Error);
        Assert.Equal(["orders-1"], result.Changed);
        Assert.Equal(4, result.State.Channels["orders-1"].TopicId);
        Assert.Same(Begin.Channels["orders-0"], result.State.Channels["orders-0"]);
        Assert.Same(result.State, TopicChannels.Create(result.State, Orders(7, 4), LeaderPolicy.Spread).State);
    }

    [Theory]
    [InlineData(6, 4)]
    [InlineData(8, 4)]
    [InlineData(7, 5)]
    public void A_former_leader_and_another_topic_change_nothing(long term, long topicId)
    {
        var result = TopicChannels.Create(Begin, Orders(term, topicId), LeaderPolicy.Spread);

        Assert.Equal(ApiErrorCode.Conflict, result.Error?.Code);
        Assert.Same(Begin, result.State);
    }

    [Fact]
    public void A_cluster_without_metadata_gives_no_channels() =>
        Assert.Equal(ApiErrorCode.Conflict, TopicChannels.Create(ClusterState.Empty("b"), Orders(1, 4), LeaderPolicy.Spread).Error?.Code);

    [Fact]
    public void Only_what_the_topic_owns_is_deleted_and_the_same_again_deletes_nothing()
    {
        var request = new DeleteTopicChannelsRequest(7, [new("orders-0", 4), new("ch0", 4), new("orders-9", 4)]);

        var result = TopicChannels.Delete(Begin, request, NoneReplicated);

        Assert.Equal(["orders-0"], result.Changed);
        Assert.Equal(Begin.Version + 1, result.State.Version);
        Assert.Equal([MetadataChannel.Name, "ch0"], result.State.Channels.Keys.Order(StringComparer.Ordinal));
        Assert.Same(result.State, TopicChannels.Delete(result.State, request, NoneReplicated).State);
        Assert.Same(Begin, TopicChannels.Delete(Begin, new(7, [new("orders-0", 5)]), NoneReplicated).State);
    }

    [Fact]
    public void A_former_leader_deletes_nothing() =>
        Assert.Equal(ApiErrorCode.Conflict, TopicChannels.Delete(Begin, new(6, [new("orders-0", 4)]), NoneReplicated).Error?.Code);

    [Fact]
    public void What_clusters_replicate_stays_and_holds_up_nothing_else()
    {
        var all = TopicChannels.Create(Begin, Orders(7, 4), LeaderPolicy.Spread).State;

        var result = TopicChannels.Delete(all, new(7, [new("orders-0", 4), new("orders-1", 4)]), new HashSet<string> { "ch0", "orders-1" });

        Assert.Null(result.Error);
        Assert.Equal(["orders-0"], result.Changed);
        Assert.True(result.State.Channels.ContainsKey("orders-1"));
    }
}
