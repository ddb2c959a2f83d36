using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Metadata;

namespace Baton.Core.Tests.Metadata;

public sealed class MetadataViewsTests
{
    [Fact]
    public void A_topic_shows_all_its_partitions_those_without_a_place_too()
    {
        var state = Catalogue.Of(new CreateTopic("t", 2, 2, new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b" }), Catalogue.Assign("t", 1, "n1", 4, "n1", "n2"), new SetHighWatermark("t", 1, 9));
        Assert.Equal(
            """{"name":"t","topicId":1,"createdAt":"2024-10-04T00:00:01+00:00","replicationFactor":2,"config":{"a":"b"},"partitions":["""
            + """{"partition":0,"channel":"t-0","term":0,"replicas":[],"isr":[],"highWatermark":0},{"partition":1,"channel":"t-1","leader":"n1","term":4,"replicas":["n1","n2"],"isr":["n1"],"highWatermark":9}]}""",
            JsonSerializer.Serialize(MetadataViews.Topic(state, "t"), BatonJson.Options));
        Assert.Null(MetadataViews.Topic(state, "other"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(1000)]
    public void Pages_hold_every_row_once_in_order_and_the_last_one_names_no_next(int max)
    {
        var state = Catalogue.Of(Enumerable.Range(0, 5).SelectMany(i => new MetadataCommand[]
        {
            new CreateTopic($"t{i}"), new CreateConsumerGroup($"g{i}"), new RegisterNode($"n{i}", new Uri($"http://n{i}"), 1),
        }));
        Assert.Equal(["t0", "t1", "t2", "t3", "t4"], All(after => MetadataViews.Topics(state, after, max), t => t.Name, max));
        Assert.Equal(["g0", "g1", "g2", "g3", "g4"], All(after => MetadataViews.Groups(state, after, max), g => g.GroupId, max));
        Assert.Equal(["n0", "n1", "n2", "n3", "n4"], All(after => MetadataViews.Nodes(state, after, max), n => n.NodeId, max));
    }

    [Fact]
    public void A_page_of_large_topics_is_shorter()
    {
        var state = Catalogue.Of(Enumerable.Range(0, 25).Select(i => new CreateTopic($"t{i:D2}", 1_000)));
        Assert.Equal(10, MetadataViews.Topics(state).Rows.Count);
        Assert.Equal(25, All(after => MetadataViews.Topics(state, after), t => t.Name, 10).Count);
    }

    [Fact]
    public void A_page_goes_on_behind_a_row_that_is_gone()
    {
        var state = Catalogue.Of(new CreateTopic("a"), new CreateTopic("b"), new CreateTopic("c"), new DeleteTopic("b"));
        Assert.Equal(["c"], MetadataViews.Topics(state, "b").Rows.Select(t => t.Name));
    }

    [Fact]
    public void Offsets_are_shown_of_one_group_and_not_in_lists()
    {
        var state = Catalogue.Of(Catalogue.OneOfEach);
        Assert.Equal([new GroupOffsetView("orders", 1, 5, "note", Catalogue.At(13))], MetadataViews.Group(state, "billing")!.Offsets!);
        Assert.Null(Assert.Single(MetadataViews.Groups(state).Rows).Offsets);
    }

    [Fact]
    public void What_a_batch_created_is_what_it_created_and_not_what_was_created_later()
    {
        MetadataCommand[] batch = [new CreateTopic("a"), new CreateConsumerGroup("g"), new CreateTopic("b"), new CreateTopic("c"), new DeleteTopic("c")];
        var state = Catalogue.Of(new CreateTopic("x")).With(batch);
        Assert.Equal(["a", "b"], MetadataViews.Created(state, batch, 2, 6)!.Select(t => t.Name));
        Assert.Equal(["a"], MetadataViews.Created(state.With(new DeleteTopic("b"), new CreateTopic("b", 2)), batch, 2, 6)!.Select(t => t.Name));
        Assert.Null(MetadataViews.Created(state, [new CreateConsumerGroup("g")], 3, 3));
    }

    private static List<string> All<T>(Func<string?, MetadataPage<T>> page, Func<T, string> name, int max)
    {
        var (all, after) = (new List<string>(), (string?)null);
        do
        {
            var next = page(after);
            Assert.InRange(next.Rows.Count, 1, max);
            all.AddRange(next.Rows.Select(name));
            after = next.Next;
            Assert.True(after is null || after == all[^1]);
        }
        while (after is not null);
        Assert.Equal(all.Order(StringComparer.Ordinal), all);
        return all;
    }
}
