using System.Text.Json.Serialization;

namespace Baton.Core.Metadata;

/// <summary>A change of the catalogue. In JSON, member <c>type</c> holds the record's name, and members that a command does not have are refused.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(CreateTopic), nameof(CreateTopic))]
[JsonDerivedType(typeof(DeleteTopic), nameof(DeleteTopic))]
[JsonDerivedType(typeof(UpdateTopicConfig), nameof(UpdateTopicConfig))]
[JsonDerivedType(typeof(RegisterNode), nameof(RegisterNode))]
[JsonDerivedType(typeof(UpdateNodeStatus), nameof(UpdateNodeStatus))]
[JsonDerivedType(typeof(RemoveNode), nameof(RemoveNode))]
[JsonDerivedType(typeof(AssignPartition), nameof(AssignPartition))]
[JsonDerivedType(typeof(SetPartitionLeader), nameof(SetPartitionLeader))]
[JsonDerivedType(typeof(UpdateIsr), nameof(UpdateIsr))]
[JsonDerivedType(typeof(SetHighWatermark), nameof(SetHighWatermark))]
[JsonDerivedType(typeof(CreateConsumerGroup), nameof(CreateConsumerGroup))]
[JsonDerivedType(typeof(UpdateConsumerGroup), nameof(UpdateConsumerGroup))]
[JsonDerivedType(typeof(CommitOffset), nameof(CommitOffset))]
[JsonDerivedType(typeof(DeleteConsumerGroup), nameof(DeleteConsumerGroup))]
public abstract record MetadataCommand
{
    /// <summary>Only the cluster itself may send it: what it says follows from the cluster's state.</summary>
    [JsonIgnore]
    public bool IsInternal => this is RegisterNode or UpdateNodeStatus or RemoveNode or AssignPartition or SetPartitionLeader or UpdateIsr or SetHighWatermark;
}

/// <summary>A new topic. Its id is the LSN of this command.</summary>
/// <param name="Name">Its name: <see cref="TopicNames"/>.</param>
/// <param name="Partitions">How many; 1 when not given. The leader fills in its setting before it writes (<see cref="MetadataRules.WithDefaults"/>), so that a later setting changes no replay.</param>
/// <param name="ReplicationFactor">Copies of each partition, the leader's included; 3 when not given, filled in likewise.</param>
/// <param name="Config">Free settings.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record CreateTopic(
    [property: JsonRequired] string Name, int? Partitions = null, int? ReplicationFactor = null, IReadOnlyDictionary<string, string>? Config = null) : MetadataCommand;

/// <summary>Ends a topic, with its partitions' places and the groups' offsets on it.</summary>
/// <param name="Name">The topic.</param>
/// <param name="TopicId">Only if this is its id.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record DeleteTopic([property: JsonRequired] string Name, long? TopicId = null) : MetadataCommand;

/// <summary>Changes settings of a topic; those not named stay.</summary>
/// <param name="Name">The topic.</param>
/// <param name="Config">New values; null removes the key.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record UpdateTopicConfig([property: JsonRequired] string Name, [property: JsonRequired] IReadOnlyDictionary<string, string?> Config) : MetadataCommand;

/// <summary>A node that has joined. At a new incarnation it is live; the same incarnation again changes what is said of it, but not its status.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="Endpoint">Base address of its HTTP API.</param>
/// <param name="Incarnation">Raised at every join.</param>
/// <param name="Zone">Its failure domain, if it has one.</param>
/// <param name="Capacity">Relative capacity.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record RegisterNode(
    [property: JsonRequired] string NodeId, [property: JsonRequired] Uri Endpoint, [property: JsonRequired] long Incarnation, string? Zone = null, int Capacity = 1) : MetadataCommand;

/// <summary>What has become of a node.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="Status">Its status.</param>
/// <param name="Incarnation">Only if it is at this incarnation.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record UpdateNodeStatus([property: JsonRequired] string NodeId, [property: JsonRequired] NodeStatus Status, long? Incarnation = null) : MetadataCommand;

/// <summary>A node that is no member any more.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record RemoveNode([property: JsonRequired] string NodeId) : MetadataCommand;

