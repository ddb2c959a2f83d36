using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Channels;
using Baton.Node.Messages;
using Baton.Storage.Wal;

namespace Baton.Node.Replicas.Feed;

/// <summary>
/// A led channel's pushes to the replicas that follow it. The log's writer tells it of each batch twice: before it is sent to the storage, when sync replicas
/// get it, and when it is durable, when async replicas get it and all hear so, and readers find it in memory. One batch is under way at a time. Without replicas and
/// readers it keeps two numbers and copies nothing.
/// </summary>
/// <param name="lastDurableLsn">Where the log ends.</param>
/// <param name="recent">What readers find.</param>
internal sealed class LeaderFeed(long lastDurableLsn, RecentBatches recent) : IWalBatchObserver
{
    private readonly Lock _gate = new();
    private readonly List<FeedSubscriber> _subscribers = [];
    private readonly Dictionary<string, long> _flushed = new(StringComparer.Ordinal);
    private readonly DurableProgress _reports = new();
    private long _durableLsn = lastDurableLsn;
    private long _nextLsn = lastDurableLsn + 1;
    private byte[]? _underWay;
    private bool _ended;

    /// <summary>How many replicas follow.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _subscribers.Count;
            }
        }
    }

    /// <summary>Completes when a replica next tells how far it is. Take it before <see cref="CountAt"/>.</summary>
    public Task Reported => _reports.Moved;

    /// <summary>How many of the replicas that follow and count have told that they have everything through <paramref name="lsn"/>.</summary>
    public int CountAt(long lsn, Func<string, bool> counts)
    {
        lock (_gate)
        {
            return _flushed.Count(f => f.Value >= lsn && counts(f.Key));
        }
    }

    /// <summary>Adds a replica. Its first push begins at the LSN returned, whatever is under way meanwhile. A replica that follows already moves to the new connection.</summary>
    /// <returns>Null where the leadership has ended.</returns>
    /// <exception cref="ApiException">Overloaded: too many follow.</exception>
    public (FeedSubscriber Subscriber, long NextLsn, long DurableLsn)? Subscribe(string channel, string nodeId, ReplicaMode mode, int queueBytes)
    {
        lock (_gate)
        {
            if (_ended)
            {
                return null;
            }

            // What is left of an earlier connection of the same node is not known to be dead yet.
            foreach (var earlier in _subscribers.Where(s => s.NodeId == nodeId).ToArray())
            {
                Drop(earlier);
            }

            if (_subscribers.Count >= (channel == MetadataChannel.Name ? FollowSettings.MaxMetadataSubscribers : FollowSettings.MaxSubscribers))
            {
                throw new ApiException(ApiErrorCode.Overloaded, $"{_subscribers.Count} replicas follow channel {channel} already, and no more may") { RetryAfterSeconds = 5 };
            }

            var subscriber = new FeedSubscriber(nodeId, mode, queueBytes);
            _subscribers.Add(subscriber);
            return (subscriber, _nextLsn, _durableLsn);
        }
    }

    /// <summary>Takes a replica out.</summary>
    public void Unsubscribe(FeedSubscriber subscriber)
    {
        lock (_gate)
        {
            Drop(subscriber);
            if (!_subscribers.Exists(s => s.NodeId == subscriber.NodeId))
            {
                _flushed.Remove(subscriber.NodeId);
            }
        }
    }

    /// <summary>A replica has told how far it is. Of one that does not follow this says nothing, and nothing is kept.</summary>
    public void Progress(string nodeId, long flushedLsn)
    {
        lock (_gate)
        {
            if (_subscribers.Exists(s => s.NodeId == nodeId))
            {
                _flushed[nodeId] = flushedLsn;
            }
        }

        _reports.Pulse();
    }

    /// <summary>The replicas that follow.</summary>
    public IReadOnlyList<ReplicaStatus> Replicas()
    {
        lock (_gate)
        {
            return [.. _subscribers.Select(s => (s, Flushed: _flushed.GetValueOrDefault(s.NodeId))).Select(r => new ReplicaStatus(r.s.NodeId, r.s.Mode, r.Flushed, Math.Max(0, _durableLsn - r.Flushed)))];
        }
    }

    /// <inheritdoc/>
    public void Writing(long firstLsn, int count, ReadOnlyMemory<byte> batch)
    {
        lock (_gate)
        {
            _nextLsn = firstLsn + count;
            _underWay = _subscribers.Count > 0 || recent.Wants(batch.Length) ? batch.ToArray() : null;
            PushTo(ReplicaMode.Sync, new FeedPush(_underWay, 0));
        }
    }

    /// <inheritdoc/>
    public void Durable(long lastLsn)
    {
        lock (_gate)
        {
            recent.Add(_durableLsn + 1, lastLsn, _underWay);
            _durableLsn = lastLsn;
            PushTo(ReplicaMode.Async, new FeedPush(_underWay, 0));
            _underWay = null;
            PushTo(null, new FeedPush(null, lastLsn));
        }
    }

    /// <summary>The leadership has ended: so do all streams, when what is queued has gone out.</summary>
    public void End()
    {
        lock (_gate)
        {
            _ended = true;
            _subscribers.ForEach(s => s.Complete());
            _subscribers.Clear();
            _flushed.Clear();
            _underWay = null;
            recent.Close();
        }
    }

    // A replica that came while a batch was under way has no bytes of it: the durable mark tells it of the gap.
    private void PushTo(ReplicaMode? mode, FeedPush push)
    {
        if (push is { Batch: null, DurableLsn: 0 })
        {
            return;
        }

        for (var i = _subscribers.Count - 1; i >= 0; i--)
        {
            if ((mode is null || _subscribers[i].Mode == mode) && !_subscribers[i].TryPush(push))
            {
                _subscribers.RemoveAt(i);
            }
        }
    }

    private void Drop(FeedSubscriber subscriber)
    {
        subscriber.Complete();
        _subscribers.Remove(subscriber);
    }
}
