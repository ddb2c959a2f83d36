using System.Text;
using Baton.Core.Api;

namespace Baton.Core.Metadata;

/// <summary>Whether a command is well-formed, whatever the state: names, numbers and sizes. What it refuses is a 400.</summary>
internal static class MetadataForms
{
    public static ApiError? Problem(MetadataCommand? command)
    {
        var left = MetadataLimits.MaxTextPerCommand;
        var problem = command switch
        {
            null => "A command is missing.",
            CreateTopic c => TopicName(c.Name)
                ?? Range(c.Partitions ?? MetadataLimits.DefaultPartitions, 1, MetadataLimits.MaxPartitionsPerTopic, "partitions")
                ?? Range(c.ReplicationFactor ?? 1, 1, MetadataLimits.MaxReplicationFactor, "replicationFactor")
                ?? (c.Config is null ? null : Config(c.Config!, ref left) ?? (c.Config.Any(e => e.Value is null) ? "A setting of a new topic has no value." : null)),
            DeleteTopic c => TopicName(c.Name) ?? Id(c.TopicId),
            UpdateTopicConfig c => TopicName(c.Name) ?? (c.Config is { Count: > 0 } ? Config(c.Config!, ref left) : "config must name a setting."),
            RegisterNode c => Name(c.NodeId, "nodeId") ?? Endpoint(c.Endpoint) ?? Position(c.Incarnation, 1, "incarnation") ?? Text(c.Zone, MetadataLimits.MaxZoneLength, "zone", ref left)
                ?? Range(c.Capacity, 1, int.MaxValue, "capacity"),
            UpdateNodeStatus c => Name(c.NodeId, "nodeId") ?? Position(c.Incarnation ?? 1, 1, "incarnation") ?? (Enum.IsDefined(c.Status) ? null : "status is unknown."),
            RemoveNode c => Name(c.NodeId, "nodeId"),
            AssignPartition c => Partition(c.Topic, c.Partition, c.TopicId) ?? Nodes(c.Replicas, "replicas") ?? Leader(c.Leader, c.Term),
            SetPartitionLeader c => Partition(c.Topic, c.Partition, c.TopicId) ?? Leader(c.Leader, c.Term),
            UpdateIsr c => Partition(c.Topic, c.Partition, c.TopicId) ?? Nodes(c.Isr, "isr") ?? Position(c.Term, 0, "term"),
            SetHighWatermark c => Partition(c.Topic, c.Partition, c.TopicId) ?? Position(c.HighWatermark, 0, "highWatermark"),
            CreateConsumerGroup c => Name(c.GroupId, "groupId") ?? Text(c.Protocol, MetadataLimits.MaxMemberTextLength, "protocol", ref left),
            UpdateConsumerGroup c => Name(c.GroupId, "groupId") ?? Position(c.Generation ?? 0, 0, "generation") ?? (c.State is { } s && !Enum.IsDefined(s) ? "state is unknown." : null)
                ?? Text(c.Leader, MetadataLimits.MaxMemberTextLength, "leader", ref left) ?? Members(c.Members, ref left),
            CommitOffset c => Name(c.GroupId, "groupId") ?? Partition(c.Topic, c.Partition, c.TopicId) ?? Position(c.Offset, 0, "offset") ?? Text(c.Note, MetadataLimits.MaxNoteLength, "note", ref left),
            DeleteConsumerGroup c => Name(c.GroupId, "groupId"),
            _ => $"Command '{command.GetType().Name}' is unknown.",
        };
        return problem is null ? null : ApiError.InvalidArgument(problem);
    }

    private static string? TopicName(string? name) => TopicNames.IsValid(name) ? null : "A topic's name must match [a-z0-9][a-z0-9._-]{0,47} and have no '_v' in it.";

    private static string? Name(string? id, string what) => Names.IsValidId(id) ? null : $"{what} must match [a-z0-9][a-z0-9._-]{{0,62}}.";

    private static string? Id(long? topicId) => topicId is { } id && !ExactNumbers.IsPosition(id) ? "topicId must be 1 or above." : null;

    private static string? Partition(string? topic, int partition, long? topicId) =>
        TopicName(topic) ?? Range(partition, 0, MetadataLimits.MaxPartitionsPerTopic - 1, "partition") ?? Id(topicId);

