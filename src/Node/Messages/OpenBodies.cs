using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Node.Messages;

/// <summary>Bodies of the transactions that began inside one scan, so that their commits need no second read. Bounded: over the bound it forgets.</summary>
internal sealed class OpenBodies(int maxBytes)
{
    private readonly Dictionary<long, Open> _open = [];
    private long _bytes;

    /// <summary>Transactions that end here without their messages. A commit of one shows nothing, by reading back.</summary>
    public void Drop(Func<long, bool> ends)
    {
        foreach (var txnId in _open.Keys.Where(ends).ToArray())
        {
            Forget(txnId);
        }
    }

    /// <summary>A begin, body or rollback.</summary>
    public void Take(WalEntry entry)
    {
        var record = entry.Record;
        if (record.Type == WalRecordType.TxnBegin)
        {
            Forget(record.TxnId);
            _open[record.TxnId] = new Open(entry.Lsn);
        }
        else if (record.Type == WalRecordType.TxnRollback)
        {
            Forget(record.TxnId);
        }
        else if (_open.TryGetValue(record.TxnId, out var open))
        {
            // A copy: the payload is a slice of its whole batch, which would otherwise be kept with it, beyond what is counted here.
            open.Bodies.Add(entry with { Record = record with { Payload = record.Payload.ToArray() } });
            open.Bytes += record.Payload.Length;
            _bytes += record.Payload.Length;
            if (_bytes > maxBytes)
            {
                _open.Clear();
                _bytes = 0;
            }
        }
    }

    /// <summary>The bodies that <paramref name="commit"/> commits, or null when they must be read back.</summary>
    public IReadOnlyList<WalEntry>? Commit(WalEntry commit)
    {
        var (txnId, begin) = (commit.Record.TxnId, commit.Record.TxnBeginLsn);
        if (_open.TryGetValue(txnId, out var open) && open.BeginLsn == begin)
        {
            Forget(txnId);
            return open.Bodies;
        }

        return null;
    }

    private void Forget(long txnId)
    {
        if (_open.Remove(txnId, out var open))
        {
            _bytes -= open.Bytes;
        }
    }

    private sealed class Open(long beginLsn)
    {
        public long BeginLsn { get; } = beginLsn;

        public List<WalEntry> Bodies { get; } = [];

        public long Bytes { get; set; }
    }
}
