using System.Runtime.InteropServices;
using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Node.Messages;

/// <summary>What the channels of a node may keep of their ends in memory, together.</summary>
/// <param name="most">Bytes at most.</param>
internal sealed class RecentBytes(long most)
{
    private long _kept;

    /// <summary>Bytes at most; 0 keeps nothing.</summary>
    public long Most => most;

    /// <summary>Bytes that are kept now.</summary>
    public long Kept => Volatile.Read(ref _kept);

    /// <summary>Takes so many, if they are left.</summary>
    public bool TryTake(int bytes)
    {
        if (Interlocked.Add(ref _kept, bytes) <= most)
        {
            return true;
        }

        Return(bytes);
        return false;
    }

    /// <summary>Gives so many back.</summary>
    public void Return(int bytes) => Interlocked.Add(ref _kept, -bytes);
}

/// <summary>
/// The end of a led channel's log as it was written to the storage, for those who read it at once, as nearly all do: a reader that waits for a record would cost the storage a call for each, while writers want it.
/// Only what is durable comes in, whole batches without a gap, and only while somebody reads here.
/// </summary>
internal sealed class RecentBatches(RecentBytes budget)
{
    /// <summary>Bytes that one channel keeps at most.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>After so many batches that nobody has read, nobody reads here any more.</summary>
    public const int MaxUnread = 64;

    private readonly Lock _gate = new();
    private readonly Queue<Kept> _kept = new();
    private int _bytes;
    private int _unread = MaxUnread;
    private long _lastLsn;
    private bool _closed;

    /// <summary>Whether the next batch is worth a copy.</summary>
    public bool Wants(int batchBytes)
    {
        lock (_gate)
        {
            return !_closed && _unread < MaxUnread && batchBytes <= Math.Min(MaxBytes, budget.Most);
        }
    }

    /// <summary>A batch has become durable.</summary>
    /// <param name="firstLsn">Its first LSN.</param>
    /// <param name="lastLsn">Its last.</param>
    /// <param name="batch">An array of its own, which nobody changes; null where no copy was made.</param>
    public void Add(long firstLsn, long lastLsn, byte[]? batch)
    {
        lock (_gate)
        {
            _unread = Math.Min(_unread + 1, MaxUnread);
            var isToKeep = batch is not null && batch.Length <= MaxBytes && !_closed && _unread < MaxUnread;
            while (_kept.Count > 0 && (!isToKeep || firstLsn != _lastLsn + 1 || _bytes + batch!.Length > MaxBytes))
            {
                Drop();
            }

            if (isToKeep && budget.TryTake(batch!.Length))
            {
                _kept.Enqueue(new Kept(firstLsn, lastLsn, batch));
                _bytes += batch.Length;
                _lastLsn = lastLsn;
            }
        }
    }

    /// <summary>The records from one LSN through another; null unless all of them are here.</summary>
    public IReadOnlyList<WalEntry>? Find(long fromLsn, long throughLsn, long term)
    {
        List<byte[]> batches;
        lock (_gate)
        {
            _unread = 0;
            if (!_kept.TryPeek(out var oldest) || oldest.FirstLsn > fromLsn || _lastLsn < throughLsn)
            {
                return null;
            }

            batches = [.. _kept.Where(b => b.LastLsn >= fromLsn && b.FirstLsn <= throughLsn).Select(b => b.Batch)];
        }

        return
        [
            .. batches.Select(b => WalBatchCodec.Decode(b))
                .SelectMany(b => b.Records.Select((record, i) => new WalEntry(b.FirstLsn + i, term, record)))
                .Where(e => e.Lsn >= fromLsn && e.Lsn <= throughLsn),
        ];
    }

    /// <summary>Forgets all, and keeps nothing any more.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            while (_kept.Count > 0)
            {
                Drop();
            }
        }
    }

    private void Drop()
    {
        var length = _kept.Dequeue().Batch.Length;
        _bytes -= length;
        budget.Return(length);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Kept(long FirstLsn, long LastLsn, byte[] Batch);
}
