namespace Baton.Node.Tests.Harness;

/// <summary>Timers that end when the test says so and never by themselves, in whatever order it says: what the time is plays no part.</summary>
internal sealed class HeldTimers : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<HeldTimer> _running = [];

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new HeldTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Ends the timer that began last, as the pool may do with two that are due at the same moment. False where none runs.</summary>
    public bool EndLast() => End(^1);

    /// <summary>Ends the timer that began first. False where none runs.</summary>
    public bool EndFirst() => End(0);

    private bool End(Index which)
    {
        HeldTimer timer;
        lock (_gate)
        {
            if (_running.Count == 0)
            {
                return false;
            }

            timer = _running[which];
            _running.Remove(timer);
        }

        timer.Fire();
        return true;
    }

    private sealed class HeldTimer(HeldTimers time, TimerCallback callback, object? state) : ITimer
    {
        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                time._running.Remove(this);
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    time._running.Add(this);
                }
            }

            return true;
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
