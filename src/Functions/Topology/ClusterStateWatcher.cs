using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Functions.Topology;

/// <summary>
/// Lets long polls wait for a newer cluster state. One loop reads for all who wait, and only while somebody does: without gateways there is no read at all. What this process writes
/// itself wakes them at once; what another instance writes is found at the next look, after <see cref="LongPollOptions.Look"/> at most.
/// <para>
/// A storage service that does not answer for a while is no reason to send thousands of gateways away with an error, to come back at once: the loop goes on trying, and they wait on. Whose wait
/// ends meanwhile is told that nothing newer is known, which is true. Only one who came when the storage was away already, and for whose whole wait nothing could be read, gets an error.
/// </para>
/// <para>
/// A version above the stored one, as after the storage was restored, waits like any other and gets no state that is older than what its gateway has.
/// </para>
/// </summary>
internal sealed class ClusterStateWatcher
{
    // What a route change after an outage of the storage may be late by.
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(100);

    // Who waits for less than a read takes is still answered by what is stored.
    private static readonly TimeSpan FirstReadPatience = TimeSpan.FromSeconds(2);

    private readonly ClusterStateStore _store;
    private readonly LongPollOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<ClusterStateWatcher> _logger;
    private readonly Lock _lock = new();
    private TaskCompletionSource _news = NewNews();
    private ClusterState? _known;
    private int _waiting;
    private bool _watching;

    public ClusterStateWatcher(ClusterStateStore store, LongPollOptions options, TimeProvider time, ILogger<ClusterStateWatcher> logger)
    {
        (_store, _options, _time, _logger) = (store, options, time, logger);
        store.WhenWritten(Take);
    }

    /// <summary>The state once its version is above <paramref name="since"/>, or null when <paramref name="wait"/> is over first.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.Unavailable"/>: nothing could be read in all that time.</exception>
    public async Task<ClusterState?> WaitAsync(long since, TimeSpan wait, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var until = Task.Delay(wait, _time, over.Token);
        var patient = false;
        Enter();
        try
        {
            while (true)
            {
                var (known, news) = Look();
                if (known?.Version > since)
                {
                    return known;
                }

                if (until.IsCompleted)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    if (known is not null)
                    {
                        return null;
                    }

                    if (patient)
                    {
                        throw new ApiException(ApiErrorCode.Unavailable, "The cluster's state cannot be read now; ask again.") { RetryAfterSeconds = 1 };
                    }

                    patient = true;
                    until = Task.Delay(wait < FirstReadPatience ? FirstReadPatience - wait : TimeSpan.Zero, _time, over.Token);
                }

                await Task.WhenAny(news, until);
            }
        }
        finally
        {
            Leave();
            await over.CancelAsync();
        }
    }

    private static TaskCompletionSource NewNews() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private (ClusterState? Known, Task News) Look()
    {
        lock (_lock)
        {
            return (_known, _news.Task);
        }
    }

    // What an earlier loop knew may be old by now: each begins by reading.
    private void Enter()
    {
        lock (_lock)
        {
            _waiting++;
            if (!_watching)
            {
                _watching = true;
                _known = null;
                _ = WatchAsync();
            }
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            _waiting--;
        }
    }

    // Owned by the waiters, and never throws: it ends when nobody waits.
    private async Task WatchAsync()
    {
        for (var failures = 0; !StopIfUnwatched();)
        {
            try
            {
                await ReadAsync();
                failures = 0;
            }
            catch (Exception e)
            {
                if (failures++ == 0)
                {
                    _logger.LogWarning("The cluster's state cannot be read for those who wait for a change ({Reason}); they wait on", e.Message);
                }
            }

            var pause = _options.Look * (failures + 1);
            await Task.Delay(failures == 0 || pause < LongestPause ? pause : LongestPause, _time);
        }
    }

    private async Task ReadAsync()
    {
        var before = Look().Known;
        if (before is not null && await _store.ReadVersionOnceAsync(CancellationToken.None) == before.Version)
        {
            return;
        }

        var read = (await _store.ReadOnceAsync(CancellationToken.None)).State;
        lock (_lock)
        {
            // What was written here while this read was under way is newer than what it brought.
            if (ReferenceEquals(_known, before) || read.Version > _known!.Version)
            {
                Tell(read);
            }
        }
    }

    private void Take(ClusterState written)
    {
        lock (_lock)
        {
            if (_watching && (_known is null || written.Version > _known.Version))
            {
                Tell(written);
            }
        }
    }

    private void Tell(ClusterState state)
    {
        _known = state;
        var news = _news;
        _news = NewNews();
        news.SetResult();
    }

    private bool StopIfUnwatched()
    {
        lock (_lock)
        {
            _watching = _waiting > 0;
            return !_watching;
        }
    }
}
