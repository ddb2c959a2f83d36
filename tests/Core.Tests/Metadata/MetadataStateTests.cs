using Baton.Core.Metadata;

namespace Baton.Core.Tests.Metadata;

public sealed class MetadataStateTests
{
    [Fact]
    public void A_record_behind_a_gap_is_not_applied()
    {
        var state = Catalogue.Of(new CreateTopic("a"));
        Assert.Throws<InvalidOperationException>(() => state.Apply(3, Catalogue.At(3), new CreateTopic("b")));
        Assert.Throws<InvalidOperationException>(() => state.Skip(3));
    }

    [Fact]
    public void A_topic_has_the_LSN_of_its_creation_as_id_and_the_time_of_its_record()
    {
        var topic = MetadataState.Empty.Skip(1).Apply(2, Catalogue.At(2), new CreateTopic("a", 3)).Topics["a"];
        Assert.Equal((2, Catalogue.At(2), 1, 3), (topic.TopicId, topic.CreatedAt, topic.Generation, topic.PartitionCount));
        Assert.Equal([0, 1, 2], topic.Unassigned);
    }

    [Fact]
    public void A_topic_that_is_created_again_is_a_new_one()
    {
        var state = Catalogue.Of(new CreateTopic("a", 1), Catalogue.Assign("a", 0, "n1", 3, "n1"), new CreateConsumerGroup("g"), new CommitOffset("g", "a", 0, 5), new DeleteTopic("a"));
        Assert.Empty(state.Groups["g"].Offsets);
        Assert.Empty(state.Unassigned);
        var again = state.With(new CreateTopic("a", 2)).Topics["a"];
        Assert.Equal((6, 2, 2), (again.TopicId, again.Generation, again.PartitionCount));
        Assert.Empty(again.Partitions);
        Assert.Equal(["a-0-g2", "a-1-g2"], Enumerable.Range(0, 2).Select(again.ChannelOf));

        // An assignment that was on its way for the first one.
        var late = state.With(new CreateTopic("a", 2), Catalogue.Assign("a", 0, "n1", 9, "n1"), new SetHighWatermark("a", 0, 9, 1));
        Assert.Empty(late.Topics["a"].Partitions);
        Assert.Equal("a-0-g2", late.With(new AssignPartition("a", 0, "a-0-g2", ["n1"], "n1", 1)).Topics["a"].Partitions[0].Channel);
    }

    [Fact]
    public void A_generation_that_is_forgotten_never_comes_again()
    {
        // One name at generation 3, then as many deletions of others as are remembered.
        MetadataCommand[] thrice = [new CreateTopic("old"), new DeleteTopic("old"), new CreateTopic("old"), new DeleteTopic("old"), new CreateTopic("old"), new DeleteTopic("old")];
        var state = Catalogue.Of(thrice);
        Assert.Equal(4, state.NextGeneration("old"));
        Assert.Equal(1, state.NextGeneration("new"));
        for (var i = 0; i < MetadataLimits.MaxRememberedNames - 1; i++)
        {
            state = state.With(new CreateTopic($"t{i}"), new DeleteTopic($"t{i}"));
        }

        Assert.Equal((MetadataLimits.MaxRememberedNames, 0), (state.Deleted.Count, state.GenerationFloor));
        Assert.Equal(4, state.NextGeneration("old"));
        state = state.With(new CreateTopic("last"), new DeleteTopic("last"));
        Assert.Equal((MetadataLimits.MaxRememberedNames, 3), (state.Deleted.Count, state.GenerationFloor));
        Assert.False(state.Deleted.ContainsKey("old"));
        Assert.Equal(4, state.NextGeneration("old"));
        Assert.Equal(4, state.NextGeneration("new"));
        Assert.Equal(2, state.NextGeneration("t0"));
        Assert.Equal("old-0-g4", state.With(new CreateTopic("old")).Topics["old"].ChannelOf(0));

        // The next to be forgotten is at generation 1: the floor stays. And what is forgotten next is in the snapshot too.
        var decoded = MetadataSnapshot.TryDecode(MetadataSnapshot.Encode(state), out _)!;
        MetadataCommand[] more = [new CreateTopic("more"), new DeleteTopic("more")];
        Assert.Equal(state.With(more), decoded.With(more));
        Assert.Equal((3, false), (decoded.With(more).GenerationFloor, decoded.With(more).Deleted.ContainsKey("t0")));
    }

    [Fact]
    public void A_node_is_live_at_a_new_incarnation_and_stays_what_it_became_when_the_same_is_told_again()
    {
        var state = Catalogue.Of(new RegisterNode("n", new Uri("http://n:1"), 1), new UpdateNodeStatus("n", NodeStatus.Failed), new RegisterNode("n", new Uri("http://n:1"), 1));
        Assert.Equal(NodeStatus.Failed, state.Nodes["n"].Status);
        state = state.With(new RegisterNode("n", new Uri("http://n:2"), 2), new UpdateNodeStatus("n", NodeStatus.Failed, 1));
        Assert.Equal((NodeStatus.Live, 2), (state.Nodes["n"].Status, state.Nodes["n"].Incarnation));
    }

    [Fact]
    public void A_leader_is_in_sync_and_a_replica_that_is_none_any_more_is_not()
    {
        var state = Catalogue.Of(new CreateTopic("a"), Catalogue.Assign("a", 0, "n1", 1, "n1", "n2", "n3"), new UpdateIsr("a", 0, ["n1", "n2"], 1));
        Assert.Equal(["n1", "n2"], Isr(state));
        Assert.Equal(["n1", "n2", "n3"], Isr(state.With(new SetPartitionLeader("a", 0, "n3", 2))));
        Assert.Equal(["n1"], Isr(state.With(Catalogue.Assign("a", 0, "n1", 1, "n1", "n3"))));
        Assert.Equal(["n1", "n2"], Isr(state.With(new SetPartitionLeader("a", 0, null, 1))));
        Assert.Empty(Isr(Catalogue.Of(new CreateTopic("a"), Catalogue.Assign("a", 0, null, 0, "n1"))));
    }

    [Fact]
    public void A_leader_that_left_the_group_leads_it_no_more_and_offsets_go_back_when_told()
    {
        var state = Catalogue.Of(
            new CreateConsumerGroup("g"), new UpdateConsumerGroup("g", Leader: "m", Members: [new GroupMember("m"), new GroupMember("n")]), new UpdateConsumerGroup("g", Members: [new GroupMember("n")]),
            new CreateTopic("a"), new CommitOffset("g", "a", 0, 9, "late"), new CommitOffset("g", "a", 0, 4));
        Assert.Null(state.Groups["g"].Leader);
        Assert.Equal(new GroupOffset(4, null, Catalogue.At(6)), state.Groups["g"].OffsetOf("a", 0));
        Assert.Null(state.Groups["g"].OffsetOf("a", 1));
    }

    private static string[] Isr(MetadataState state) => [.. state.Topics["a"].Partitions[0].Isr];
}
