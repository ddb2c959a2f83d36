using System.Text.Json.Serialization;
using Baton.Core.Broadcasts;
using Baton.Core.Cluster;
using Baton.Core.Operations;
using Baton.Core.Replication;

namespace Baton.Core.Api;

/// <summary><c>PUT /api/replicate-configuration</c>.</summary>
/// <param name="Configuration">The configuration wanted.</param>
/// <param name="ForceUpdate">Promote this secondary at once, without its primary.</param>
/// <param name="WaitMs">How long to wait for the end before answering 202; 0 to 60000.</param>
/// <param name="DryRun">Check only.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record UpdateReplicateConfigurationRequest(ReplicateConfiguration? Configuration, bool ForceUpdate = false, int WaitMs = 10_000, bool DryRun = false);

/// <summary>How an update ended.</summary>
public enum UpdateOutcome
{
    /// <summary>The configuration is in force.</summary>
    Applied,

    /// <summary>It already was; nothing was written.</summary>
    Unchanged,

    /// <summary>A dry run passed; nothing was written.</summary>
    Validated,
}

/// <summary>200 of an update.</summary>
public sealed record UpdateReplicateConfigurationResponse(UpdateOutcome Outcome, ReplicateConfigurationView Meta, PromotionReport? Promotion = null, string? OperationId = null);

/// <summary>202 of anything that runs on.</summary>
public sealed record OperationAccepted(string OperationId, Uri StatusUrl);

/// <summary><c>GET /api/replicate-configuration</c>. Tokens are never shown.</summary>
public sealed record ReplicateConfigurationView(
    string ClusterId,
    ClusterRole Role,
    ReplicateConfiguration? Configuration,
    long Version,
    bool ForceUpdated,
    DateTimeOffset? ForceUpdateTimestamp,
    Supersession? Superseded = null);

/// <summary>What an operator must know of a forced promotion.</summary>
/// <param name="Channels">Channels promoted.</param>
/// <param name="TransactionsRolledBack">Open transactions ended by it.</param>
/// <param name="BroadcastsSupplemented">Half-delivered broadcasts completed.</param>
/// <param name="BroadcastsIncomplete">Broadcast ids left incomplete: because supplementation is switched off, or because they name channels that this cluster does not have.</param>
/// <param name="LastReplicated">Per channel: the last record taken over from the old primary.</param>
/// <param name="EstimatedLossWindowMs">From the oldest of those to the promotion's start: what the old primary acknowledged since may be missing. Null when nothing was ever replicated.</param>
/// <param name="ElapsedMs">From the request to the end.</param>
/// <param name="Steps">The steps with their times.</param>
public sealed record PromotionReport(
    int Channels,
    int TransactionsRolledBack,
    int BroadcastsSupplemented,
    IReadOnlyList<long> BroadcastsIncomplete,
    IReadOnlyList<LastReplicated> LastReplicated,
    long? EstimatedLossWindowMs,
    long ElapsedMs,
    IReadOnlyList<OperationStep> Steps);

/// <summary>The last record a channel took over from its source.</summary>
public sealed record LastReplicated(string Channel, long TimeTick, DateTimeOffset? At);

/// <summary><c>GET /api/topology</c>.</summary>
public sealed record TopologyView(string ClusterId, long Version, ClusterRole Role, IReadOnlyList<NodeView> Nodes, IReadOnlyList<ChannelView> Channels)
{
    /// <summary>The channels of the clients, in creation order: all but that of the metadata.</summary>
    [JsonIgnore]
    public IReadOnlyList<ChannelView> PChannels => [.. Channels.Where(c => !MetadataChannel.Is(c.Name))];
}

/// <summary>A node of a topology.</summary>
public sealed record NodeView(string NodeId, Uri Endpoint, long Incarnation, bool Failed, string? Zone, int Capacity, DateTimeOffset? LastHeartbeat, bool Draining = false);

/// <summary>A channel of a topology.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Leader">The node that leads it; null while it is offline.</param>
/// <param name="Term">The term of that leadership.</param>
/// <param name="Replicas">Its other copies.</param>
/// <param name="Status">Whether it has a leader.</param>
/// <param name="TopicId">The topic whose partition it is; absent where it is no topic's.</param>
public sealed record ChannelView(string Name, string? Leader, long Term, IReadOnlyList<ReplicaView> Replicas, ChannelAvailability Status, long? TopicId = null);

