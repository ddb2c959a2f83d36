using Baton.Core.Api;
using Baton.Core.Channels;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Core.Cdc;

/// <summary>Whose log it is, to whom it goes, and where that began.</summary>
/// <param name="ClusterId">The source cluster.</param>
/// <param name="TargetCluster">The cluster that the records go to.</param>
/// <param name="ConfigLsn">LSN of the configuration that created the direction. Changes of configuration before it are history.</param>
public sealed record DeliveryTerms(string ClusterId, string TargetCluster, long ConfigLsn);

/// <summary>What one record of the log delivers.</summary>
/// <param name="Messages">To be sent now, in this order.</param>
/// <param name="ReadBack">The transaction to be sent now, which has to be read back from the log.</param>
/// <param name="Ends">Behind these messages the direction is over: they are a configuration without it.</param>
public readonly record struct Delivery(IReadOnlyList<ReadMessage> Messages, TransactionReadBack? ReadBack = null, bool Ends = false);

/// <summary>
/// Puts the records of a log into the order in which a target takes them: plain records as they stand; a transaction whole, where its commit stands, as begin, bodies and
/// commit with nothing between, all with the commit's time tick, so that no tick is at or below that of a record sent before; time ticks and what was dropped never.
/// <para>
/// It is given every record from some LSN on, in log order. Bodies of transactions that begin there are kept, within bounds; the others, and those that were too large, are read
/// back when their commit comes. What ends a transaction is in the log alone, and a writer commits nothing that has ended, so a commit is always of one that is whole.
/// </para>
/// </summary>
/// <param name="terms">The direction.</param>
/// <param name="keptBytes">Bytes of open transactions kept, in memory. Over it all are forgotten, and read back at their commits.</param>
public sealed class DeliveryOrder(DeliveryTerms terms, int keptBytes)
{
    /// <summary>Open transactions kept. One that expires leaves no record of its own, so some of those kept never end.</summary>
    public const int MaxOpen = 1_024;

    /// <summary>What a message takes in memory beside payload and key: one without either takes room too, and a transaction may have very many.</summary>
    private const int MessageBytes = 256;

    private static readonly Delivery Nothing = new([]);

    private readonly Dictionary<long, List<ReadMessage>> _open = [];
    private long _bytes;

    /// <summary>Bytes kept now.</summary>
    public long KeptBytes => _bytes;

    /// <summary>Takes the next record of the log.</summary>
    /// <exception cref="InvalidDataException">It is a change of configuration that cannot be read: the log is damaged.</exception>
    public Delivery Take(long lsn, WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        switch (record.Type)
        {
            case WalRecordType.Message or WalRecordType.Broadcast:
                return new Delivery([Show(lsn, record)]);
            case WalRecordType.AlterReplicateConfig:
                return Configuration(lsn, record);
            case WalRecordType.TxnBegin:
                Forget(record.TxnId);
                Keep(record.TxnId, [], Show(lsn, record));
                return Nothing;
            case WalRecordType.TxnBody:
                if (_open.TryGetValue(record.TxnId, out var kept))
                {
                    Keep(record.TxnId, kept, Show(lsn, record));
                }

                return Nothing;
            case WalRecordType.TxnRollback:
                Forget(record.TxnId);
                return Nothing;
            case WalRecordType.TxnCommit:
                return Committed(lsn, record);
            default:
                return Nothing;
        }
    }

    /// <summary>The record as it is sent: with the names, the payload and the time tick that it has in the source, and no position of an earlier source.</summary>
    public static ReadMessage Show(long lsn, WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return new ReadMessage(
            lsn,
            record.TimeTick,
            record.Type,
            record.VChannel,
            record.Key,
            record.Payload.ToArray(),
            record.TxnId == 0 ? null : record.TxnId,
            record.Type == WalRecordType.TxnBegin ? record.KeepaliveMs : null,
            record.BroadcastId == 0 ? null : record.BroadcastId);
    }

