using Baton.Core.Metadata;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Metadata;

/// <summary>Commands about few names, so that they meet.</summary>
internal static class RandomCommands
{
    private static readonly Gen<string> Topic = Gen.Elements("a", "a", "a", "a-1", "b");
    private static readonly Gen<string> Node = Gen.Elements("n1", "n2", "n3");
    private static readonly Gen<string?> Leader = Gen.Elements<string?>("n1", "n2", "n3", null);
    private static readonly Gen<string> Group = Gen.Elements("g", "h");
    private static readonly Gen<int> Partition = Gen.Elements(0, 0, 0, 1, 2);
    private static readonly Gen<long> Term = Gen.Choose(0, 3).Select(t => (long)t);
    private static readonly Gen<long?> TopicId = Gen.Frequency((4, Gen.Constant<long?>(null)), (1, Gen.Choose(1, 20).Select(i => (long?)i)));
    private static readonly Gen<string[]> Nodes = Gen.SubListOf("n1", "n2", "n3").Select(n => n.ToArray());

    /// <summary>Any command. All are well-formed; about half fit the state that they meet.</summary>
    public static Gen<MetadataCommand> Any { get; } = Gen.Frequency(
        (4, from t in Topic from p in Gen.Choose(1, 3) from c in Config select (MetadataCommand)new CreateTopic(t, p, 2, c.Where(e => e.Value is not null).ToDictionary(e => e.Key, e => e.Value!, StringComparer.Ordinal))),
        (2, from t in Topic from i in TopicId select (MetadataCommand)new DeleteTopic(t, i)),
        (1, from t in Topic from c in Config select (MetadataCommand)new UpdateTopicConfig(t, c)),
        (1, from n in Node from i in Gen.Choose(1, 3) from z in Gen.Elements<string?>("z", null) select (MetadataCommand)new RegisterNode(n, new Uri($"http://{n}:{i}"), i, z)),
        (1, from n in Node from s in Gen.Elements(NodeStatus.Live, NodeStatus.Draining, NodeStatus.Failed) from i in Gen.Elements<long?>(null, 1, 2) select (MetadataCommand)new UpdateNodeStatus(n, s, i)),
        (1, from n in Node select (MetadataCommand)new RemoveNode(n)),
        (8, from t in Topic
            from p in Partition
            from g in Gen.Elements(1, 1, 1, 2, 2, 3)
            from r in Nodes.Where(n => n.Length > 0)
            from l in Leader
            from term in Term
            from i in TopicId
            select (MetadataCommand)new AssignPartition(t, p, PartitionChannels.NameOf(t, p, g), r, l, term, i)),
        (6, from t in Topic from p in Partition from l in Leader from term in Term from i in TopicId select (MetadataCommand)new SetPartitionLeader(t, p, l, term, i)),
        (6, from t in Topic from p in Partition from n in Nodes from term in Term from i in TopicId select (MetadataCommand)new UpdateIsr(t, p, n, term, i)),
        (4, from t in Topic from p in Partition from w in Gen.Choose(0, 9) from i in TopicId select (MetadataCommand)new SetHighWatermark(t, p, w, i)),
        (2, from g in Group select (MetadataCommand)new CreateConsumerGroup(g, "range")),
        (2, from g in Group
            from s in Gen.Elements<GroupState?>(GroupState.Empty, GroupState.Stable, null)
            from n in Gen.Elements<long?>(0, 1, 2, null)
            from l in Gen.Elements<string?>("m", null)
            from m in Members
            select (MetadataCommand)new UpdateConsumerGroup(g, s, n, l, m)),
        (6, from g in Group from t in Topic from p in Partition from o in Gen.Choose(0, 9) from note in Gen.Elements<string?>("x", null) from i in TopicId select (MetadataCommand)new CommitOffset(g, t, p, o, note, i)),
        (1, from g in Group select (MetadataCommand)new DeleteConsumerGroup(g)));

    private static Gen<Dictionary<string, string?>> Config =>
        from keys in Gen.SubListOf("k", "l").Where(k => k.Count > 0)
        from values in Gen.Elements<string?>("1", "2", null).ListOf(keys.Count)
        select keys.Zip(values).ToDictionary(e => e.First, e => e.Second, StringComparer.Ordinal);

    private static Gen<GroupMember[]?> Members => Gen.Elements<GroupMember[]?>(null, [], [new GroupMember("m", "c", ["a"], "0")], [new GroupMember("o"), new GroupMember("m")]);

    /// <summary>Up to 80 commands. Two of three of those about partitions are made to fit what those before them lead to, as the cluster's own do.</summary>
    public static Gen<MetadataCommand[]> Series { get; } =
        from length in Gen.Choose(1, 80)
        from commands in Any.ListOf(length)
        from fit in Gen.Elements(true, true, false).ListOf(length)
        select Fitted(commands.Zip(fit)).ToArray();

    private static IEnumerable<MetadataCommand> Fitted(IEnumerable<(MetadataCommand Command, bool Fit)> drawn)
    {
        var state = MetadataState.Empty;
        foreach (var (command, fit) in drawn)
        {
            var next = fit ? Fitted(state, command) : command;
            state = state.With(next);
            yield return next;
        }
    }

    private static MetadataCommand Fitted(MetadataState state, MetadataCommand command) => command switch
    {
        AssignPartition c when Of(state, c.Topic, c.Partition) is var (channel, known) => c with { Channel = channel, Term = known is null ? c.Term : known.Term + (c.Term % 2), TopicId = null },
        SetPartitionLeader c when Of(state, c.Topic, c.Partition) is var (_, known) && known is not null => c with { Term = known.Term + (c.Term % 2), TopicId = null },
        UpdateIsr c when Of(state, c.Topic, c.Partition) is var (_, known) && known is not null => c with { Isr = [.. c.Isr.Where(n => n == known.Leader || known.Replicas.Contains(n))], Term = known.Term, TopicId = null },
        _ => command,
    };

    private static (string Channel, PartitionState? Known)? Of(MetadataState state, string topic, int partition) =>
        state.Topics.TryGetValue(topic, out var found) && partition < found.PartitionCount ? (found.ChannelOf(partition), found.Partitions.GetValueOrDefault(partition)) : null;
}
