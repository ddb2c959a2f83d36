namespace Baton.Gateway.Routing;

/// <summary>
/// Who may try a destination that has just failed, and when. While it fails, one request after the other has its turn, 10 ms after the first failure, then twice as long each time, up to 200 ms; the first that is answered lets
/// all go. So a thousand requests that wait for one leader knock five times a second, and not five thousand times.
/// </summary>
/// <remarks>All fields change under the lock, but for <see cref="_closed"/>, which is also looked at without it: a request that is a moment late with it makes one attempt more.</remarks>
internal sealed class Turns(TimeProvider time)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider _time = time;
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource> _line = [];
    private ITimer? _timer;
    private TimeSpan _pause = FirstPause;
    private bool _isArmed;
    private volatile bool _closed;

    /// <summary>Nobody has to wait.</summary>
    public bool AreOpen => !_closed;

    /// <summary>An attempt has failed: whoever tries next waits for a turn.</summary>
    public void Close() => _closed = true;

    /// <summary>Somebody was answered: all may go.</summary>
    public void Open()
    {
        if (!_closed)
        {
            return;
        }

        lock (_lock)
        {
            _closed = false;
            _pause = FirstPause;
            foreach (var place in _line)
            {
                place.TrySetResult();
            }

            _line.Clear();
        }
    }

    /// <summary>Ends when it is the caller's turn, at once where nobody has to wait, and early when <paramref name="end"/> is cancelled: whoever comes back looks again at what is so now.</summary>
    public ValueTask WaitAsync(CancellationToken end) => _closed ? new ValueTask(WaitInLineAsync(end)) : ValueTask.CompletedTask;

    private async Task WaitInLineAsync(CancellationToken end)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        LinkedListNode<TaskCompletionSource> place;
        lock (_lock)
        {
            if (!_closed)
            {
                return;
            }

            place = _line.AddLast(mine);
            Arm();
        }

        await using (end.UnsafeRegister(static p => ((TaskCompletionSource)p!).TrySetResult(), mine))
        {
            await mine.Task;
        }

        lock (_lock)
        {
            if (place.List is not null)
            {
                _line.Remove(place);
            }
        }
    }

    private void Arm()
    {
        if (_isArmed || _line.Count == 0)
        {
            return;
        }

        // Jitter: gateways that lost the same node must not come back to it together.
        var pause = _pause * (0.5 + (Random.Shared.NextDouble() / 2));
        _timer ??= _time.CreateTimer(static turns => ((Turns)turns!).Next(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _isArmed = _timer.Change(pause, Timeout.InfiniteTimeSpan);
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
    }

    private void Next()
    {
        lock (_lock)
        {
            _isArmed = false;
            while (_line.First is { } first)
            {
                _line.RemoveFirst();

                // Otherwise it has gone meanwhile, and the turn is the next one's.
                if (first.Value.TrySetResult())
                {
                    break;
                }
            }

            if (_line.Count == 0 && !_closed)
            {
                _timer?.Dispose();
                _timer = null;
            }

            Arm();
        }
    }
}
