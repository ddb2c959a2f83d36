using System.Runtime.InteropServices;
using System.Threading.Channels;
using Baton.Core.Cluster;

namespace Baton.Node.Replicas.Feed;

/// <summary>A push that waits for one replica.</summary>
/// <param name="Batch">The batch's bytes, shared by all that wait for it; null for a durable mark.</param>
/// <param name="DurableLsn">Of a durable mark: its LSN.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FeedPush(byte[]? Batch, long DurableLsn);

/// <summary>
/// What one replica has still to be sent. Filled by the log's writer, which it never keeps waiting; emptied by the request that the replica holds open.
/// When it is over its bound it is full for good: what is left out would be a gap that the replica can only fill from the storage anyway.
/// </summary>
internal sealed class FeedSubscriber(string nodeId, ReplicaMode mode, int maxBytes) : IDisposable
{
    /// <summary>What a push costs beside its bytes: keeps a queue of durable marks bounded too.</summary>
    private const int PushBytes = 64;

    private readonly Channel<FeedPush> _pushes = Channel.CreateUnbounded<FeedPush>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly CancellationTokenSource _overflow = new();
    private long _bytes;

    /// <summary>The replica's node.</summary>
    public string NodeId { get; } = nodeId;

    /// <summary>When it gets a batch.</summary>
    public ReplicaMode Mode { get; } = mode;

    /// <summary>What is to be sent, in order. Completes when the leadership ends or the replica was too slow.</summary>
    public ChannelReader<FeedPush> Pushes => _pushes.Reader;

    /// <summary>Cancelled when the replica was too slow.</summary>
    public CancellationToken TooSlow => _overflow.Token;

    /// <summary>Queues a push. False, once and for ever, where that would be too much.</summary>
    public bool TryPush(FeedPush push)
    {
        // One batch alone always fits, however large.
        var size = Size(push);
        if (Interlocked.Add(ref _bytes, size) > maxBytes && Volatile.Read(ref _bytes) > size)
        {
            _pushes.Writer.TryComplete();

            // Off this thread, which is the log's writer: it must not run what others have registered.
            _ = _overflow.CancelAsync();
            return false;
        }

        return _pushes.Writer.TryWrite(push);
    }

    /// <summary>A push has been taken.</summary>
    public void Sent(FeedPush push) => Interlocked.Add(ref _bytes, -Size(push));

    /// <summary>Nothing more will come; what is queued still goes out.</summary>
    public void Complete() => _pushes.Writer.TryComplete();

    public void Dispose() => _overflow.Dispose();

    private static long Size(FeedPush push) => PushBytes + (push.Batch?.Length ?? 0);
}
