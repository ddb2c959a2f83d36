using Baton.Core.Api;

namespace Baton.Core.Metadata;

/// <summary>
/// Whether a command fits the state: what it names is there, and is not newer than what it says. The leader refuses what does not before it writes it; a replay passes over it.
/// So this is part of how commands are applied: another rule is another state for the same log. Forms and bounds are not in here, and may change: <see cref="MetadataForms"/>, <see cref="MetadataRules"/>.
/// </summary>
internal static class MetadataFit
{
    public static ApiError? Problem(MetadataState state, MetadataCommand command) => command switch
    {
        CreateTopic c => state.Topics.ContainsKey(c.Name) ? ApiError.Conflict($"Topic '{c.Name}' exists. Use it, or delete it first.")
            : state.NextGeneration(c.Name) > MetadataLimits.MaxGeneration ? ApiError.Conflict($"Topic '{c.Name}' has been created too often: use another name.")
            : null,
        DeleteTopic c => Topic(state, c.Name, c.TopicId, out _),
        UpdateTopicConfig c => Topic(state, c.Name, null, out _),
        RegisterNode c => state.Nodes.TryGetValue(c.NodeId, out var node) && c.Incarnation < node.Incarnation
            ? ApiError.Conflict($"Node '{c.NodeId}' is at incarnation {node.Incarnation}: {c.Incarnation} is over.")
            : null,
        UpdateNodeStatus c => Node(state, c.NodeId, c.Incarnation),
        RemoveNode c => Node(state, c.NodeId, null),
        AssignPartition c => Assignment(state, c),
        SetPartitionLeader c => Partition(state, c.Topic, c.Partition, c.TopicId, out var partition) ?? Leadership(partition!, c.Topic, c.Partition, c.Leader, c.Term),
        UpdateIsr c => Isr(state, c),
        SetHighWatermark c => Partition(state, c.Topic, c.Partition, c.TopicId, out _),
        CreateConsumerGroup c => state.Groups.ContainsKey(c.GroupId) ? ApiError.Conflict($"Consumer group '{c.GroupId}' exists. Use it.") : null,
        UpdateConsumerGroup c => Group(state, c.GroupId, out var group) ?? Update(group!, c),
        CommitOffset c => Group(state, c.GroupId, out _) ?? Number(state, c.Topic, c.Partition, c.TopicId, out _),
        DeleteConsumerGroup c => Group(state, c.GroupId, out var group) ?? (group!.Members.IsEmpty ? null
            : ApiError.Conflict($"Consumer group '{c.GroupId}' has {group.Members.Length} members: it can be deleted when they have left.")),
        _ => null,
    };

    private static ApiError? Topic(MetadataState state, string name, long? topicId, out TopicState? topic) =>
        !state.Topics.TryGetValue(name, out topic) ? new ApiError(ApiErrorCode.NotFound, $"There is no topic '{name}'.")
        : topicId is { } id && id != topic.TopicId ? ApiError.Conflict($"Topic '{name}' has id {topic.TopicId} now, not {id}: it was deleted and created again.")
        : null;

    private static ApiError? Number(MetadataState state, string name, int partition, long? topicId, out TopicState? topic) =>
        Topic(state, name, topicId, out topic) ?? (partition >= 0 && partition < topic!.PartitionCount ? null
            : new ApiError(ApiErrorCode.NotFound, $"Topic '{name}' has no partition {partition}: it has {topic!.PartitionCount}, from 0."));

    private static ApiError? Partition(MetadataState state, string name, int partition, long? topicId, out PartitionState? found)
    {
        found = null;
        return Number(state, name, partition, topicId, out var topic)
            ?? (topic!.Partitions.TryGetValue(partition, out found) ? null : ApiError.Conflict($"Partition {partition} of topic '{name}' has no place yet: assign it first."));
    }

    private static ApiError? Assignment(MetadataState state, AssignPartition c)
    {
        if (Number(state, c.Topic, c.Partition, c.TopicId, out var topic) is { } problem)
        {
            return problem;
        }

        // The name is that of the generation: an assignment for a topic that was deleted is found by it even where it names no id.
        var channel = topic!.ChannelOf(c.Partition);
        return c.Channel != channel ? ApiError.Conflict($"The channel of partition {c.Partition} of topic '{c.Topic}' is '{channel}', not '{c.Channel}'.")
            : topic.Partitions.TryGetValue(c.Partition, out var known) ? Leadership(known, c.Topic, c.Partition, c.Leader, c.Term)
            : null;
    }

    // A term has one leader: it can be lost within the term, but nobody gets it back at the same one.
    private static ApiError? Leadership(PartitionState known, string topic, int partition, string? leader, long term) =>
        term < known.Term ? ApiError.Conflict($"Partition {partition} of topic '{topic}' is at term {known.Term}: {term} is over.")
        : term == known.Term && leader is not null && leader != known.Leader ? ApiError.Conflict(
            $"Partition {partition} of topic '{topic}' is led by {(known.Leader is { } other ? $"'{other}'" : "nobody any more")} at term {term}: another leader takes a higher term.")
        : null;

    private static ApiError? Isr(MetadataState state, UpdateIsr c)
    {
        if (Partition(state, c.Topic, c.Partition, c.TopicId, out var known) is { } problem)
        {
            return problem;
        }

        // A term that the catalogue has not seen has a leader that it does not know: that comes first.
        return c.Term != known!.Term ? ApiError.Conflict($"Partition {c.Partition} of topic '{c.Topic}' is at term {known.Term}, not at {c.Term}.")
            : c.Isr.FirstOrDefault(n => n != known.Leader && !known.Replicas.Contains(n, StringComparer.Ordinal)) is { } stranger
                ? ApiError.Conflict($"Node '{stranger}' keeps no replica of partition {c.Partition} of topic '{c.Topic}': assign it first.")
            : null;
    }

    private static ApiError? Node(MetadataState state, string nodeId, long? incarnation) =>
        !state.Nodes.TryGetValue(nodeId, out var node) ? new ApiError(ApiErrorCode.NotFound, $"There is no node '{nodeId}'.")
        : incarnation is { } i && i != node.Incarnation ? ApiError.Conflict($"Node '{nodeId}' is at incarnation {node.Incarnation}, not at {i}.")
        : null;

    private static ApiError? Group(MetadataState state, string groupId, out ConsumerGroup? group) =>
        state.Groups.TryGetValue(groupId, out group) ? null : new ApiError(ApiErrorCode.NotFound, $"There is no consumer group '{groupId}': create it first.");

    private static ApiError? Update(ConsumerGroup group, UpdateConsumerGroup c) =>
        c.Generation < group.Generation ? ApiError.Conflict($"Consumer group '{c.GroupId}' is at generation {group.Generation}: {c.Generation} is over.")
        : c.Leader is not null && !(c.Members ?? group.Members).Any(m => m.MemberId == c.Leader) ? ApiError.Conflict($"'{c.Leader}' is no member of consumer group '{c.GroupId}'.")
        : null;
}
