namespace Baton.Durable.Replay;

/// <summary>
/// Keeps a turn's code on the one thread that runs the turn. Continuations of durable tasks run here, in the order in
/// which the history completes them; a continuation that another thread hands in means that the code awaited something
/// else, which no replay could repeat, so it is noted and never run.
/// </summary>
internal sealed class TurnThread : SynchronizationContext, IDisposable
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _posted = new();
    private readonly SynchronizationContext? _outer = Current;
    private readonly int _threadId = Environment.CurrentManagedThreadId;
    private volatile string? _misuse;
    private volatile bool _isOver;

    /// <summary>Makes the calling thread the turn's thread until disposed.</summary>
    public TurnThread() => SetSynchronizationContext(this);

    /// <summary>What the code did that no replay can repeat, or null.</summary>
    public string? Misuse => _misuse;

    private bool IsCurrent => !_isOver && Environment.CurrentManagedThreadId == _threadId;

    /// <summary>Refuses a call from outside the turn.</summary>
    /// <exception cref="InvalidOperationException">The caller is not on the turn's thread, or the turn is over.</exception>
    public void Verify(string operation)
    {
        if (!CheckAccess(operation))
        {
            throw new InvalidOperationException(
                $"{operation} was called outside the orchestrator's turn: orchestrator code must not use other threads or ConfigureAwait(false).");
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

    public override SynchronizationContext CreateCopy() => this;

    public void Dispose()
    {
        _isOver = true;
        SetSynchronizationContext(_outer);
    }
}