/// <summary>A replica of a topology.</summary>
/// <param name="NodeId">The node that keeps it.</param>
/// <param name="Mode">When it gets a batch.</param>
/// <param name="State">What the cluster's state says of it: only <see cref="ReplicaProgress.InSync"/> makes it ready to lead.</param>
/// <param name="FlushedLsn">The last LSN that it has on its disk, by its last heartbeat or by the state.</param>
/// <param name="Following">What it was doing at its last heartbeat, by its own account; absent before the first.</param>
/// <param name="Leaving">It goes once as many others are in sync as were asked for; absent where it does not.</param>
public sealed record ReplicaView(string NodeId, ReplicaMode Mode, ReplicaProgress State, long FlushedLsn, FollowState? Following = null, bool? Leaving = null);

/// <summary>Whether a channel has a leader.</summary>
public enum ChannelAvailability
{
    /// <summary>It has.</summary>
    Online,

    /// <summary>No live node could lead it.</summary>
    Offline,
}

/// <summary><c>GET /api/route</c>.</summary>
/// <param name="Version">The state's version; never goes back.</param>
/// <param name="Channels">The channels that have a leader.</param>
/// <param name="Offline">The channels that have none, for want of a live node. Whatever is in neither does not exist.</param>
public sealed record RouteView(long Version, IReadOnlyDictionary<string, RouteEntry> Channels, IReadOnlyList<string>? Offline = null);

/// <summary>Where a channel's leader is.</summary>
/// <param name="Endpoint">Base address of its node.</param>
/// <param name="NodeId">Its node.</param>
/// <param name="Term">The term it leads at.</param>
/// <param name="Incarnation">Its node's incarnation: who reports that the node is gone names it, so that a late report says nothing of a node that has come back.</param>
public sealed record RouteEntry(Uri Endpoint, string NodeId, long Term, long? Incarnation = null);

/// <summary><c>PUT /api/nodes/{nodeId}</c>.</summary>
/// <param name="Endpoint">Base address of its HTTP API.</param>
/// <param name="Zone">Its failure domain, if it has one.</param>
/// <param name="Capacity">Relative capacity; 1 when not given.</param>
/// <param name="Instance">An id that the node's process drew at its start. The same again: the process has lived all the time, so a suspicion of it was wrong. Another: it did end.</param>
public sealed record JoinNodeRequest(Uri Endpoint, string? Zone = null, int? Capacity = null, string? Instance = null);

/// <summary>A join: the node's incarnation, what it owns now, and how its cluster replicates.</summary>
public sealed record JoinNodeResponse(string NodeId, long Incarnation, IReadOnlyList<Assignment> Assignments, ReplicateStanding? Replication = null)
{
    /// <summary>Who leads the metadata; null while nobody does.</summary>
    public LeaderHint? Metadata { get; init; }
}

/// <summary><c>POST /api/nodes/{nodeId}/heartbeat</c>.</summary>
/// <param name="Incarnation">The incarnation that its join gave it.</param>
/// <param name="Channels">What it leads and follows.</param>
/// <param name="Leaving">It is about to stop, and wants its channels moved to others while it still serves them.</param>
public sealed record HeartbeatRequest(long Incarnation, IReadOnlyList<HeartbeatChannel> Channels, bool Leaving = false);

/// <summary>A channel as its node sees it.</summary>
/// <param name="Name">The channel.</param>
/// <param name="Term">The term that the node knows.</param>
/// <param name="Role">leader or replica.</param>
/// <param name="FlushedLsn">Last LSN that the node has for good: in the blobs as leader, on its disk as replica.</param>
/// <param name="CommittedLsn">A leader's last confirmed LSN; the last LSN that a replica knows to be durable.</param>
/// <param name="LastTerm">A replica's: term of the record at <paramref name="FlushedLsn"/>.</param>
/// <param name="LastCrc">A replica's: checksum of that record.</param>
/// <param name="State">A replica's.</param>
/// <param name="Cdc">A leader's: how far its CDC tasks are.</param>
public sealed record HeartbeatChannel(
    string Name, long Term, string Role, long FlushedLsn, long CommittedLsn, long? LastTerm = null, long? LastCrc = null, FollowState? State = null, IReadOnlyList<CdcProgress>? Cdc = null);

