using System.Threading.Channels;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Edge.Retries;
using Baton.Node.Channels;
using Baton.Node.Leadership;

namespace Baton.Node.Broadcasts;

/// <summary>A record of a broadcast that came by replication, to be acked once it is durable.</summary>
/// <param name="Lsn">Its LSN in this channel.</param>
/// <param name="BroadcastId">The broadcast.</param>
/// <param name="Request">The ack.</param>
/// <param name="Durable">Completes when the record is in the log for good.</param>
internal sealed record PendingAck(long Lsn, long BroadcastId, BroadcastAckRequest Request, Task Durable);

/// <summary>
/// Tells the control plane of replicated broadcast records of one channel. Whoever appended a broadcast here acks it himself; of what came by
/// replication only this node knows. An ack is repeated until it is taken: a promotion completes broadcasts from their acks, so none may be lost.
/// <para>
/// An ack is queued, in log order, then held by one of a few senders, then taken. Senders come for acks in the order of the queue, and each holds its own until that is taken. The ack of a
/// record on a control vchannel, by whose order the control plane runs callbacks, is sent only when none of a lower LSN is left (B60). Its sender waits for that, and can: whatever is lower was
/// queued before it, so it is taken or with another sender, and the lowest of all waits for nobody. A node that dies, or a channel that moves, leaves the acks not taken to the next
/// leader, which finds them in the snapshot or the log, queues them in the same order, and may send some of them twice.
/// </para>
/// </summary>
internal sealed partial class BroadcastAcks : IAsyncDisposable
{
    /// <summary>Acks on their way beyond which replicated broadcasts are refused for a while.</summary>
    public const int MaxPending = 1_000;

    private const int Senders = 4;
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);

    private readonly string _channel;
    private readonly ControlPlaneClient _controlPlane;
    private readonly AckTurns _turns;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Channel<PendingAck> _queue = Channel.CreateUnbounded<PendingAck>();
    private readonly SortedDictionary<long, PendingAck> _pending = [];
    private readonly DurableProgress _progress = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _senders;

    public BroadcastAcks(string channel, ControlPlaneClient controlPlane, AckTurns turns, TimeProvider time, ILogger log)
    {
        (_channel, _controlPlane, _turns, _time, _log) = (channel, controlPlane, turns, time, log);
        _senders = Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => Task.Run(SendAsync)));
    }

    /// <summary>Acks on their way.</summary>
    public int Pending
    {
        get
        {
            lock (_pending)
            {
                return _pending.Count;
            }
        }
    }

    /// <summary>Acks on their way, in the log's order: what a snapshot must not lose.</summary>
    public IReadOnlyList<PendingAck> Owed()
    {
        lock (_pending)
        {
            return [.. _pending.Values];
        }
    }

    /// <summary>Takes an ack. Call in log order, before the record can be durable for anybody else.</summary>
    public void Add(PendingAck ack)
    {
        lock (_pending)
        {
            _pending[ack.Lsn] = ack;
        }

        _queue.Writer.TryWrite(ack);
    }

    /// <summary>True once every ack below <paramref name="lsn"/> has been taken; false when <paramref name="timeout"/> comes first.</summary>
    public async Task<bool> FlushedBelowAsync(long lsn, TimeSpan timeout, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ct);
        try
        {
            await NoneBelowAsync(lsn, either.Token);
            return true;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stop.CancelAsync();
        await _senders;
        _stop.Dispose();
    }

    private async Task NoneBelowAsync(long lsn, CancellationToken ct)
    {
        while (true)
        {
            var moved = _progress.Moved;
            lock (_pending)
            {
                if (_pending.Count == 0 || _pending.Keys.First() >= lsn)
                {
                    return;
                }
            }

            await moved.WaitAsync(ct);
        }
    }

    private async Task SendAsync()
    {
        try
        {
            await foreach (var ack in _queue.Reader.ReadAllAsync(_stop.Token))
            {
                await DeliverAsync(ack);
                lock (_pending)
                {
                    _pending.Remove(ack.Lsn);
                }

                _progress.Pulse();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The channel is closing; its next leader finds them in the snapshot or the log and sends them again.
        }
    }

    private async Task DeliverAsync(PendingAck ack)
    {
        try
        {
            await ack.Durable.WaitAsync(_stop.Token);
        }
        catch (Exception) when (ack.Durable.IsFaulted)
        {
            // Not in the log, or nobody can tell: the channel ends with the same error, and its next leader reads the truth.
            await Task.Delay(Timeout.InfiniteTimeSpan, _stop.Token);
        }

        if (VChannels.IsControl(ack.Request.VChannel))
        {
            await NoneBelowAsync(ack.Lsn, _stop.Token);
        }

        var backoff = new Backoff(FirstRetry, LongestRetry);
        while (true)
        {
            try
            {
                await _turns.TakeAsync(() => _controlPlane.AckBroadcastAsync(ack.BroadcastId, ack.Request, _stop.Token), _stop.Token);
                return;
            }
            catch (ControlPlaneException e)
            {
                var delay = backoff.Next();
                LogAckFailed(_log, ack.BroadcastId, ack.Request.VChannel, _channel, ack.Lsn, e.Message, (int)delay.TotalMilliseconds);
                await Task.Delay(delay, _time, _stop.Token);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Ack of broadcast {BroadcastId} on {VChannel} (channel {Channel}, LSN {Lsn}) failed: {Reason}; again in {DelayMs} ms")]
    private static partial void LogAckFailed(ILogger log, long broadcastId, string vchannel, string channel, long lsn, string reason, int delayMs);
}
