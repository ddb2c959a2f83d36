using Baton.Core.Api;
using Baton.Core.Metadata;

namespace Baton.Core.Tests.Metadata;

public sealed class MetadataRulesTests
{
    private static readonly Uri Endpoint = new("http://n:80");

    // Topic "t" (id 2) has 3 partitions: 0 is led by n1 at term 5, 1 has lost its leader of term 5, 2 has no place.
    private static readonly MetadataState State = Catalogue.Of(
        new RegisterNode("n1", Endpoint, 3), new CreateTopic("t", 3), Catalogue.Assign("t", 0, "n1", 5, "n1", "n2"), Catalogue.Assign("t", 1, "n1", 5, "n1", "n2"), new SetPartitionLeader("t", 1, null, 5),
        new SetHighWatermark("t", 0, 10), new CreateConsumerGroup("empty"), new CreateConsumerGroup("full"), new UpdateConsumerGroup("full", GroupState.Stable, 4, "m", [new GroupMember("m")]),
        new CreateTopic("gone"), new DeleteTopic("gone"));

    public static TheoryData<MetadataCommand> Accepted { get; } = new()
    {
        new CreateTopic("u", 1_000, 7), new CreateTopic("gone", 2), new DeleteTopic("t"), new DeleteTopic("t", 2), new UpdateTopicConfig("t", Settings(64)), new RegisterNode("n1", Endpoint, 3), new RegisterNode("n1", Endpoint, 4),
        new RegisterNode("n2", Endpoint, 1), new UpdateNodeStatus("n1", NodeStatus.Failed), new UpdateNodeStatus("n1", NodeStatus.Failed, 3), new RemoveNode("n1"), Catalogue.Assign("t", 2, null, 0, "n9"),
        Catalogue.Assign("t", 0, "n1", 5, "n3"), Catalogue.Assign("t", 0, null, 5, "n1"), Catalogue.Assign("t", 0, "n2", 6, "n2"), new SetPartitionLeader("t", 0, "n1", 5), new SetPartitionLeader("t", 0, null, 5, 2),
        new SetPartitionLeader("t", 0, "n9", 6), new SetPartitionLeader("t", 1, null, 5), new SetPartitionLeader("t", 1, "n1", 6), new UpdateIsr("t", 0, ["n2"], 5), new UpdateIsr("t", 0, [], 5, 2),
        new SetHighWatermark("t", 0, 11), new SetHighWatermark("t", 0, 3), new CreateConsumerGroup("new"), new UpdateConsumerGroup("full", Generation: 4), new UpdateConsumerGroup("full", Members: []),
        new CommitOffset("empty", "t", 2, 0), new CommitOffset("empty", "t", 0, 1, new string('x', 4_096), 2), new DeleteConsumerGroup("empty"),
    };