    private static string? Range(int value, int from, int to, string what) => value >= from && value <= to ? null : $"{what} must be {from} to {to}.";

    private static string? Position(long value, long from, string what) => value >= from && value < ExactNumbers.End ? null : $"{what} must be {from} or above, and below 2^53.";

    private static string? Leader(string? leader, long term) => (leader is null ? null : Name(leader, "leader")) ?? Position(term, 0, "term");

    private static string? Nodes(IReadOnlyList<string>? nodeIds, string what) =>
        nodeIds is null || nodeIds.Count > MetadataLimits.MaxOwners ? $"{what} must name at most {MetadataLimits.MaxOwners} nodes."
        : nodeIds.Distinct(StringComparer.Ordinal).Count() < nodeIds.Count ? $"{what} names a node twice."
        : nodeIds.Select(n => Name(n, $"A node of {what}")).FirstOrDefault(p => p is not null);

    private static string? Endpoint(Uri? endpoint) =>
        endpoint is { IsAbsoluteUri: true, Scheme: "http" or "https" } && endpoint.OriginalString.Length <= MetadataLimits.MaxEndpointLength
            ? null
            : $"endpoint must be an absolute http or https address of at most {MetadataLimits.MaxEndpointLength} characters.";

    private static string? Config(IEnumerable<KeyValuePair<string, string?>> config, ref int left)
    {
        var count = 0;
        foreach (var (key, value) in config)
        {
            var problem = ++count > MetadataLimits.MaxConfigEntries ? $"config has more than {MetadataLimits.MaxConfigEntries} settings."
                : key.Length == 0 ? "A setting's name is empty."
                : Text(key, MetadataLimits.MaxConfigKeyLength, "A setting's name", ref left) ?? Text(value, MetadataLimits.MaxConfigValueLength, "A setting's value", ref left);
            if (problem is not null)
            {
                return problem;
            }
        }

        return null;
    }

    private static string? Members(IReadOnlyList<GroupMember>? members, ref int left)
    {
        if (members is null)
        {
            return null;
        }

        if (members.Count > MetadataLimits.MaxGroupMembers)
        {
            return $"A group has at most {MetadataLimits.MaxGroupMembers} members.";
        }

        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in members)
        {
            var problem = string.IsNullOrEmpty(member?.MemberId) ? "A member has no memberId."
                : !ids.Add(member.MemberId) ? $"Member '{member.MemberId}' is there twice."
                : Text(member.MemberId, MetadataLimits.MaxMemberTextLength, "A memberId", ref left)
                    ?? Text(member.ClientId, MetadataLimits.MaxMemberTextLength, "A clientId", ref left)
                    ?? Text(member.Assignment, MetadataLimits.MaxAssignmentLength, "An assignment", ref left)
                    ?? Topics(member.Topics ?? [], ref left);
            if (problem is not null)
            {
                return problem;
            }
        }

        return null;
    }

    private static string? Topics(IReadOnlyList<string> topics, ref int left)
    {
        if (topics.Count > MetadataLimits.MaxTopicsPerMember)
        {
            return $"A member names at most {MetadataLimits.MaxTopicsPerMember} topics.";
        }

        foreach (var topic in topics)
        {
            if ((TopicName(topic) ?? Text(topic, TopicNames.MaxLength, "A topic", ref left)) is { } problem)
            {
                return problem;
            }
        }

        return null;
    }

    // What is no UTF-16 would be another text after a replay, since the log has it in UTF-8.
    private static string? Text(string? text, int max, string what, ref int left)
    {
        if (text is null)
        {
            return null;
        }

        left -= text.Length;
        return text.Length > max ? $"{what} has more than {max} characters."
            : left < 0 ? $"The texts of a command have more than {MetadataLimits.MaxTextPerCommand} characters together."
            : IsWellFormed(text) ? null
            : $"{what} is not valid text: it has half of a surrogate pair.";
    }

    private static bool IsWellFormed(ReadOnlySpan<char> text)
    {
        while (text.IndexOfAnyInRange('\uD800', '\uDFFF') is >= 0 and var at)
        {
            if (Rune.DecodeFromUtf16(text[at..], out _, out var used) != System.Buffers.OperationStatus.Done)
            {
                return false;
            }

            text = text[(at + used)..];
        }

        return true;
    }
}