/// <summary>What a replica is doing, by its own account. Whether it is ready to lead, the control plane decides.</summary>
public enum FollowState
{
    /// <summary>It waits for a leader, or cannot reach it.</summary>
    Disconnected,

    /// <summary>It fetches what it lacks from the blobs.</summary>
    CatchingUp,

    /// <summary>It has what the leader has pushed.</summary>
    Following,

    /// <summary>It has records that the log does not have, and waits to be truncated.</summary>
    Diverged,

    /// <summary>What it lacks is no longer in the log: it waits to be rebuilt.</summary>
    NeedsRebuild,
}

/// <summary>What a node should own now. <see cref="MustRejoin"/>: its incarnation is not the present one, so it owns nothing until it joins again.</summary>
public sealed record HeartbeatResponse(IReadOnlyList<Assignment> Assignments, bool MustRejoin = false)
{
    /// <summary>To a node that leaves: the channels of its beat that have a leader at a higher term now. For these it waits, and for no others: nobody takes those over. Null in other answers.</summary>
    public IReadOnlyList<string>? TakenOver { get; init; }

    /// <summary>An operator has removed the node: it hands over what it still serves, ends, and does not join again.</summary>
    public bool Removed { get; init; }

    /// <summary>How the cluster replicates; null in the answer to a node that leaves or must join again.</summary>
    public ReplicateStanding? Replication { get; init; }

    /// <summary>Who leads the metadata; null while nobody does.</summary>
    public LeaderHint? Metadata { get; init; }
}

/// <summary>One channel a node should own.</summary>
/// <param name="Channel">Its name.</param>
/// <param name="Role">leader or replica.</param>
/// <param name="Term">The term.</param>
/// <param name="LeaderEndpoint">Where its leader is.</param>
/// <param name="Mode">How a replica follows.</param>
public sealed record Assignment(string Channel, string Role, long Term, Uri? LeaderEndpoint, ReplicaMode? Mode = null);

/// <summary><c>POST /api/nodes/{nodeId}/failed</c>.</summary>
/// <param name="Reason">What was observed, 1 to 1000 characters.</param>
/// <param name="ObservedBy">Who observed it.</param>
/// <param name="EventId">Its id: the same again changes nothing.</param>
/// <param name="Incarnation">The incarnation it is about, where the reporter knows.</param>
/// <param name="Leaderships">The channels that the node cannot lead, although it lives, each with the term at which it cannot (<see cref="Api.Leaderships"/>); absent where the node itself is gone.</param>
public sealed record NodeFailedRequest(string Reason, string? ObservedBy = null, string? EventId = null, long? Incarnation = null, IReadOnlyList<ChannelAtTerm>? Leaderships = null);

/// <summary>Body of queue <c>urgent-failover</c>: a <see cref="NodeFailedRequest"/> about a node, with the time it came.</summary>
public sealed record UrgentFailoverMessage(
    string EventId, string NodeId, string Reason, DateTimeOffset ObservedAt, long? Incarnation = null, string? ObservedBy = null, IReadOnlyList<ChannelAtTerm>? Leaderships = null);

/// <summary>Body of queue <c>routine-reconcile</c>.</summary>
public sealed record RoutineReconcileMessage(string EventId, string Reason, DateTimeOffset RequestedAt, ReconcileScope? Scope = null);

/// <summary><c>POST /api/channels/{name}/move</c>.</summary>
/// <param name="To">The node that is to lead.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record MoveChannelRequest(string? To);

/// <summary><c>POST /api/rebalance</c>.</summary>
/// <param name="DryRun">Only says what would move.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record RebalanceRequest(bool DryRun = false);

/// <summary>Answer of a <c>POST /api/rebalance</c> that only asks.</summary>
/// <param name="Moves">What would move.</param>
/// <param name="Nodes">What each node that may be given channels has before and after it.</param>
public sealed record RebalanceView(RebalanceMoves Moves, IReadOnlyList<NodeBalance> Nodes);

/// <summary>Moves of a rebalance.</summary>
/// <param name="Leaders">Leaderships.</param>
/// <param name="Replicas">Copies.</param>
public sealed record RebalanceMoves(IReadOnlyList<RebalanceMove> Leaders, IReadOnlyList<RebalanceMove> Replicas);

/// <summary>What a node has before and after a rebalance.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="Leads">How many channels it leads.</param>
/// <param name="Copies">How many copies of replicated channels it has, those included that it leads.</param>
public sealed record NodeBalance(string NodeId, BeforeAndAfter Leads, BeforeAndAfter Copies);