    public static TheoryData<ApiErrorCode, MetadataCommand> Refused { get; } = new()
    {
        { ApiErrorCode.Conflict, new CreateTopic("t", 3) },
        { ApiErrorCode.Conflict, new CreateTopic("t", 4) },
        { ApiErrorCode.NotFound, new DeleteTopic("u") },
        { ApiErrorCode.NotFound, new DeleteTopic("gone") },
        { ApiErrorCode.Conflict, new DeleteTopic("t", 3) },
        { ApiErrorCode.NotFound, new UpdateTopicConfig("u", Settings(1)) },
        { ApiErrorCode.Conflict, new RegisterNode("n1", Endpoint, 2) },
        { ApiErrorCode.NotFound, new UpdateNodeStatus("n2", NodeStatus.Live) },
        { ApiErrorCode.Conflict, new UpdateNodeStatus("n1", NodeStatus.Failed, 2) },
        { ApiErrorCode.Conflict, new UpdateNodeStatus("n1", NodeStatus.Failed, 4) },
        { ApiErrorCode.NotFound, new RemoveNode("n2") },
        { ApiErrorCode.NotFound, Catalogue.Assign("u", 0, "n1", 1, "n1") },
        { ApiErrorCode.NotFound, Catalogue.Assign("t", 3, "n1", 1, "n1") },
        { ApiErrorCode.Conflict, Catalogue.Assign("t", 0, "n1", 4, "n1") },
        { ApiErrorCode.Conflict, Catalogue.Assign("t", 0, "n2", 5, "n2") },
        { ApiErrorCode.Conflict, Catalogue.Assign("t", 0, "n1", 5, "n1") with { Channel = "t-1" } },
        { ApiErrorCode.Conflict, Catalogue.Assign("t", 2, "n1", 5, "n1") with { Channel = "t-2-g2" } },
        { ApiErrorCode.Conflict, Catalogue.Assign("t", 0, "n1", 5, "n1") with { TopicId = 1 } },
        { ApiErrorCode.Conflict, new SetPartitionLeader("t", 0, "n1", 4) },
        { ApiErrorCode.Conflict, new SetPartitionLeader("t", 0, null, 4) },
        { ApiErrorCode.Conflict, new SetPartitionLeader("t", 0, "n2", 5) },
        { ApiErrorCode.Conflict, new SetPartitionLeader("t", 1, "n1", 5) },
        { ApiErrorCode.Conflict, new SetPartitionLeader("t", 2, "n1", 5) },
        { ApiErrorCode.Conflict, new SetPartitionLeader("t", 0, "n1", 6, 1) },
        { ApiErrorCode.Conflict, new UpdateIsr("t", 0, ["n1"], 4) },
        { ApiErrorCode.Conflict, new UpdateIsr("t", 0, ["n1"], 6) },
        { ApiErrorCode.Conflict, new UpdateIsr("t", 0, ["n3"], 5) },
        { ApiErrorCode.Conflict, new UpdateIsr("t", 2, [], 5) },
        { ApiErrorCode.Conflict, new SetHighWatermark("t", 2, 1) },
        { ApiErrorCode.Conflict, new SetHighWatermark("t", 0, 1, 1) },
        { ApiErrorCode.NotFound, new SetHighWatermark("t", 3, 1) },
        { ApiErrorCode.Conflict, new CreateConsumerGroup("empty") },
        { ApiErrorCode.NotFound, new UpdateConsumerGroup("none") },
        { ApiErrorCode.Conflict, new UpdateConsumerGroup("full", Generation: 3) },
        { ApiErrorCode.Conflict, new UpdateConsumerGroup("full", Leader: "o") },
        { ApiErrorCode.Conflict, new UpdateConsumerGroup("full", Leader: "m", Members: []) },
        { ApiErrorCode.NotFound, new CommitOffset("none", "t", 0, 1) },
        { ApiErrorCode.NotFound, new CommitOffset("empty", "u", 0, 1) },
        { ApiErrorCode.NotFound, new CommitOffset("empty", "t", 3, 1) },
        { ApiErrorCode.Conflict, new CommitOffset("empty", "t", 0, 1, null, 1) },
        { ApiErrorCode.NotFound, new DeleteConsumerGroup("none") },
        { ApiErrorCode.Conflict, new DeleteConsumerGroup("full") },
    };

