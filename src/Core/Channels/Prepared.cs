using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <summary>A decision about one request: an error, or an answer with the records that make it true.</summary>
/// <typeparam name="TAnswer">The answer.</typeparam>
public sealed class Prepared<TAnswer>
    where TAnswer : class
{
    internal Prepared(ApiError? error, TAnswer? answer, IReadOnlyList<WalRecord> records, long durableLsn, bool exclusive)
    {
        Error = error;
        Answer = answer;
        Records = records;
        DurableLsn = durableLsn;
        Exclusive = exclusive;
    }

    /// <summary>Why the request is refused; nothing is to be appended.</summary>
    public ApiError? Error { get; }

    /// <summary>The answer to give once <see cref="DurableLsn"/> is durable; null with an error.</summary>
    public TAnswer? Answer { get; }

    /// <summary>The records to append, in this order, in one batch. Empty for an error and for a repeat, which is answered from memory.</summary>
    public IReadOnlyList<WalRecord> Records { get; }

    /// <summary>The answer may leave when the log is durable up to here. For a repeat as well: the write that it repeats may still be on its way.</summary>
    public long DurableLsn { get; }

    /// <summary>The records change the channel's configuration: apply them only when they are durable, and let nothing else in until then.</summary>
    public bool Exclusive { get; }
}

/// <summary>Where a write stands.</summary>
/// <param name="FirstLsn">LSN of its first record.</param>
/// <param name="LastLsn">LSN of its last.</param>
/// <param name="TimeTick">Time tick of its last.</param>
public sealed record WriteAnswer(long FirstLsn, long LastLsn, long TimeTick);

/// <summary>What became of the records of a replicate request.</summary>
/// <param name="Appended">Records appended by this step.</param>
/// <param name="Ignored">Repeats that it recognised.</param>
/// <param name="Next">Index of the first record that is left: a change of configuration ends a step, and the rest is prepared after it. The request is done when this is its record count.</param>
/// <param name="Checkpoint">The replicate checkpoint after this step.</param>
public sealed record ReplicateAnswer(int Appended, int Ignored, int Next, ReplicateCheckpoint? Checkpoint);

/// <summary>One vchannel's record of a broadcast, as it stands in the log: the answer to whoever sends it, the first time and every other.</summary>
/// <param name="Ack">Where it stands.</param>
/// <param name="RolledBackTxnIds">Transactions that it ended, if it changed the configuration.</param>
/// <param name="LastReplicated">The replicate checkpoint just before, if it changed the configuration of a secondary.</param>
public sealed record BroadcastResult(BroadcastAck Ack, IReadOnlyList<long> RolledBackTxnIds, ReplicateCheckpoint? LastReplicated);

/// <summary>What applying a record brought about, beyond the machine's own state.</summary>
/// <param name="Ack">The record is one of a broadcast: the ack that the control plane is owed. A record that was replicated has a source in it, and its ack is the node's to send; any other is sent by whoever asked for the record.</param>
/// <param name="RolledBackTxnIds">Transactions that the record ended by changing the configuration.</param>
public readonly record struct Applied(BroadcastAckRequest? Ack, IReadOnlyList<long> RolledBackTxnIds);
