using System.Text.Json.Serialization;

namespace Baton.Core.Broadcasts;

/// <summary>One message to many vchannels, all or eventually all, with what is known of its delivery.</summary>
/// <param name="BroadcastId">Unique and ascending in a cluster; kept when the message is replicated.</param>
/// <param name="Message">What is sent.</param>
/// <param name="State">Where the task is in its life.</param>
/// <param name="Acks">Acks by vchannel.</param>
/// <param name="CreatedAt">When this cluster first knew of it (UTC).</param>
/// <param name="TombstonedAt">When it ended (UTC): its callback was done, or it was refused.</param>
public sealed record BroadcastTask(
    long BroadcastId,
    BroadcastMessage Message,
    BroadcastState State,
    IReadOnlyDictionary<string, BroadcastAck> Acks,
    DateTimeOffset CreatedAt,
    DateTimeOffset? TombstonedAt = null)
{
    /// <summary>Vchannels without an ack, in the message's order. An ack with time tick 0 is none.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> PendingVChannels => [.. Message.VChannels.Where(v => !(Acks.TryGetValue(v, out var ack) && ack.TimeTick > 0))];
}

/// <summary>Life of a broadcast task.</summary>
public enum BroadcastState
{
    /// <summary>Created here; holds its locks.</summary>
    Pending,

    /// <summary>First learnt from the ack of a replicated message; holds no lock.</summary>
    Replicated,

    /// <summary>Callback done; kept so that late acks and resends are recognised.</summary>
    Tombstone,

    /// <summary>Refused before anything of it was appended, or collected.</summary>
    Done,
}

/// <summary>The message of a broadcast: what every record of it carries.</summary>
/// <param name="Kind">What it does: <see cref="AlterReplicateConfigKind"/>, or any name the users of the log agree on.</param>
/// <param name="VChannels">All its vchannels, in this cluster's names.</param>
/// <param name="ResourceKeys">The locks it needs.</param>
/// <param name="Payload">Its content, opaque to Baton unless the kind is Baton's own.</param>
/// <param name="AlterReplicateConfig">The content where the kind is <see cref="AlterReplicateConfigKind"/>.</param>
public sealed record BroadcastMessage(
    string Kind,
    [property: JsonPropertyName("vchannels")] IReadOnlyList<string> VChannels,
    IReadOnlyList<ResourceKey> ResourceKeys,
    byte[]? Payload = null,
    AlterReplicateConfig? AlterReplicateConfig = null)
{
    /// <summary>The kind that changes the replicate configuration.</summary>
    public const string AlterReplicateConfigKind = "alterReplicateConfig";
}

/// <summary>A change of the replicate configuration, as a message.</summary>
/// <param name="Configuration">The new configuration.</param>
/// <param name="Forced">By force update: sessions are rolled back where it is appended.</param>
/// <param name="Ignored">Superseded before it was everywhere: appended for the record, changes nothing.</param>
public sealed record AlterReplicateConfig(Replication.ReplicateConfiguration Configuration, bool Forced = false, bool Ignored = false);

/// <summary>Where a broadcast's record stands on one vchannel.</summary>
/// <param name="Lsn">LSN in the channel.</param>
/// <param name="LastConfirmedLsn">Everything up to here was durable and no open transaction began before it.</param>
/// <param name="TimeTick">The record's time tick; 0 is no ack.</param>
public sealed record BroadcastAck(long Lsn, long LastConfirmedLsn, long TimeTick);

/// <summary>A lock that a broadcast takes.</summary>
/// <param name="Domain">Kind of resource.</param>
/// <param name="Key">Its name.</param>
/// <param name="Shared">Others may hold it shared at the same time.</param>
public sealed record ResourceKey(ResourceDomain Domain, string Key, bool Shared = false);

/// <summary>Kinds of lockable resources, in lock order.</summary>
public enum ResourceDomain
{
    /// <summary>A collection.</summary>
    Collection,

    /// <summary>A database.</summary>
    Database,

    /// <summary>A privilege.</summary>
    Privilege,

    /// <summary>The whole cluster; every broadcast takes it shared unless it names it itself.</summary>
    Cluster,
}
