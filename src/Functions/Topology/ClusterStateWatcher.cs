using Baton.Core.Cluster;

namespace Baton.Functions.Topology;

/// <summary>
/// Lets long polls wait for a newer cluster state. One loop reads the version for all who wait, every <see cref="PollInterval"/>, and only
/// while somebody does: without gateways there is no read at all.
/// </summary>
internal sealed class ClusterStateWatcher(ClusterStateStore store, TimeProvider time, ILogger<ClusterStateWatcher> logger)
{
    /// <summary>Adds half of itself, on average, to the time until a gateway sees a failover; its price is one small read each.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(25);

    private readonly Lock _lock = new();
    private TaskCompletionSource<ClusterState>? _next;
    private int _waiting;
    private long _known;

    /// <summary>The state once its version is above <paramref name="since"/>, or null when <paramref name="wait"/> is over first.</summary>
    public async Task<ClusterState?> WaitAsync(long since, TimeSpan wait, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var until = Task.Delay(wait, time, over.Token);
        try
        {
            var current = (await store.ReadAsync(cancellationToken)).State;
            while (current.Version <= since)
            {
                var changed = Enter(current.Version);
                try
                {
                    if (await Task.WhenAny(changed, until) != changed)
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        return null;
                    }

                    current = await changed;
                }
                finally
                {
                    Leave();
                }
            }

            return current;
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    // A waiter that knows less than the loop has seen would wait for a change that has been: the loop then looks again at what it knows.
    private Task<ClusterState> Enter(long version)
    {
        lock (_lock)
        {
            _waiting++;
            _known = _next is null ? version : Math.Min(_known, version);
            if (_next is null)
            {
                _next = new TaskCompletionSource<ClusterState>(TaskCreationOptions.RunContinuationsAsynchronously);
                _ = WatchAsync(_next);
            }

            return _next.Task;
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            _waiting--;
        }
    }

    // Owned by the waiters: it ends when a change was found, when nobody waits, or with the failure that they all see.
    private async Task WatchAsync(TaskCompletionSource<ClusterState> found)
    {
        try
        {
            while (true)
            {
                await Task.Delay(PollInterval, time);
                if (StopIfUnwatched(found))
                {
                    return;
                }

                if (await store.ReadVersionAsync(CancellationToken.None) > Known())
                {
                    var state = (await store.ReadAsync(CancellationToken.None)).State;
                    Reset(found);
                    found.SetResult(state);
                    return;
                }
            }
        }
        catch (Exception e)
        {
            logger.LogWarning("Watching the cluster's state failed: {Reason}", e.Message);
            Reset(found);
            found.SetException(e);
        }
    }

    private long Known()
    {
        lock (_lock)
        {
            return _known;
        }
    }

    private bool StopIfUnwatched(TaskCompletionSource<ClusterState> found)
    {
        lock (_lock)
        {
            if (_waiting > 0)
            {
                return false;
            }

            _next = null;
            found.TrySetCanceled();
            return true;
        }
    }

    private void Reset(TaskCompletionSource<ClusterState> found)
    {
        lock (_lock)
        {
            if (_next == found)
            {
                _next = null;
            }
        }
    }
}
