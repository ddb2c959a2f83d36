using Baton.Core.Api;
using Baton.Core.Metadata;

namespace Baton.Core.Tests.Metadata;

public sealed class PartitionChannelsTests
{
    [Theory]
    [InlineData("orders", 0, 1, "orders-0")]
    [InlineData("orders", 12, 2, "orders-12-g2")]
    [InlineData("a-1", 2, 10, "a-1-2-g10")]
    public void A_channel_is_named_after_topic_partition_and_later_generation(string topic, int partition, long generation, string channel) =>
        Assert.Equal(channel, PartitionChannels.NameOf(topic, partition, generation));

    [Theory]
    [InlineData("orders-0", "orders", 0)]
    [InlineData("a-1-999", "a-1", 999)]
    [InlineData("a--1", "a-", 1)]
    public void A_channel_of_a_first_generation_can_be_read(string channel, string topic, int partition)
    {
        Assert.True(PartitionChannels.TryParse(channel, out var t, out var p));
        Assert.Equal((topic, partition), (t, p));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("orders")]
    [InlineData("orders-")]
    [InlineData("-1")]
    [InlineData("orders-01")]
    [InlineData("orders-1000")]
    [InlineData("orders-+1")]
    [InlineData("orders-1 ")]
    [InlineData("orders-0-g2")]
    [InlineData("Orders-0")]
    [InlineData("ord_v1-0")]
    [InlineData("__metadata-0")]
    [InlineData("a123456789012345678901234567890123456789012345678-0")]
    public void Other_channels_are_no_partitions(string? channel) => Assert.False(PartitionChannels.TryParse(channel, out _, out _));

    [Fact]
    public void Every_name_is_that_of_one_partition_of_one_topic_and_what_is_read_is_what_was_named()
    {
        string[] topics = ["a", "a-1", "a-1-g2", "a-1-1", "a-g2", "a.1", "1", "1-1", "a-", "a--"];
        var names = topics.SelectMany(t => Enumerable.Range(0, 12).SelectMany(p => Enumerable.Range(1, 12).Select(g => (Topic: t, Partition: p, Generation: g)))).ToArray();
        Assert.Equal(names.Length, names.Select(n => PartitionChannels.NameOf(n.Topic, n.Partition, n.Generation)).Distinct(StringComparer.Ordinal).Count());
        Assert.All(names.Where(n => n.Generation == 1), n => Assert.True(PartitionChannels.TryParse(PartitionChannels.NameOf(n.Topic, n.Partition, 1), out var t, out var p) && (t, p) == (n.Topic, n.Partition)));
    }

    [Fact]
    public void The_longest_name_is_an_id() =>
        Assert.True(Names.IsValidId(PartitionChannels.NameOf(new string('a', TopicNames.MaxLength), MetadataLimits.MaxPartitionsPerTopic - 1, MetadataLimits.MaxGeneration)));

    [Theory]
    [InlineData("a", true)]
    [InlineData("0.a_b-c", true)]
    [InlineData("", false)]
    [InlineData("-a", false)]
    [InlineData("A", false)]
    [InlineData("a_v", false)]
    [InlineData("a/b", false)]
    public void A_topics_name_has_the_form_of_an_id_without_a_vchannels_mark(string name, bool valid) => Assert.Equal(valid, TopicNames.IsValid(name));
}
