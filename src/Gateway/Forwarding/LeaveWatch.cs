using Baton.Gateway.Routing;

namespace Baton.Gateway.Forwarding;

/// <summary>
/// Gives up an attempt when the route says that another than the one it went to leads the channel. An attempt that followed a node's hint goes on when the route only catches up with that hint.
/// </summary>
internal sealed class LeaveWatch : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Func<Destination?> _find;
    private readonly long _term;
    private readonly CancellationTokenSource _attempt;
    private Destination? _watched;
    private CancellationTokenRegistration _registration;
    private bool _over;

    /// <summary>Watches until it is disposed of.</summary>
    /// <param name="destination">What the route said when the attempt began.</param>
    /// <param name="find">What it says now.</param>
    /// <param name="term">The term of the leader that the attempt went to.</param>
    /// <param name="attempt">Is cancelled.</param>
    public LeaveWatch(Destination destination, Func<Destination?> find, long term, CancellationTokenSource attempt)
    {
        (_find, _term, _attempt) = (find, term, attempt);
        Watch(destination);
    }

    /// <summary>Whether the attempt was given up.</summary>
    public bool Left { get; private set; }

    public void Dispose()
    {
        lock (_lock)
        {
            _over = true;
        }

        _registration.Unregister();
    }

    private void Watch(Destination destination)
    {
        lock (_lock)
        {
            _watched = destination;
            var registration = destination.Left.UnsafeRegister(static w => ((LeaveWatch)w!).Changed(), this);

            // One that has been left by now has run the callback within that call, and another may be watched: its registration is the one to end.
            if (_watched == destination)
            {
                _registration = registration;
            }
        }
    }

    private void Changed()
    {
        lock (_lock)
        {
            if (_over)
            {
                return;
            }

            if (_find() is { Leader.Term: var term } now && term <= _term && !now.Left.IsCancellationRequested)
            {
                Watch(now);
                return;
            }

            // Under the lock: whoever has disposed of the watch disposes of the attempt next.
            Left = true;
            _attempt.Cancel();
        }
    }
}
