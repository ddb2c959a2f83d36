using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Time;
using Baton.Core.Transactions;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <summary>
/// One channel, as its log tells it: open transactions, the replicate gate, producers, broadcasts, the time tick. It does no I/O and
/// reads no clock. Nothing in it changes except by <see cref="Apply"/>, and <see cref="Apply"/> is the same for a record just written
/// and for one read back, so a channel that is opened elsewhere goes on where it stood.
/// <para>The caller, which owns the log, has these duties, in this order:</para>
/// <list type="number">
/// <item>Open: fence the log at the new term, make a machine, or restore one from a snapshot, and <see cref="Apply"/> every record behind it, in
/// order. Acks that <see cref="Applied.Ack"/> gives for records with a source are owed to the control plane again, as are those that were owed
/// when the snapshot was taken: it may never have had them.</item>
/// <item>One request at a time: call a <c>Prepare</c> method, append its <see cref="Prepared{TAnswer}.Records"/> and apply them before the
/// next one is prepared. A prepared request is good for nothing once another record was applied.</item>
/// <item>An error goes to the client; nothing is appended, and what was appended before it stays.</item>
/// <item>Append the records as one batch that is never split. Their LSNs must be those that follow <see cref="LastLsn"/>: the answers, and
/// the begin that a commit names, count on it. If the log takes no more (too much queued), the request is over and the machine is as
/// before: a message that was not appended does not renew its transaction.</item>
/// <item>Apply each record as soon as the log has given it its LSN, without waiting for it to be durable; the next request may then be
/// prepared. Not so where <see cref="Prepared{TAnswer}.Exclusive"/> is set, a change of configuration: wait until it is durable, apply it,
/// and only then let the next one in, so that log and mode cannot disagree.</item>
/// <item>Give the answer when the log is durable up to <see cref="Prepared{TAnswer}.DurableLsn"/>, a repeat's as well, and never before.</item>
/// <item>After a change of configuration: before its answer, deliver every ack still owed for this channel.</item>
/// <item>When the log fails or is fenced, throw the machine away: it may know of records that the log never got. Open again.</item>
/// </list>
/// Not thread-safe: duty 2 is a lock.
/// </summary>
public sealed partial class ChannelMachine
{
    private readonly ChannelLimits _limits;
    private readonly TransactionTable _transactions;
    private readonly ProducerTable _producers;
    private readonly BroadcastLog _broadcasts;
    private ReplicateGate _gate;

    /// <summary>The machine of an empty log.</summary>
    /// <param name="clusterId">The cluster that the channel is of.</param>
    /// <param name="channel">The channel.</param>
    /// <param name="limits">Bounds; the same for every machine of the channel, or a replayed one may remember less.</param>
    public ChannelMachine(string clusterId, string channel, ChannelLimits? limits = null)
    {
        _limits = limits ?? ChannelLimits.Default;
        _transactions = new TransactionTable(_limits.Transactions);
        _producers = new ProducerTable(_limits.Producers, _limits.SequencesPerProducer);
        _broadcasts = new BroadcastLog(_limits.Broadcasts);
        _gate = new ReplicateGate(clusterId, channel);
    }

    private ChannelMachine(ChannelLimits limits, ReplicateGate gate, TransactionTable transactions, ProducerTable producers, BroadcastLog broadcasts) =>
        (_limits, _gate, _transactions, _producers, _broadcasts) = (limits, gate, transactions, producers, broadcasts);

    /// <summary>The cluster.</summary>
    public string ClusterId => _gate.ClusterId;

    /// <summary>The channel.</summary>
    public string Channel => _gate.Channel;

    /// <summary>LSN of the last record applied; 0 = none. It may not be durable yet.</summary>
    public long LastLsn { get; private set; }

    /// <summary>Time tick of the last record applied; 0 = none.</summary>
    public long LastTimeTick { get; private set; }

    /// <summary>No open transaction began at or below this LSN.</summary>
    public long LastConfirmedLsn => _transactions.EarliestBeginLsn - 1 ?? LastLsn;

    /// <summary>What the channel's own log makes of its cluster.</summary>
    public ClusterRole Role => _gate.Role;

    /// <summary>The configuration in force on this channel.</summary>
    public ReplicateConfiguration? Configuration => _gate.Configuration;

    /// <summary>How far a secondary has taken over its source; null where the cluster is none.</summary>
    public ReplicateCheckpoint? Checkpoint => _gate.Checkpoint;

    /// <summary>Where the channel left its last source by force; null where it follows one, or left none so.</summary>
    public ReplicateDeparture? Departure => _gate.Departure;

    /// <summary>Open transactions, by begin.</summary>
    public IReadOnlyList<TransactionSession> OpenTransactions => _transactions.Open;

    /// <summary>How many there are of them.</summary>
    public int OpenTransactionCount => _transactions.OpenCount;

    /// <summary>When the first open transaction expires, by the clock of time ticks (UTC, rounded up to the millisecond); null where none ever does. Look again when the wall clock shows it: see <see cref="PrepareTimeTick"/>.</summary>
    public DateTimeOffset? NextExpiry => _transactions.EarliestExpiryTick is { } tick ? TimeTicks.ToInstant(tick + TimeTicks.PerMillisecond - 1) : null;

