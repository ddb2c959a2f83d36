using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Baton.Core.Wal;
using Baton.Node.Channels;

namespace Baton.Node.Replicas.Feed;

/// <summary>What a follower does next with its own log.</summary>
/// <param name="Batch">A batch to append, which is durable; else null.</param>
/// <param name="FetchThroughLsn">Else, when above 0: what to fetch from the storage, since it is durable and was not pushed or not kept.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FeedStep(byte[]? Batch, long FetchThroughLsn);

/// <summary>
/// What a leader has pushed, until it is durable. Filled by the task that reads the stream, emptied by the one that owns the replica's log. Batches that
/// are not durable when the stream ends go with this object: a replica must not have them. Over its bound it drops all it holds; what is missing then
/// shows as a gap, which is fetched from the storage once it is durable.
/// </summary>
internal sealed class FeedBuffer(long durableLsn, int maxBytes)
{
    private readonly Lock _gate = new();
    private readonly Queue<Held> _held = new();
    private readonly DurableProgress _progress = new();
    private long _durableLsn = durableLsn;
    private long _bytes;
    private long _lastLsn;
    private bool _ended;
    private Exception? _failure;

    /// <summary>Completes at the next change. Take it before <see cref="Next"/>.</summary>
    public Task Moved => _progress.Moved;

    /// <summary>The last LSN that the leader has called durable.</summary>
    public long DurableLsn
    {
        get
        {
            lock (_gate)
            {
                return _durableLsn;
            }
        }
    }

    /// <summary>The leader has pushed a batch.</summary>
    /// <exception cref="FeedException">It does not follow the one before.</exception>
    public void Add(byte[] batch)
    {
        var first = BinaryPrimitives.ReadInt64LittleEndian(batch.AsSpan(WalBatchCodec.PrefixSizeBytes));
        var count = BinaryPrimitives.ReadUInt32LittleEndian(batch.AsSpan(WalBatchCodec.PrefixSizeBytes + sizeof(long)));
        lock (_gate)
        {
            if (first < 1 || count < 1 || first > long.MaxValue - count || (_lastLsn > 0 && first != _lastLsn + 1))
            {
                throw new FeedException($"the leader pushed {count} records from LSN {first} on behind LSN {_lastLsn}");
            }

            _lastLsn = first + count - 1;
            if (_bytes + batch.Length > maxBytes && _held.Count > 0)
            {
                _held.Clear();
                _bytes = 0;
            }

            _held.Enqueue(new Held(first, _lastLsn, batch));
            _bytes += batch.Length;
        }
    }

    /// <summary>Everything through <paramref name="lsn"/> is durable.</summary>
    public void Durable(long lsn)
    {
        lock (_gate)
        {
            _durableLsn = Math.Max(_durableLsn, lsn);
        }

        _progress.Pulse();
    }

    /// <summary>The stream is over.</summary>
    /// <param name="failure">What it broke with; null when the leader ended it.</param>
    public void End(Exception? failure)
    {
        lock (_gate)
        {
            (_ended, _failure) = (true, failure);
        }

        _progress.Pulse();
    }

    /// <summary>Whether the stream is over, and what it broke with.</summary>
    public bool Ended(out Exception? failure)
    {
        lock (_gate)
        {
            failure = _failure;
            return _ended;
        }
    }

    /// <summary>What comes next for a log that ends at <paramref name="lastLsn"/>. Nothing until <see cref="Moved"/> when it is neither.</summary>
    public FeedStep Next(long lastLsn)
    {
        lock (_gate)
        {
            while (_held.TryPeek(out var old) && old.LastLsn <= lastLsn)
            {
                Take();
            }

            if (_durableLsn <= lastLsn)
            {
                return default;
            }

            if (!_held.TryPeek(out var next))
            {
                return new FeedStep(null, _durableLsn);
            }

            if (next.FirstLsn > lastLsn + 1)
            {
                return new FeedStep(null, Math.Min(_durableLsn, next.FirstLsn - 1));
            }

            return next.LastLsn <= _durableLsn ? new FeedStep(Take(), 0) : default;
        }
    }

    private byte[] Take()
    {
        var batch = _held.Dequeue().Batch;
        _bytes -= batch.Length;
        return batch;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Held(long FirstLsn, long LastLsn, byte[] Batch);
}
