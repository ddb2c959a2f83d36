using Baton.Core.Api;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Messages;

/// <summary>Bounds how many reads of this node may wait for a channel to grow.</summary>
internal sealed class WaitingReaders(IOptions<NodeSettings> node)
{
    private readonly int _max = node.Value.MaxWaitingReaders;
    private int _count;

    /// <summary>Reads that are under way and may wait.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>A place for one read; disposed when it is answered.</summary>
    /// <exception cref="ApiException">429: there are as many as may be.</exception>
    public IDisposable Enter()
    {
        if (Interlocked.Increment(ref _count) > _max)
        {
            Interlocked.Decrement(ref _count);
            throw new ApiException(ApiErrorCode.Overloaded, $"{_max} reads wait on this node, as many as may (Node:MaxWaitingReaders): read without waitMs, or later") { RetryAfterSeconds = 1 };
        }

        return new Place(this);
    }

    private sealed class Place(WaitingReaders readers) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref readers._count);
    }
}