    /// <summary>Whether a change of configuration, not an ignored one, has no such direction any more.</summary>
    public static bool EndsDirection(WalRecord record, DeliveryTerms terms)
    {
        ArgumentNullException.ThrowIfNull(terms);
        var change = Content(record).Message.AlterReplicateConfig!;
        return !change.Ignored && !ReplicateRoles.TargetsOf(change.Configuration, terms.ClusterId).Contains(terms.TargetCluster, StringComparer.Ordinal);
    }

    private static AlterReplicateConfigRecord Content(WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return BroadcastPayload.TryDecode(record.Type, record.Payload.Span, out var content, out var error)
            ? content
            : throw new InvalidDataException($"a change of configuration with time tick {record.TimeTick} cannot be read: {error}");
    }

    private Delivery Configuration(long lsn, WalRecord record)
    {
        var content = Content(record);
        if (content.Message.AlterReplicateConfig is { Ignored: false } change)
        {
            foreach (var txnId in change.Forced ? [.. _open.Keys] : content.RolledBackTxnIds)
            {
                Forget(txnId);
            }
        }

        return lsn < terms.ConfigLsn ? Nothing : new Delivery([Show(lsn, record)], Ends: EndsDirection(record, terms));
    }

    private Delivery Committed(long lsn, WalRecord record)
    {
        if (!_open.TryGetValue(record.TxnId, out var kept) || kept[0].Lsn != record.TxnBeginLsn)
        {
            // Readers, too, drop a commit of what never began.
            return record.TxnBeginLsn > 0 ? new Delivery([], new TransactionReadBack(lsn, record)) : Nothing;
        }

        Forget(record.TxnId);
        return new Delivery([.. kept.Select(m => m with { TimeTick = record.TimeTick }), Show(lsn, record)]);
    }

    private void Keep(long txnId, List<ReadMessage> messages, ReadMessage next)
    {
        messages.Add(next);
        _open[txnId] = messages;
        _bytes += BytesOf(next);
        if (_bytes > keptBytes || _open.Count > MaxOpen)
        {
            _open.Clear();
            _bytes = 0;
        }
    }

    private void Forget(long txnId)
    {
        if (_open.Remove(txnId, out var messages))
        {
            _bytes -= messages.Sum(BytesOf);
        }
    }

    private static long BytesOf(ReadMessage message) => MessageBytes + message.Payload.Length + (sizeof(char) * (long)((message.Key?.Length ?? 0) + (message.VChannel?.Length ?? 0)));
}

/// <summary>A transaction whose commit is to be delivered, and whose records are not in memory: it is given those from its begin up to its commit, in log order.</summary>
public sealed class TransactionReadBack
{
    private readonly WalRecord _commit;

    internal TransactionReadBack(long commitLsn, WalRecord commit)
    {
        _commit = commit;
        Commit = DeliveryOrder.Show(commitLsn, commit);
    }

    /// <summary>LSN of the begin.</summary>
    public long FromLsn => _commit.TxnBeginLsn;

    /// <summary>LSN of the record before the commit.</summary>
    public long ThroughLsn => Commit.Lsn - 1;

    /// <summary>The commit, to be sent last.</summary>
    public ReadMessage Commit { get; }

    /// <summary>The message to be sent for a record; null where it is not of this transaction.</summary>
    /// <exception cref="InvalidDataException">The transaction does not begin where its commit says, or is ended before: no writer commits such a one.</exception>
    public ReadMessage? Take(long lsn, WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        var own = record.TxnId == _commit.TxnId && record.Type is WalRecordType.TxnBegin or WalRecordType.TxnBody or WalRecordType.TxnCommit or WalRecordType.TxnRollback;
        var right = (own, record.Type) switch
        {
            (true, WalRecordType.TxnBegin) => lsn == FromLsn,
            (true, WalRecordType.TxnBody) => lsn > FromLsn,
            (true, _) => false,
            _ => lsn > FromLsn,
        };
        return right
            ? own ? DeliveryOrder.Show(lsn, record) with { TimeTick = _commit.TimeTick } : null
            : throw new InvalidDataException($"transaction {_commit.TxnId}, committed at LSN {Commit.Lsn}, is not what the log has from LSN {FromLsn} on: see LSN {lsn}");
    }
}
