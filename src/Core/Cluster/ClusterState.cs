using System.Text.Json.Serialization;

namespace Baton.Core.Cluster;

/// <summary>Nodes, channels, leaders and terms of one cluster: one entity, changed by one conditional write. The written state is the verdict.</summary>
/// <param name="ClusterId">Whose state.</param>
/// <param name="Version">Raised by one at every write; gateways wait for a version above theirs.</param>
/// <param name="Nodes">Nodes by id, failed ones included: their last known state is evidence.</param>
/// <param name="Channels">Channels by name, that of the metadata included: leaders, terms and copies are a matter of all.</param>
public sealed record ClusterState(
    string ClusterId,
    long Version,
    IReadOnlyDictionary<string, NodeState> Nodes,
    IReadOnlyDictionary<string, ChannelState> Channels)
{
    /// <summary>The channels of the clients: what clusters replicate, what broadcasts go to, and what a configuration names.</summary>
    [JsonIgnore]
    public IEnumerable<KeyValuePair<string, ChannelState>> PChannels => Channels.Where(c => !MetadataChannel.Is(c.Key));

    /// <summary>Whether clients have a channel <paramref name="name"/>.</summary>
    public bool HasPChannel(string name) => !MetadataChannel.Is(name) && Channels.ContainsKey(name);

    /// <summary>A cluster with nothing in it.</summary>
    public static ClusterState Empty(string clusterId) => new(clusterId, 0, new Dictionary<string, NodeState>(StringComparer.Ordinal), new Dictionary<string, ChannelState>(StringComparer.Ordinal));
}

/// <summary>A node as the control plane sees it.</summary>
/// <param name="Endpoint">Base address of its HTTP API.</param>
/// <param name="Incarnation">Raised by one at every join; evidence about an older incarnation is void.</param>
/// <param name="Failed">Marked failed: it is no candidate until it joins again.</param>
/// <param name="Zone">Failure domain, if given.</param>
/// <param name="Capacity">Relative capacity, default 1.</param>
/// <param name="LastSuspectedAt">When it was last moved away from on suspicion (cooldown).</param>
/// <param name="Instance">The id that its process drew at its start, if it said one: the same at the next join means that the process never ended.</param>
/// <param name="Draining">An operator is removing it: it is no candidate, and goes on serving what it leads until others do.</param>
/// <param name="RemovedAt">When an operator removed it. The row stays for a while, so that its process, should it still run, is told; it is no member any more.</param>
public sealed record NodeState(
    Uri Endpoint,
    long Incarnation,
    bool Failed = false,
    string? Zone = null,
    int Capacity = 1,
    DateTimeOffset? LastSuspectedAt = null,
    string? Instance = null,
    bool Draining = false,
    DateTimeOffset? RemovedAt = null)
{
    /// <summary>It may be given channels.</summary>
    [JsonIgnore]
    public bool IsCandidate => IsLive && !Draining;

    /// <summary>It is a member and not marked failed: what it leads, it serves.</summary>
    [JsonIgnore]
    public bool IsLive => !Failed && RemovedAt is null;
}

/// <summary>A channel's leadership.</summary>
/// <param name="Leader">Node id of the leader, or null while the channel is offline.</param>
/// <param name="Term">Fencing term of that leadership; never goes back.</param>
/// <param name="ReplicationFactor">Copies asked for, the leader's included.</param>
/// <param name="Replicas">The replicas, the leader not included.</param>
/// <param name="Index">Position in creation order, that of the metadata's channel -1: index i corresponds to index i of the other cluster; 0 is the first channel, which carries the control vchannel.</param>
/// <param name="Declined">The nodes that have said, one after the other since the channel was last given out for another reason, that they cannot lead it; null while there is none. They come last, so that it does not go to and fro between two of them while a third could.</param>
/// <param name="TopicId">The topic whose partition it carries; null where it is no topic's.</param>
public sealed record ChannelState(
    string? Leader, long Term, int ReplicationFactor, IReadOnlyList<ReplicaState> Replicas, int Index, IReadOnlyList<string>? Declined = null, long? TopicId = null)
{
    /// <summary>No live leader.</summary>
    [JsonIgnore]
    public bool Offline => Leader is null;
}

/// <summary>A replica of a channel.</summary>
/// <param name="NodeId">The node that keeps it.</param>
/// <param name="Mode">When it gets a batch.</param>
/// <param name="State">How far its recovery is.</param>
/// <param name="FlushedLsn">What it had on its disk when its state was noted.</param>
/// <param name="Leaving">It is to go once as many others are in sync as were asked for, and does not count as one of them; until then it is a copy like any other, also for a failover (<see cref="LeavingCopies"/>).</param>
public sealed record ReplicaState(
    string NodeId,
    ReplicaMode Mode,
    ReplicaProgress State,
    long FlushedLsn,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Leaving = false);

/// <summary>When a replica gets a batch.</summary>
public enum ReplicaMode
{
    /// <summary>While the batch is being written to the blob.</summary>
    Sync,

    /// <summary>Afterwards.</summary>
    Async,
}

/// <summary>How far a replica's recovery is. READY for leadership means <see cref="InSync"/>.</summary>
public enum ReplicaProgress
{
    /// <summary>No session.</summary>
    Disconnected,

    /// <summary>A session has begun to ask it.</summary>
    Connecting,

    /// <summary>Catching up.</summary>
    CatchingUp,

    /// <summary>Completed a session and has kept up since.</summary>
    InSync,

    /// <summary>Was in sync and is not known to keep up. Nothing says so yet; whoever reads a state must be able to before anything writes it.</summary>
    Degraded,

    /// <summary>Must be rebuilt.</summary>
    NeedsRebuild,
}
