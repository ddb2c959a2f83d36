using System.Text.Json.Serialization;
using Baton.Core.Broadcasts;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Core.Api;

/// <summary><c>POST /channels/{ch}/messages</c>.</summary>
/// <param name="Messages">One or more messages, appended together, in order.</param>
/// <param name="Producer">Makes the write idempotent.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record AppendRequest(IReadOnlyList<MessageBody> Messages, ProducerStamp? Producer = null);

/// <summary>One message of a write.</summary>
/// <param name="Payload">Content (base64 in JSON); null where it is missing, which is refused. It may be a part of a larger buffer that is used again after the write.</param>
/// <param name="VChannel">Its logical stream, of this channel.</param>
/// <param name="Key">Its key.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[method: JsonConstructor]
public sealed record MessageBody(ReadOnlyMemory<byte>? Payload, [property: JsonPropertyName("vchannel")] string? VChannel = null, string? Key = null)
{
    /// <summary>A message whose content is all of <paramref name="Payload"/>.</summary>
    public MessageBody(byte[] Payload, string? VChannel = null, string? Key = null)
        : this(new ReadOnlyMemory<byte>(Payload), VChannel, Key)
    {
    }
}

/// <summary>A producer's id and the sequence of its write: the same again appends nothing and gives the same answer.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ProducerStamp(string Id, long Sequence);

/// <summary>A write that is durable.</summary>
public sealed record AppendResponse(long FirstLsn, long LastLsn, long TimeTick, long Term);

/// <summary>What a read sees.</summary>
public enum Isolation
{
    /// <summary>No open or rolled-back transaction; a transaction's messages appear together at its commit.</summary>
    Committed,

    /// <summary>Every record as it stands in the log.</summary>
    All,
}

/// <summary>A read.</summary>
/// <param name="Messages">In log order.</param>
/// <param name="NextLsn">Where to read on.</param>
/// <param name="LastLsn">The last durable LSN of the channel.</param>
public sealed record ReadResponse(IReadOnlyList<ReadMessage> Messages, long NextLsn, long LastLsn);

/// <summary>One record as a reader sees it.</summary>
/// <param name="Lsn">Its LSN; a message of a committed transaction keeps its own.</param>
/// <param name="TimeTick">Its time tick.</param>
/// <param name="Type">What it is.</param>
/// <param name="VChannel">Its logical stream.</param>
/// <param name="Key">Its key.</param>
/// <param name="Payload">Content (base64 in JSON).</param>
/// <param name="TxnId">Its transaction.</param>
/// <param name="KeepaliveMs">Of a begin.</param>
/// <param name="BroadcastId">Its broadcast.</param>
/// <param name="CommitLsn">Where it became visible, if by a commit.</param>
/// <param name="Source">Where it was replicated from.</param>
public sealed record ReadMessage(
    long Lsn,
    long TimeTick,
    WalRecordType Type,
    [property: JsonPropertyName("vchannel")] string? VChannel,
    string? Key,
    byte[] Payload,
    long? TxnId = null,
    long? KeepaliveMs = null,
    long? BroadcastId = null,
    long? CommitLsn = null,
    SourcePosition? Source = null);

/// <summary><c>POST /channels/{ch}/transactions</c>. Keepalive 0 or absent is the node's default; below 1 ms otherwise is refused.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record BeginTransactionRequest(long KeepaliveMs = 0);

/// <summary>An open transaction.</summary>
public sealed record BeginTransactionResponse(long TxnId, DateTimeOffset ExpiresAt);

/// <summary><c>POST /channels/{ch}/open</c>: control plane only.</summary>
/// <param name="Term">The term to lead at; above every term this node or the log has seen.</param>
/// <param name="Replicas">Node ids that follow.</param>
public sealed record OpenChannelRequest(long Term, IReadOnlyList<string>? Replicas = null);

/// <summary>
/// <c>POST /channels/open</c>: control plane only. What the node leads now, as far as it may not know; answered 202 at once, and opened behind the answer. A channel at a term that the node has seen is left as it is, so
/// the same again, or late, changes nothing. One call, however many channels.
/// </summary>
/// <param name="Channels">The channels with their terms.</param>
public sealed record OpenChannelsRequest(IReadOnlyList<ChannelAtTerm> Channels);

