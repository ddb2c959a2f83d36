using System.Text.Json.Serialization;
using Baton.Core.Metadata;

namespace Baton.Core.Api;

/// <summary><c>POST /metadata/commands</c>: all or nothing, in order.</summary>
/// <param name="Commands">1 to <see cref="MetadataLimits.MaxCommandsPerRequest"/>.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record MetadataCommandsRequest(IReadOnlyList<MetadataCommand>? Commands);

/// <summary>200 of commands: they are durable.</summary>
/// <param name="FirstLsn">LSN of the first.</param>
/// <param name="LastLsn">LSN of the last.</param>
/// <param name="Term">The term that they were written at.</param>
/// <param name="NodeId">The leader that wrote them.</param>
/// <param name="Topics">The topics that they created; absent where they created none.</param>
public sealed record MetadataCommandsResponse(long FirstLsn, long LastLsn, long Term, string NodeId, IReadOnlyList<TopicView>? Topics = null);

/// <summary>Answer of every read: one of the six, from <paramref name="Topics"/> to <paramref name="Group"/>, is there.</summary>
/// <param name="Lsn">The state is that of this LSN.</param>
/// <param name="Term">The term that the answering node knows of the metadata's leader.</param>
/// <param name="NodeId">Whose copy answered.</param>
/// <param name="IsLeader">Whether it is the leader's.</param>
/// <param name="AgeMs">How long ago the copy was known to be what the leader had; 0 at the leader, absent where it was not yet.</param>
/// <param name="Topics">A page of topics, by name.</param>
/// <param name="Topic">One topic.</param>
/// <param name="Nodes">A page of nodes, by id.</param>
/// <param name="Node">One node.</param>
/// <param name="Groups">A page of groups, by id.</param>
/// <param name="Group">One group.</param>
/// <param name="Next">With a page: what to ask for the next one with, as <c>after</c>; absent with the last.</param>
public sealed record MetadataAnswer(
    long Lsn,
    long Term,
    string NodeId,
    bool IsLeader,
    long? AgeMs,
    IReadOnlyList<TopicView>? Topics = null,
    TopicView? Topic = null,
    IReadOnlyList<MetadataNodeView>? Nodes = null,
    MetadataNodeView? Node = null,
    IReadOnlyList<GroupView>? Groups = null,
    GroupView? Group = null,
    string? Next = null);

/// <summary><c>GET /metadata/status</c>: the answering node's own.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="Role">leader or follower.</param>
/// <param name="Lsn">Its copy is that of this LSN.</param>
/// <param name="Term">The term that it knows.</param>
/// <param name="AgeMs">How long ago its copy was known to be what the leader had; 0 at the leader, absent where it was not yet.</param>
/// <param name="Hash">Hash of its copy at exactly <paramref name="Lsn"/>, where asked for.</param>
/// <param name="Leader">Who leads, as far as it knows.</param>
/// <param name="Problem">Why its copy does not go on, if it does not.</param>
public sealed record MetadataStatus(string NodeId, string Role, long Lsn, long Term, long? AgeMs, string? Hash = null, LeaderHint? Leader = null, string? Problem = null)
{
    /// <summary>What it took, at the last time, to make the copy from the log (ms); absent before the first.</summary>
    public long? RecoveredMs { get; init; }

    /// <summary>The LSN that the copy had then.</summary>
    public long? RecoveredLsn { get; init; }
}

/// <summary>A topic.</summary>
/// <param name="Name">Its name.</param>
/// <param name="TopicId">Its id: LSN of its creation.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="ReplicationFactor">Copies of each partition, the leader's included.</param>
/// <param name="Config">Its settings.</param>
/// <param name="Partitions">All partitions, in order.</param>
public sealed record TopicView(
    string Name, long TopicId, DateTimeOffset CreatedAt, int ReplicationFactor, IReadOnlyDictionary<string, string> Config, IReadOnlyList<PartitionView> Partitions);

/// <summary>A partition of a topic.</summary>
/// <param name="Partition">Its number, from 0.</param>
/// <param name="Channel">Its channel. It may not be there yet while the term is 0.</param>
/// <param name="Leader">Its leader; absent while it has none.</param>
/// <param name="Term">Of that leadership; 0 before the first.</param>
/// <param name="Replicas">The nodes that keep a copy, the leader included.</param>
/// <param name="Isr">Those in sync.</param>
/// <param name="HighWatermark">Last LSN that can be read, as far as reported.</param>
public sealed record PartitionView(int Partition, string Channel, string? Leader, long Term, IReadOnlyList<string> Replicas, IReadOnlyList<string> Isr, long HighWatermark);

/// <summary>A node.</summary>
public sealed record MetadataNodeView(string NodeId, Uri Endpoint, long Incarnation, string? Zone, int Capacity, NodeStatus Status);

/// <summary>A consumer group.</summary>
/// <param name="GroupId">Its id.</param>
/// <param name="Protocol">How its members share partitions, in their words.</param>
/// <param name="State">Where they are in sharing them.</param>
/// <param name="Generation">Of the sharing.</param>
/// <param name="Leader">The member that shares.</param>
/// <param name="Members">The members.</param>
/// <param name="Offsets">Where it goes on, by topic and partition; absent in lists.</param>
public sealed record GroupView(
    string GroupId, string? Protocol, GroupState State, long Generation, string? Leader, IReadOnlyList<GroupMember> Members, IReadOnlyList<GroupOffsetView>? Offsets = null);

/// <summary>Where a group goes on reading a partition.</summary>
public sealed record GroupOffsetView(string Topic, int Partition, long Offset, string? Note, DateTimeOffset At);