    public static TheoryData<MetadataCommand> Malformed { get; } = new()
    {
        new CreateTopic("T"), new CreateTopic("a_v1"), new CreateTopic(new string('a', 49)), new CreateTopic(null!), new CreateTopic("u", 0), new CreateTopic("u", 1_001), new CreateTopic("u", 1, 0), new CreateTopic("u", 1, 8),
        new CreateTopic("u", Config: Settings(65)!), new CreateTopic("u", Config: Setting("k", null)!), new CreateTopic("u", Config: Setting("", "v")!), new CreateTopic("u", Config: Setting(new string('k', 129), "v")!),
        new CreateTopic("u", Config: Setting("k", new string('v', 4_097))!), new CreateTopic("u", Config: Setting("k", "\uD800")!), new CreateTopic("u", Config: Settings(40, 4_096)!), new DeleteTopic("t", 0),
        new UpdateTopicConfig("t", Settings(0)), new UpdateTopicConfig("t", Setting("k", "\uDC00\uD800")), new RegisterNode("N", Endpoint, 1), new RegisterNode("n", null!, 1), new RegisterNode("n", new Uri("/n", UriKind.Relative), 1),
        new RegisterNode("n", new Uri("ftp://n"), 1), new RegisterNode("n", Endpoint, 0), new RegisterNode("n", Endpoint, 1, new string('z', 129)), new RegisterNode("n", Endpoint, 1, null, 0),
        new UpdateNodeStatus("n1", (NodeStatus)9), new UpdateNodeStatus("n1", NodeStatus.Live, 0), new RemoveNode(""), Catalogue.Assign("t", -1, "n1", 5, "n1"),
        Catalogue.Assign("t", 0, "n1", 5, "n1", "n1"), Catalogue.Assign("t", 0, "n1", 5, "n1", null!), Catalogue.Assign("t", 0, "n1", 5, [.. Enumerable.Range(0, 33).Select(n => $"n{n}")]), Catalogue.Assign("t", 0, "N", 5, "n1"),
        Catalogue.Assign("t", 0, "n1", -1, "n1"), Catalogue.Assign("t", 0, "n1", 5, "n1") with { Replicas = null! }, new SetPartitionLeader("t", 0, "", 5), new SetPartitionLeader("t", 0, "n1", ExactNumbers.End),
        new UpdateIsr("t", 0, ["n1", "n1"], 5), new UpdateIsr("t", 1_000, [], 5), new SetHighWatermark("t", 0, -1), new SetHighWatermark("t", 0, ExactNumbers.End), new CreateConsumerGroup("G"),
        new CreateConsumerGroup("g", new string('p', 129)), new UpdateConsumerGroup("full", (GroupState)9), new UpdateConsumerGroup("full", Generation: -1), new UpdateConsumerGroup("full", Members: [new GroupMember("m"), new GroupMember("m")]),
        new UpdateConsumerGroup("full", Members: [null!]), new UpdateConsumerGroup("full", Members: [new GroupMember("")]), new UpdateConsumerGroup("full", Members: Members(1_001)),
        new UpdateConsumerGroup("full", Members: Members(100, new string('a', 2_000))), new UpdateConsumerGroup("full", Members: [new GroupMember("m", Topics: ["T"])]), new CommitOffset("full", "t", 0, -1),
        new CommitOffset("full", "t", 0, 1, new string('x', 4_097)), new DeleteConsumerGroup(null!),
    };

    [Theory]
    [MemberData(nameof(Accepted))]
    public void A_command_that_fits_is_accepted(MetadataCommand command) => Assert.Null(MetadataRules.Check(State, command));