/// <summary>Where a partition is: its first place, and every later change of its replica set.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Partition">The partition, from 0.</param>
/// <param name="Channel">Its channel: <see cref="PartitionChannels.NameOf"/>.</param>
/// <param name="Replicas">The nodes that keep a copy, the leader included.</param>
/// <param name="Leader">Its leader; null while it is offline.</param>
/// <param name="Term">The term of that leadership.</param>
/// <param name="TopicId">Only if this is the topic's id.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record AssignPartition(
    [property: JsonRequired] string Topic,
    [property: JsonRequired] int Partition,
    [property: JsonRequired] string Channel,
    [property: JsonRequired] IReadOnlyList<string> Replicas,
    string? Leader,
    [property: JsonRequired] long Term,
    long? TopicId = null) : MetadataCommand;

/// <summary>Who leads a partition.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Partition">The partition, from 0.</param>
/// <param name="Leader">Its leader; null while it is offline.</param>
/// <param name="Term">The term of that leadership. A partition that goes offline keeps its term.</param>
/// <param name="TopicId">Only if this is the topic's id.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record SetPartitionLeader(
    [property: JsonRequired] string Topic, [property: JsonRequired] int Partition, string? Leader, [property: JsonRequired] long Term, long? TopicId = null) : MetadataCommand;

/// <summary>Which replicas of a partition are in sync.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Partition">The partition, from 0.</param>
/// <param name="Isr">Those in sync, out of its replicas and its leader.</param>
/// <param name="Term">The term of the leader that says so.</param>
/// <param name="TopicId">Only if this is the topic's id.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record UpdateIsr(
    [property: JsonRequired] string Topic, [property: JsonRequired] int Partition, [property: JsonRequired] IReadOnlyList<string> Isr, [property: JsonRequired] long Term, long? TopicId = null)
    : MetadataCommand;

/// <summary>How far a partition is readable. A lower one than the present is accepted and changes nothing.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Partition">The partition, from 0.</param>
/// <param name="HighWatermark">Last LSN that can be read; 0 for none.</param>
/// <param name="TopicId">Only if this is the topic's id.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record SetHighWatermark(
    [property: JsonRequired] string Topic, [property: JsonRequired] int Partition, [property: JsonRequired] long HighWatermark, long? TopicId = null) : MetadataCommand;

/// <summary>A new consumer group, with no members.</summary>
/// <param name="GroupId">Its id.</param>
/// <param name="Protocol">How its members share partitions, in their words.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record CreateConsumerGroup([property: JsonRequired] string GroupId, string? Protocol = null) : MetadataCommand;

/// <summary>Changes a consumer group; what is null stays.</summary>
/// <param name="GroupId">The group.</param>
/// <param name="State">Where its members are in sharing partitions.</param>
/// <param name="Generation">Raised by its members at each sharing; never goes back.</param>
/// <param name="Leader">The member that shares; must be one of the members.</param>
/// <param name="Members">All members. A leader that is not among them is none any more.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record UpdateConsumerGroup(
    [property: JsonRequired] string GroupId, GroupState? State = null, long? Generation = null, string? Leader = null, IReadOnlyList<GroupMember>? Members = null) : MetadataCommand;

/// <summary>Where a group goes on reading a partition. It may go back.</summary>
/// <param name="GroupId">The group.</param>
/// <param name="Topic">The topic.</param>
/// <param name="Partition">The partition, from 0; it need not be assigned yet.</param>
/// <param name="Offset">The next LSN to read, or 0.</param>
/// <param name="Note">Free text of the consumer.</param>
/// <param name="TopicId">Only if this is the topic's id.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record CommitOffset(
    [property: JsonRequired] string GroupId,
    [property: JsonRequired] string Topic,
    [property: JsonRequired] int Partition,
    [property: JsonRequired] long Offset,
    string? Note = null,
    long? TopicId = null) : MetadataCommand;

/// <summary>Ends a consumer group that has no members, with its offsets.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record DeleteConsumerGroup([property: JsonRequired] string GroupId) : MetadataCommand;
