using System.Text.Json.Serialization;

namespace Baton.Core.Api;

/// <summary><c>POST /channels/{ch}/replicas/{nodeId}</c>: a follower tells its leader how far it is.</summary>
/// <param name="Term">The term at which it follows.</param>
/// <param name="FlushedLsn">The last LSN on its disk.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicaProgressRequest(long Term, long FlushedLsn);

/// <summary><c>POST /replicas/{ch}/connect</c>: binds a recovery session to a replica.</summary>
/// <param name="SessionId">Above 0. A higher one supersedes the one that is bound.</param>
/// <param name="Epoch">The term at which the session was made.</param>
/// <param name="LeaderEndpoint">Where the leader of that term is, if the replica may not know it yet.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicaConnectRequest(long SessionId, long Epoch, Uri? LeaderEndpoint = null);

/// <summary>A replica as it stands now.</summary>
/// <param name="State">What it is doing.</param>
/// <param name="Term">The highest term that it knows.</param>
/// <param name="FirstLsn">The first LSN that it holds, or would hold next when it is empty.</param>
/// <param name="FlushedLsn">The last LSN on its disk.</param>
public sealed record ReplicaConnectResponse(FollowState State, long Term, long FirstLsn, long FlushedLsn);

/// <summary><c>POST /replicas/{ch}/handshake</c> and <c>/release</c>.</summary>
/// <param name="SessionId">The session that is bound.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicaSessionRequest(long SessionId);

/// <summary>What a replica has on its disk.</summary>
/// <param name="FlushedLsn">Its last LSN; <paramref name="FirstLsn"/> - 1 when it is empty.</param>
/// <param name="LastTerm">Term of that record; 0 when it is empty.</param>
/// <param name="LastCrc">Checksum of that record; 0 when it is empty.</param>
/// <param name="FirstLsn">The first LSN that it holds, or would hold next.</param>
public sealed record ReplicaHandshakeResponse(long FlushedLsn, long LastTerm, long LastCrc, long FirstLsn);

/// <summary><c>POST /replicas/{ch}/position</c>: asks for one record, to find the last one that the replica and the log have in common.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicaPositionRequest(long SessionId, long Lsn);

/// <summary>A record that a replica holds.</summary>
/// <param name="Lsn">Its LSN.</param>
/// <param name="Term">The term under which it was written.</param>
/// <param name="Crc">Its checksum.</param>
public sealed record ReplicaPositionResponse(long Lsn, long Term, long Crc);

/// <summary><c>POST /replicas/{ch}/catch-up</c>.</summary>
/// <param name="SessionId">The session that is bound.</param>
/// <param name="TargetLsn">How far the replica must come.</param>
/// <param name="WaitMs">How long the answer may wait for that; 0 to 60000.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicaCatchUpRequest(long SessionId, long TargetLsn, int WaitMs = 0);

/// <summary>How far a catch-up is.</summary>
/// <param name="FlushedLsn">The last LSN on the replica's disk, or the target where that is less.</param>
/// <param name="Done">The target is on the disk.</param>
/// <param name="State">Says why it gets no further: diverged, or needsRebuild.</param>
/// <param name="Bytes">How much this order has fetched since it was given, or given anew.</param>
public sealed record ReplicaCatchUpResponse(long FlushedLsn, bool Done, FollowState State, long Bytes = 0);

/// <summary><c>POST /replicas/{ch}/truncate</c>: drops every record above <paramref name="Lsn"/>.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicaTruncateRequest(long SessionId, long Lsn);

/// <summary><c>POST /replicas/{ch}/rebuild</c>: drops the replica's copy and builds it anew.</summary>
/// <param name="SessionId">The session that is bound.</param>
/// <param name="Source"><see cref="SnapshotTail"/> or <see cref="FullBase"/>.</param>
/// <param name="TargetLsn">How far the copy must come.</param>
/// <param name="WaitMs">How long the answer may wait for that; 0 to 60000.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ReplicaRebuildRequest(long SessionId, string Source, long TargetLsn, int WaitMs = 0)
{
    /// <summary>From the record behind the newest snapshot that verifies.</summary>
    public const string SnapshotTail = "snapshot_tail";

    /// <summary>From the first record that the log still has.</summary>
    public const string FullBase = "full_base";
}

/// <summary>How far a rebuild is.</summary>
/// <param name="Phase">source_select, transfer, tail_replay, completed or aborted.</param>
/// <param name="TransferredLsn">The last LSN on the replica's disk, or the target where that is less.</param>
/// <param name="Done">The target is on the disk.</param>
/// <param name="SnapshotLsn">With <see cref="ReplicaRebuildRequest.SnapshotTail"/>: the snapshot that the copy begins behind, once it is chosen.</param>
/// <param name="Bytes">How much this order has fetched since it was given, or given anew.</param>
public sealed record ReplicaRebuildResponse(string Phase, long TransferredLsn, bool Done, long? SnapshotLsn = null, long Bytes = 0);

/// <summary><c>GET /channels/{ch}/history</c>: what of its log a leader knows to be retained.</summary>
/// <param name="Term">The term at which it leads.</param>
/// <param name="FirstLsn">The first record that can be read.</param>
/// <param name="HeadLsn">The last record that was given an LSN.</param>
/// <param name="CommittedLsn">The last record that is in the storage.</param>
/// <param name="SnapshotLsn">What the newest snapshot covers, the newest that verifies where that was asked for; 0 without one.</param>
/// <param name="SnapshotVerified">That snapshot was read and is whole.</param>
/// <param name="Record">The record that was asked for; null where the log does not have it, or not any more.</param>
public sealed record ChannelHistoryResponse(long Term, long FirstLsn, long HeadLsn, long CommittedLsn, long SnapshotLsn, bool SnapshotVerified, ReplicaPositionResponse? Record);
