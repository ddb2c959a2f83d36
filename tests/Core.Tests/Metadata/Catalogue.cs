using Baton.Core.Metadata;

namespace Baton.Core.Tests.Metadata;

/// <summary>Catalogues made of commands, one a second.</summary>
internal static class Catalogue
{
    public static DateTimeOffset At(long lsn) => DateTimeOffset.UnixEpoch.AddDays(20_000).AddSeconds(lsn);

    /// <summary>The state with these commands as the next records, whether they are accepted or not.</summary>
    public static MetadataState With(this MetadataState state, params IEnumerable<MetadataCommand> commands) =>
        commands.Aggregate(state, (s, c) => s.Apply(s.LastLsn + 1, At(s.LastLsn + 1), c));

    public static MetadataState Of(params IEnumerable<MetadataCommand> commands) => MetadataState.Empty.With(commands);

    public static AssignPartition Assign(string topic, int partition, string? leader, long term, params string[] replicas) =>
        new(topic, partition, $"{topic}-{partition}", replicas, leader, term);

    /// <summary>One command of each type, each of which fits the state that those before it lead to.</summary>
    public static IReadOnlyList<MetadataCommand> OneOfEach { get; } =
    [
        new RegisterNode("n1", new Uri("http://n1:80"), 1, "z1", 2),
        new RegisterNode("n2", new Uri("http://n2:80"), 3),
        new UpdateNodeStatus("n2", NodeStatus.Draining, 3),
        new CreateTopic("orders", 3, 2, new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = "b", ["c"] = "d" }),
        new UpdateTopicConfig("orders", new Dictionary<string, string?>(StringComparer.Ordinal) { ["a"] = null, ["e"] = "é" }),
        Assign("orders", 0, "n1", 1, "n1", "n2"),
        Assign("orders", 2, null, 0, "n2"),
        new SetPartitionLeader("orders", 0, "n2", 2),
        new UpdateIsr("orders", 0, ["n2", "n1"], 2),
        new SetHighWatermark("orders", 0, 77),
        new CreateConsumerGroup("billing", "range"),
        new UpdateConsumerGroup("billing", GroupState.Stable, 4, "m1", [new GroupMember("m1", "c", ["orders"], "0,1"), new GroupMember("m2")]),
        new CommitOffset("billing", "orders", 1, 5, "note"),
        new CreateTopic("gone", 1),
        new CommitOffset("billing", "gone", 0, 6),
        new DeleteTopic("gone"),
        new RemoveNode("n1"),
        new CreateConsumerGroup("idle"),
        new DeleteConsumerGroup("idle"),
    ];
}