/// <summary>202 of <c>POST /channels/open</c>.</summary>
/// <param name="News">How many of the channels the node had not seen at their terms, and was not about to open: it opens these now.</param>
public sealed record OpenChannelsResponse(int News);

/// <summary>A channel at a term: to be led there, or that cannot be.</summary>
public sealed record ChannelAtTerm(string Channel, long Term);

/// <summary><c>POST /channels/{ch}/close</c>: control plane only. Closes if open at this term or below.</summary>
public sealed record CloseChannelRequest(long Term);

/// <summary>A channel on a node.</summary>
/// <param name="Channel">Its name.</param>
/// <param name="Role">leader, replica or none.</param>
/// <param name="Term">The term it is open at here.</param>
/// <param name="LastLsn">Last durable LSN.</param>
/// <param name="LastTimeTick">Time tick of the last record, which may still be on its way to the storage.</param>
/// <param name="ReplicateRole">What the channel's own log says the cluster is.</param>
/// <param name="Checkpoint">The replicate checkpoint of a secondary.</param>
/// <param name="OpenTransactions">Ids of open transactions.</param>
/// <param name="LastConfirmedLsn">Everything up to here is durable and no open transaction began before it.</param>
/// <param name="Replicas">Of a leader: the nodes that follow it now.</param>
/// <param name="Following">Of a replica: how it follows.</param>
public sealed record ChannelStatus(
    string Channel,
    string Role,
    long Term,
    long LastLsn,
    long LastTimeTick,
    ClusterRole ReplicateRole,
    ReplicateCheckpoint? Checkpoint,
    IReadOnlyList<long> OpenTransactions,
    long LastConfirmedLsn,
    IReadOnlyList<ReplicaStatus>? Replicas = null,
    FollowState? Following = null);

/// <summary>A replica as the leader that it follows sees it.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="Mode">When it gets a batch.</param>
/// <param name="FlushedLsn">The last LSN that it has said to have on its disk.</param>
/// <param name="LagRecords">How many durable records it lacks.</param>
public sealed record ReplicaStatus(string NodeId, ReplicaMode Mode, long FlushedLsn, long LagRecords);

/// <summary><c>POST /channels/{ch}/control</c>: one vchannel's copy of a broadcast. Idempotent by broadcast id and vchannel.</summary>
/// <param name="BroadcastId">The broadcast.</param>
/// <param name="VChannel">The vchannel to append to; for a change of configuration the channel itself, or the control vchannel on the first.</param>
/// <param name="Message">The message.</param>
public sealed record ControlRequest(long BroadcastId, [property: JsonPropertyName("vchannel")] string VChannel, BroadcastMessage Message);

/// <summary>A control message that is durable. When it answers a change of configuration, every broadcast record before it in this channel has been acked to the control plane.</summary>
/// <param name="Ack">Where it stands.</param>
/// <param name="Term">The leader's term.</param>
/// <param name="Duplicate">It had been appended before; the answer is the first one's.</param>
/// <param name="RolledBackTxnIds">Transactions that a forced configuration ended.</param>
/// <param name="LastReplicated">The replicate checkpoint just before a change of configuration.</param>
public sealed record ControlResponse(BroadcastAck Ack, long Term, bool Duplicate, IReadOnlyList<long> RolledBackTxnIds, ReplicateCheckpoint? LastReplicated);

/// <summary><c>POST /channels/{ch}/replicate</c>: records of the source channel, in its order.</summary>
/// <param name="ClusterId">Source cluster.</param>
/// <param name="Channel">Source channel.</param>
/// <param name="Records">The records, with their positions in the source; names inside are the source's.</param>
public sealed record ReplicateRequest(string ClusterId, string Channel, IReadOnlyList<ReadMessage> Records);

/// <summary>What became of replicated records: all are durable or were recognised as repeats.</summary>
public sealed record ReplicateResponse(int Appended, int Ignored, ReplicateCheckpoint? Checkpoint, long LastLsn);