    [Theory]
    [MemberData(nameof(Refused))]
    public void A_command_that_does_not_fit_is_refused_and_changes_nothing_where_a_log_has_it(ApiErrorCode code, MetadataCommand command)
    {
        Assert.Equal(code, MetadataRules.Check(State, command)?.Code);
        Assert.Equal(State.Skip(State.LastLsn + 1), State.With(command));
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public void A_malformed_command_is_refused_whatever_the_state(MetadataCommand command)
    {
        Assert.Equal(ApiErrorCode.InvalidArgument, MetadataRules.Check(State, command)?.Code);
        Assert.Equal(ApiErrorCode.InvalidArgument, MetadataRules.Check(MetadataState.Empty, command)?.Code);
    }

    [Fact]
    public void A_missing_command_is_refused() => Assert.Equal(ApiErrorCode.InvalidArgument, MetadataRules.CheckAll(State, [null!])?.Code);

    [Fact]
    public void The_largest_commands_fit_into_a_record()
    {
        // A control character takes six bytes, more than any other.
        MetadataCommand[] largest =
        [
            new CreateTopic("u", Config: Enumerable.Range(0, 31).ToDictionary(i => $"{i}", _ => new string('\u0001', 4_096), StringComparer.Ordinal)),
            new UpdateConsumerGroup("full", Members: [.. Enumerable.Range(0, 31).Select(i => new GroupMember($"{i}", Assignment: new string('\u0001', 4_096)))]),
            new UpdateConsumerGroup("full", Members: [.. Enumerable.Range(0, 130).Select(i => new GroupMember($"{i}", Topics: [.. Enumerable.Repeat("t", 1_000)]))]),
        ];
        Assert.All(largest, c => Assert.Null(MetadataRules.Check(State, c)));
        Assert.All(largest, c => Assert.InRange(MetadataCodec.Encode(c).Length, 400_000, 1 << 20));
    }

    [Fact]
    public void The_settings_of_a_topic_are_bounded_over_all_changes()
    {
        var state = State.With(new UpdateTopicConfig("t", Settings(63)));
        Assert.Null(MetadataRules.Check(state, new UpdateTopicConfig("t", Setting("one", "more"))));
        Assert.Null(MetadataRules.Check(state, new UpdateTopicConfig("t", new Dictionary<string, string?>(StringComparer.Ordinal) { ["a"] = "1", ["b"] = "2", ["k0"] = null })));
        Assert.NotNull(MetadataRules.Check(state, new UpdateTopicConfig("t", new Dictionary<string, string?>(StringComparer.Ordinal) { ["a"] = "1", ["b"] = "2", ["c"] = null })));
    }

    [Fact]
    public void Partitions_and_offsets_are_bounded_over_all()
    {
        var state = Catalogue.Of(Enumerable.Range(0, 1_000).Select(i => new CreateTopic($"t{i}", 1_000, 1)));
        Assert.NotNull(MetadataRules.Check(state, new CreateTopic("more")));
        Assert.Null(MetadataRules.Check(state.With(new DeleteTopic("t1")), new CreateTopic("more")));

        state = state.With(new CreateConsumerGroup("g")).With(Enumerable.Range(0, MetadataLimits.MaxOffsetsPerGroup).Select(i => new CommitOffset("g", $"t{i / 1_000}", i % 1_000, 1)));
        Assert.NotNull(MetadataRules.Check(state, new CommitOffset("g", "t999", 0, 1)));
        Assert.Null(MetadataRules.Check(state, new CommitOffset("g", "t0", 0, 2)));
    }

    [Fact]
    public void Of_several_the_first_refused_one_refuses_all_and_is_named()
    {
        var problem = MetadataRules.CheckAll(State, Catalogue.At(1), [new CreateTopic("u"), new CreateConsumerGroup("g"), new CommitOffset("g", "u", 0, 1), new CreateTopic("u"), new CreateTopic("T")], out var after);
        Assert.Equal(ApiErrorCode.Conflict, problem?.Code);
        Assert.StartsWith("Command 3 of 5 (from 0): Topic 'u' exists.", problem!.Detail, StringComparison.Ordinal);
        Assert.Same(State, after);
        Assert.DoesNotContain("Command 0", MetadataRules.CheckAll(State, [new CreateTopic("t")])!.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_creation_leaves_open_is_filled_in_and_nothing_else()
    {
        Assert.Equal(new CreateTopic("u", 4, 2), MetadataRules.WithDefaults(new CreateTopic("u"), 4, 2));
        Assert.Equal(new CreateTopic("u", 1, 3), MetadataRules.WithDefaults(new CreateTopic("u", 1, 3), 4, 2));
        var other = new DeleteTopic("u");
        Assert.Same(other, MetadataRules.WithDefaults(other, 4, 2));
    }

    private static Dictionary<string, string?> Setting(string key, string? value) => new(StringComparer.Ordinal) { [key] = value };

    private static Dictionary<string, string?> Settings(int count, int length = 1) => Enumerable.Range(0, count).ToDictionary(i => $"k{i}", string? (_) => new string('v', length), StringComparer.Ordinal);

    private static GroupMember[] Members(int count, string? assignment = null) => [.. Enumerable.Range(0, count).Select(i => new GroupMember($"m{i}", Assignment: assignment))];
}
