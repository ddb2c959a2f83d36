namespace Baton.DevHost.Orchestrations;

/// <summary>What is to happen at a time. One loop waits for the next due; nothing polls.</summary>
internal sealed class TimerQueue(TimeProvider time)
{
    // A longer delay overflows the system's timer; waking once a day costs nothing.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private readonly PriorityQueue<Action, DateTimeOffset> _due = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Does <paramref name="act"/>, which must be quick, at <paramref name="at"/> or at once if that is past.</summary>
    public void Add(DateTimeOffset at, Action act)
    {
        lock (_lock)
        {
            var isNext = !_due.TryPeek(out _, out var next) || at < next;
            _due.Enqueue(act, at);
            if (isNext)
            {
                _changed.TrySetResult();
            }
        }
    }

    public async Task RunAsync(CancellationToken ct)
    {
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            Task changed;
            TimeSpan wait;
            lock (_lock)
            {
                var now = time.GetUtcNow();
                while (_due.TryPeek(out var act, out var at) && at <= now)
                {
                    _due.Dequeue();
                    act();
                }

                if (_changed.Task.IsCompleted)
                {
                    _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                }

                changed = _changed.Task;
                wait = _due.TryPeek(out _, out var next) && next - now < LongestWait ? next - now : LongestWait;
            }

            using var enough = CancellationTokenSource.CreateLinkedTokenSource(ct);
            // A timer may end up to a millisecond early; the loop looks at the clock again.
            var delay = Task.Delay(wait < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : wait, time, enough.Token);
            await Task.WhenAny(delay, changed);
            await enough.CancelAsync();
        }
    }
}
