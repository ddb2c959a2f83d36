namespace Baton.Core.Wal;

/// <summary>What a record of the log is.</summary>
public enum WalRecordType : byte
{
    /// <summary>A plain message.</summary>
    Message = 1,

    /// <summary>Begins a transaction; <see cref="WalRecord.TxnId"/> and <see cref="WalRecord.KeepaliveMs"/> are set.</summary>
    TxnBegin = 2,

    /// <summary>A message of an open transaction.</summary>
    TxnBody = 3,

    /// <summary>Makes a transaction's messages visible, here; <see cref="WalRecord.TxnBeginLsn"/> says where it began.</summary>
    TxnCommit = 4,

    /// <summary>Drops a transaction.</summary>
    TxnRollback = 5,

    /// <summary>One vchannel's copy of a broadcast; the payload is the JSON of a <see cref="Broadcasts.BroadcastMessage"/>.</summary>
    Broadcast = 6,

    /// <summary>One channel's copy of a change of the replicate configuration; the payload is the JSON of an <see cref="AlterReplicateConfigRecord"/>.</summary>
    AlterReplicateConfig = 7,

    /// <summary>Only moves the time tick on.</summary>
    TimeTick = 8,
}

/// <summary>One record. Its LSN is not inside: a batch carries the first, and LSNs are dense.</summary>
public sealed record WalRecord
{
    /// <summary>What it is.</summary>
    public required WalRecordType Type { get; init; }

    /// <summary>Hybrid logical time: Unix milliseconds × 1024 + counter; strictly rising within a channel.</summary>
    public required long TimeTick { get; init; }

    /// <summary>The logical stream, or null for the channel itself.</summary>
    public string? VChannel { get; init; }

    /// <summary>Transaction, 0 for none.</summary>
    public long TxnId { get; init; }

    /// <summary>With <see cref="WalRecordType.TxnBegin"/>: keepalive in milliseconds; 0 never expires (replicated).</summary>
    public long KeepaliveMs { get; init; }

    /// <summary>With <see cref="WalRecordType.TxnCommit"/>: LSN of the begin.</summary>
    public long TxnBeginLsn { get; init; }

    /// <summary>Broadcast, 0 for none.</summary>
    public long BroadcastId { get; init; }

    /// <summary>Where it came from, if it was replicated.</summary>
    public SourcePosition? Source { get; init; }

    /// <summary>Producer, if the write was idempotent.</summary>
    public string? ProducerId { get; init; }

    /// <summary>The producer's sequence of this write.</summary>
    public long ProducerSequence { get; init; }

    /// <summary>Message key, or null.</summary>
    public string? Key { get; init; }

    /// <summary>Content.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }
}

/// <summary>Position of a replicated record in its source channel.</summary>
public sealed record SourcePosition(string ClusterId, string Channel, long Lsn, long TimeTick);

/// <summary>Payload of <see cref="WalRecordType.AlterReplicateConfig"/>: the change and what it did on this channel, so that a repeat can be answered from the log.</summary>
/// <param name="Message">The broadcast's message.</param>
/// <param name="RolledBackTxnIds">Transactions that this record ended; readers drop them here.</param>
/// <param name="LastReplicated">The replicate checkpoint just before, where the channel was secondary.</param>
public sealed record AlterReplicateConfigRecord(
    Broadcasts.BroadcastMessage Message,
    IReadOnlyList<long> RolledBackTxnIds,
    Replication.ReplicateCheckpoint? LastReplicated);
