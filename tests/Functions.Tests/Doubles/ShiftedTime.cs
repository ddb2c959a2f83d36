namespace Baton.Functions.Tests.Doubles;

/// <summary>The system's clock, moved on where a test says so; or one that stands still, where a test says that.</summary>
internal sealed class ShiftedTime : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<HeldTimer> _held = [];
    private DateTimeOffset? _stoppedAt;
    private TimeSpan _shift;

    /// <summary>How many timers wait for a clock that stands still.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _held.Count;
            }
        }
    }

    /// <summary>From here on the clock moves by <see cref="Advance"/> alone, and timers that are made from here on go off then alone.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _stoppedAt = base.GetUtcNow();
        }
    }

    public void Advance(TimeSpan by)
    {
        List<HeldTimer> due;
        lock (_lock)
        {
            _shift += by;
            due = [.. _held.Where(t => t.DueAt <= Now())];
            _held.RemoveAll(due.Contains);
        }

        due.ForEach(t => t.Fire());
    }

    /// <summary>Moves a clock that stands still to the next timer, if that is no farther than <paramref name="atMost"/>.</summary>
    public void AdvanceToNextTimer(TimeSpan atMost)
    {
        TimeSpan? next;
        lock (_lock)
        {
            next = _held.Count == 0 ? null : _held.Min(t => t.DueAt) - Now();
        }

        if (next <= atMost)
        {
            Advance(next.Value);
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
        {
            return Now();
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        lock (_lock)
        {
            if (_stoppedAt is not null)
            {
                var timer = new HeldTimer(this, callback, state);
                timer.Change(dueTime, period);
                return timer;
            }
        }

        return base.CreateTimer(callback, state, dueTime, period);
    }

    private DateTimeOffset Now() => (_stoppedAt ?? base.GetUtcNow()) + _shift;

    /// <summary>A timer that goes off once.</summary>
    private sealed class HeldTimer(ShiftedTime time, TimerCallback callback, object? state) : ITimer
    {
        public DateTimeOffset DueAt { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                time._held.Remove(this);
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    DueAt = time.Now() + dueTime;
                    time._held.Add(this);
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