/// <summary>A number before and after.</summary>
public sealed record BeforeAndAfter(int Before, int After);

/// <summary>What to reconcile; all when absent.</summary>
public sealed record ReconcileScope(string? Channel = null, string? NodeId = null);

/// <summary><c>PUT /api/channels/{name}</c>.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record CreateChannelRequest(int ReplicationFactor = 1);

/// <summary><c>POST /api/topics/channels</c>: the leader of the metadata asks for the channels of topics' partitions.</summary>
/// <param name="MetadataTerm">The term at which the asker leads the metadata. At another than the state's, nothing happens.</param>
/// <param name="Channels">1 to <see cref="MaxChannels"/>, none twice.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record CreateTopicChannelsRequest(long MetadataTerm, IReadOnlyList<TopicChannel> Channels)
{
    /// <summary>The most channels of one request, also of a <see cref="DeleteTopicChannelsRequest"/>.</summary>
    public const int MaxChannels = 1_000;
}

/// <summary>A channel that is to carry a partition.</summary>
/// <param name="Name">Its name.</param>
/// <param name="TopicId">The topic that it belongs to.</param>
/// <param name="ReplicationFactor">Copies asked for, the leader's included.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record TopicChannel(string Name, long TopicId, int ReplicationFactor = 1);

/// <summary>200 of <c>POST /api/topics/channels</c>.</summary>
/// <param name="Version">The version of the state that has them.</param>
/// <param name="Channels">All that were asked for, in that order, whether this request created them or one before.</param>
public sealed record TopicChannelsResponse(long Version, IReadOnlyList<ChannelView> Channels);

/// <summary><c>DELETE /api/topics/channels</c>: the leader of the metadata gives up the channels of deleted topics.</summary>
/// <param name="MetadataTerm">As in <see cref="CreateTopicChannelsRequest"/>.</param>
/// <param name="Channels">1 to <see cref="CreateTopicChannelsRequest.MaxChannels"/>.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record DeleteTopicChannelsRequest(long MetadataTerm, IReadOnlyList<ChannelOfTopic> Channels);

/// <summary>A channel, and the topic that must own it for it to be deleted.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ChannelOfTopic(string Name, long TopicId);

/// <summary>200 of <c>DELETE /api/topics/channels</c>.</summary>
/// <param name="Version">The version of the state that does not have them.</param>
/// <param name="Deleted">Those that this request took out; a repeat finds none.</param>
public sealed record DeletedTopicChannels(long Version, IReadOnlyList<string> Deleted);

/// <summary><c>POST /api/broadcasts</c>.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="VChannels">Where to.</param>
/// <param name="Payload">Content (base64 in JSON).</param>
/// <param name="ResourceKeys">Locks.</param>
/// <param name="BroadcastId">The id, to repeat a request safely; given out when absent.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record CreateBroadcastRequest(
    string Kind,
    [property: JsonPropertyName("vchannels")] IReadOnlyList<string> VChannels,
    byte[]? Payload = null,
    IReadOnlyList<ResourceKey>? ResourceKeys = null,
    long? BroadcastId = null);

/// <summary>A broadcast task as the API shows it.</summary>
public sealed record BroadcastView(
    long BroadcastId,
    string Kind,
    BroadcastState State,
    [property: JsonPropertyName("pendingVchannels")] IReadOnlyList<string> PendingVChannels,
    IReadOnlyList<BroadcastAckView> Acked,
    DateTimeOffset CreatedAt);

/// <summary>One ack of a broadcast.</summary>
public sealed record BroadcastAckView([property: JsonPropertyName("vchannel")] string VChannel, long Lsn, long TimeTick);

/// <summary><c>POST /api/broadcasts/{id}/acks</c>: nodes only. The record of a broadcast is durable on a vchannel.</summary>
/// <param name="VChannel">The vchannel, in this cluster's names.</param>
/// <param name="Ack">Where it stands.</param>
/// <param name="Message">The message, in this cluster's names, from which an unknown task is made.</param>
/// <param name="Source">Where it was replicated from, if it was.</param>
public sealed record BroadcastAckRequest([property: JsonPropertyName("vchannel")] string VChannel, BroadcastAck Ack, BroadcastMessage Message, Wal.SourcePosition? Source = null);
