using Baton.Core.Api;

namespace Baton.Core.Metadata;

/// <summary>What the leader asks before it writes commands.</summary>
public static class MetadataRules
{
    /// <summary>Why <paramref name="command"/> is refused on <paramref name="state"/>; null where it is not.</summary>
    public static ApiError? Check(MetadataState state, MetadataCommand command)
    {
        ArgumentNullException.ThrowIfNull(state);
        return MetadataForms.Problem(command) ?? MetadataFit.Problem(state, command) ?? Bound(state, command);
    }

    /// <summary>Why <paramref name="commands"/> are refused, each on the state that those before it lead to; null where all can be written. Of several, the error names the index.</summary>
    public static ApiError? CheckAll(MetadataState state, IReadOnlyList<MetadataCommand> commands) => CheckAll(state, DateTimeOffset.UnixEpoch, commands, out _);

    /// <summary>
    /// As <see cref="CheckAll(MetadataState, IReadOnlyList{MetadataCommand})"/>. <paramref name="after"/> is the state that they lead to where they are the next records at time <paramref name="at"/>: on it, the next
    /// batch can be checked while this one is being written. It is <paramref name="state"/> where they are refused.
    /// </summary>
    public static ApiError? CheckAll(MetadataState state, DateTimeOffset at, IReadOnlyList<MetadataCommand> commands, out MetadataState after)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(commands);
        after = state;
        var next = state;
        for (var i = 0; i < commands.Count; i++)
        {
            if (Check(next, commands[i]) is { } problem)
            {
                return commands.Count == 1 ? problem : problem with { Detail = $"Command {i} of {commands.Count} (from 0): {problem.Detail} None of them was written." };
            }

            next = next.Apply(next.LastLsn + 1, at, commands[i]);
        }

        after = next;
        return null;
    }

    /// <summary>The command with what it leaves to the leader's settings: how it must be written, so that a replay does not depend on them.</summary>
    public static MetadataCommand WithDefaults(MetadataCommand command, int partitions, int replicationFactor) => command is CreateTopic c
        ? c with { Partitions = c.Partitions ?? partitions, ReplicationFactor = c.ReplicationFactor ?? replicationFactor }
        : command;

    private static ApiError? Bound(MetadataState state, MetadataCommand command) => command switch
    {
        CreateTopic when state.Topics.Count >= MetadataLimits.MaxTopics => Full($"{MetadataLimits.MaxTopics} topics"),
        CreateTopic c when state.PartitionCount + (c.Partitions ?? MetadataLimits.DefaultPartitions) > MetadataLimits.MaxPartitions => Full($"{MetadataLimits.MaxPartitions} partitions of all topics"),
        UpdateTopicConfig c when EntriesAfter(state.Topics[c.Name], c) > MetadataLimits.MaxConfigEntries => Full($"{MetadataLimits.MaxConfigEntries} settings of a topic"),
        RegisterNode c when state.Nodes.Count >= MetadataLimits.MaxNodes && !state.Nodes.ContainsKey(c.NodeId) => Full($"{MetadataLimits.MaxNodes} nodes"),
        CreateConsumerGroup when state.Groups.Count >= MetadataLimits.MaxGroups => Full($"{MetadataLimits.MaxGroups} consumer groups"),
        CommitOffset c when state.Groups[c.GroupId] is var group && group.OffsetOf(c.Topic, c.Partition) is null =>
            group.OffsetCount >= MetadataLimits.MaxOffsetsPerGroup ? Full($"{MetadataLimits.MaxOffsetsPerGroup} offsets of a consumer group")
            : state.OffsetCount >= MetadataLimits.MaxOffsets ? Full($"{MetadataLimits.MaxOffsets} offsets of all consumer groups")
            : null,
        _ => null,
    };

    private static int EntriesAfter(TopicState topic, UpdateTopicConfig c) =>
        topic.Config.Count + c.Config.Sum(e => (e.Value is null, topic.Config.ContainsKey(e.Key)) switch { (true, true) => -1, (false, false) => 1, _ => 0 });

    private static ApiError Full(string what) => ApiError.InvalidArgument($"The catalogue holds at most {what}. Delete what is not needed.");
}
