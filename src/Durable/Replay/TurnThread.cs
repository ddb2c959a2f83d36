using System.Diagnostics;

namespace Baton.Durable.Replay;

/// <summary>
/// Keeps a turn's code on the one thread that runs the turn. Continuations of durable tasks run here, in the order in
/// which the history completes them; a continuation that another thread hands in means that the code awaited something
/// else, which no replay could repeat, so it is noted and never run.
/// </summary>
/// <remarks>
/// Code that blocks this thread waits, as a rule, for what only this thread could do, and so for ever. The runtime hands every blocking
/// wait to <see cref="Wait"/>. One that is short is let through: a logger may have to wait for its lock.
/// </remarks>
internal sealed class TurnThread : SynchronizationContext, IDisposable
{
    /// <summary>What to do instead of everything that is refused here.</summary>
    public const string Rule = "Orchestrator code may await only tasks of its context: CreateTimer instead of Task.Delay and CancelAfter, an activity instead of Task.Run, "
        + "HttpClient and other I/O, await instead of Wait() and Result, and nowhere ConfigureAwait(false).";

    private readonly Queue<(SendOrPostCallback Callback, object? State)> _posted = new();
    private readonly SynchronizationContext? _outer = Current;
    private readonly int _threadId = Environment.CurrentManagedThreadId;
    private readonly Action<string> _onLate;
    private TimeSpan _blockingLeft;
    private int _wasLate;
    private volatile string? _misuse;
    private volatile bool _isOver;

    /// <summary>Makes the calling thread the turn's thread until disposed.</summary>
    /// <param name="blockingGrace">How long the turn's code may block, in all.</param>
    /// <param name="onLate">Told, once and on any thread, that something not durable ended after the turn.</param>
    public TurnThread(TimeSpan blockingGrace, Action<string> onLate)
    {
        _blockingLeft = blockingGrace;
        _onLate = onLate;
        SetWaitNotificationRequired();
        SetSynchronizationContext(this);
    }

    /// <summary>What the code did that no replay can repeat, or null.</summary>
    public string? Misuse => _misuse;

    private bool IsCurrent => !_isOver && Environment.CurrentManagedThreadId == _threadId;

    /// <summary>Refuses a call from outside the turn.</summary>
    /// <exception cref="InvalidOperationException">The caller is not on the turn's thread, or the turn is over.</exception>
    public void Verify(string operation)
    {
        if (!CheckAccess(operation))
        {
            throw new InvalidOperationException($"{operation} was called outside the orchestrator's turn. {Rule}");
        }
    }

    /// <summary>Whether the caller is inside the turn; if not, that is noted as misuse.</summary>
    public bool CheckAccess(string operation)
    {
        if (IsCurrent)
        {
            return true;
        }

        _misuse ??= $"{operation} on another thread";
        if (_isOver && Interlocked.Exchange(ref _wasLate, 1) == 0)
        {
            _onLate(operation);
        }

        return false;
    }

    /// <summary>Runs what was posted from inside the turn, such as the rest of a method after <c>Task.Yield</c>.</summary>
    public void RunPosted()
    {
        while (_posted.TryDequeue(out (SendOrPostCallback Callback, object? State) next))
        {
            next.Callback(next.State);
        }
    }

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (CheckAccess("a continuation of a task that is not durable"))
        {
            _posted.Enqueue((d, state));
        }
    }

    public override void Send(SendOrPostCallback d, object? state)
    {
        Verify(nameof(Send));
        d(state);
    }

    /// <summary>Called by the runtime for every wait that would block this thread.</summary>
    /// <exception cref="InvalidOperationException">The turn has blocked for as long as it may.</exception>
    public override int Wait(IntPtr[] waitHandles, bool waitAll, int millisecondsTimeout)
    {
        int left = (int)Math.Ceiling(_blockingLeft.TotalMilliseconds);
        bool isBounded = millisecondsTimeout >= 0 && millisecondsTimeout <= left;
        long started = Stopwatch.GetTimestamp();
        int signalled = WaitHelper(waitHandles, waitAll, isBounded ? millisecondsTimeout : left);
        TimeSpan blocked = Stopwatch.GetElapsedTime(started);
        _blockingLeft = blocked < _blockingLeft ? _blockingLeft - blocked : TimeSpan.Zero;
        if (isBounded || signalled != WaitHandle.WaitTimeout)
        {
            return signalled;
        }

        _blockingLeft = TimeSpan.Zero;
        _misuse ??= "it blocked the turn's thread, by Wait(), Result, a semaphore or the like, for what did not come";
        throw new InvalidOperationException($"The orchestrator blocked its turn's thread for too long, waiting for what perhaps only that thread can do. {Rule}");
    }

    public override SynchronizationContext CreateCopy() => this;

    public void Dispose()
    {
        _isOver = true;
        SetSynchronizationContext(_outer);
    }
}
