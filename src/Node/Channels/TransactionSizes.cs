using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.Node.Answers;

namespace Baton.Node.Channels;

/// <summary>Payload bytes of open local transactions. A reader gets a transaction in one answer, so a transaction has a bound of its own. Used in the channel's turn only.</summary>
internal sealed class TransactionSizes(int maxBytes = RequestLimits.TransactionBytes)
{
    private readonly Dictionary<long, long> _bytes = [];

    /// <summary>Transactions with a size.</summary>
    public int Count => _bytes.Count;

    /// <summary>Null where the transaction may grow by <paramref name="bodies"/>, which are all of one.</summary>
    public ApiError? Check(IReadOnlyList<WalRecord> bodies)
    {
        if (bodies.Count == 0)
        {
            return null;
        }

        var txnId = bodies[0].TxnId;
        return _bytes.GetValueOrDefault(txnId) + bodies.Sum(b => (long)b.Payload.Length) <= maxBytes
            ? null
            : new ApiError(ApiErrorCode.PayloadTooLarge, $"transaction {txnId} would hold more than {maxBytes} bytes: commit it and begin another");
    }

    /// <summary>A record is in the log.</summary>
    public void Apply(WalRecord record)
    {
        if (record.Source is not null)
        {
            return;
        }

        switch (record.Type)
        {
            case WalRecordType.TxnBody:
                _bytes[record.TxnId] = _bytes.GetValueOrDefault(record.TxnId) + record.Payload.Length;
                break;
            case WalRecordType.TxnCommit or WalRecordType.TxnRollback:
                _bytes.Remove(record.TxnId);
                break;
            default:
                break;
        }
    }

    /// <summary>All sizes, by id: what a snapshot keeps.</summary>
    public SortedDictionary<long, long> Sorted() => new(_bytes);

    /// <summary>Takes over the sizes of a snapshot.</summary>
    public void Restore(IEnumerable<KeyValuePair<long, long>> sizes)
    {
        foreach (var (txnId, bytes) in sizes)
        {
            _bytes[txnId] = bytes;
        }
    }

    /// <summary>Forgets transactions that ended without a record of their own: expired, or by a change of configuration.</summary>
    public void Keep(IReadOnlyCollection<long> open)
    {
        foreach (var txnId in _bytes.Keys.Where(id => !open.Contains(id)).ToArray())
        {
            _bytes.Remove(txnId);
        }
    }
}