    /// <summary>The record of a broadcast on a vchannel of this channel, where it is in the log and still remembered.</summary>
    public BroadcastResult? FindBroadcast(long broadcastId, string vchannel) => _broadcasts.Find(broadcastId, vchannel);

    /// <summary>Takes in the next record of the log, just appended or read back.</summary>
    /// <param name="lsn">Its LSN.</param>
    /// <param name="record">The record.</param>
    /// <exception cref="InvalidDataException">The record cannot follow those before it: the log is damaged, or it is not this channel's.</exception>
    public Applied Apply(long lsn, WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (lsn != LastLsn + 1 || record.TimeTick <= LastTimeTick)
        {
            throw new InvalidDataException($"channel {Channel}: record {lsn} with time tick {record.TimeTick} cannot follow record {LastLsn} with time tick {LastTimeTick}");
        }

        var content = Content(lsn, record);
        (LastLsn, LastTimeTick) = (lsn, record.TimeTick);
        _transactions.Advance(lsn, record.TimeTick);
        ApplyTransaction(lsn, record);
        _gate = content is { Message.AlterReplicateConfig: { } change }
            ? SwitchUnlessIgnored(change, lsn, record, content.RolledBackTxnIds)
            : _gate.After(lsn, record);
        _producers.Apply(lsn, record);
        return content is null ? new Applied(null, []) : ApplyBroadcast(lsn, record, content);
    }

    /// <summary>The whole state in words: equal for two machines that stand at the same place. For a checker that compares a replayed machine with the live one.</summary>
    public string Describe() => string.Join('\n',
    [
        $"{ClusterId}/{Channel} at {LastLsn}, tick {LastTimeTick}, confirmed {LastConfirmedLsn}",
        $"{_gate.Role} of {_gate.SourceCluster}/{_gate.SourceChannel}, checkpoint {_gate.Checkpoint}, {_gate.Transaction}, forced {_gate.ForcedBroadcastId}, {_gate.Departure} {_gate.SentBack}",
        ReplicateEquality.Canonical(_gate.Configuration),
        .. _transactions.Open.Select(s => s.ToString()),
        .. _transactions.Ended.Select(s => s.ToString()),
        .. _producers.Describe(),
        .. _broadcasts.Describe(),
    ]);

    private AlterReplicateConfigRecord? Content(long lsn, WalRecord record)
    {
        if (record.Type is not (WalRecordType.Broadcast or WalRecordType.AlterReplicateConfig))
        {
            return null;
        }

        return BroadcastPayload.TryDecode(record.Type, record.Payload.Span, out var content, out var error)
            ? content
            : throw new InvalidDataException($"channel {Channel}: payload of record {lsn} ({record.Type}) cannot be read: {error}");
    }

    private void ApplyTransaction(long lsn, WalRecord record)
    {
        switch (record.Type)
        {
            case WalRecordType.TxnBegin:
                _transactions.Begin(new TransactionSession(record.TxnId, lsn, record.KeepaliveMs, record.TimeTick, record.Source is not null));
                break;
            case WalRecordType.TxnBody:
                _transactions.Body(record.TxnId, record.TimeTick);
                break;
            case WalRecordType.TxnCommit:
                _transactions.End(new EndedTransaction(record.TxnId, TransactionState.Committed, lsn, record.TimeTick));
                break;
            case WalRecordType.TxnRollback:
                _transactions.End(new EndedTransaction(record.TxnId, TransactionState.RolledBack, lsn, record.TimeTick));
                break;
            default:
                break;
        }
    }

    private ReplicateGate SwitchUnlessIgnored(AlterReplicateConfig change, long lsn, WalRecord record, IReadOnlyList<long> rolledBack)
    {
        foreach (var txnId in rolledBack)
        {
            _transactions.End(new EndedTransaction(txnId, TransactionState.RolledBack, lsn, record.TimeTick, ByConfiguration: true));
        }

        return change.Ignored ? _gate.After(lsn, record) : _gate.Switch(change, record.BroadcastId, record.Source);
    }

    private Applied ApplyBroadcast(long lsn, WalRecord record, AlterReplicateConfigRecord content)
    {
        var vchannel = record.VChannel ?? Channel;
        var ack = new BroadcastAck(lsn, LastConfirmedLsn, record.TimeTick);
        _broadcasts.Add(record.BroadcastId, vchannel, new BroadcastResult(ack, content.RolledBackTxnIds, content.LastReplicated));
        return new Applied(new BroadcastAckRequest(vchannel, ack, content.Message, record.Source), content.RolledBackTxnIds);
    }

    // A tick is never below one that a client was answered by, even when the clock goes back: what was called expired is expired in the log.
    private long NextTick(DateTimeOffset now)
    {
        var tick = TickAt(now);
        _transactions.Observe(tick);
        return tick;
    }

    private long TickAt(DateTimeOffset now) => Math.Max(HybridClock.Next(LastTimeTick, now), _transactions.Observed);

    private static Prepared<T> Refuse<T>(ApiError error)
        where T : class => new(error, null, [], 0, exclusive: false);

    private static Prepared<T> Repeat<T>(T answer, long durableLsn)
        where T : class => new(null, answer, [], durableLsn, exclusive: false);

    private Prepared<T> Append<T>(T answer, IReadOnlyList<WalRecord> records, bool exclusive = false)
        where T : class => new(null, answer, records, LastLsn + records.Count, exclusive);
}
