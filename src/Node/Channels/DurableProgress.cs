namespace Baton.Node.Channels;

/// <summary>Wakes whoever waits for a channel's log to grow, or for its leadership to end.</summary>
internal sealed class DurableProgress
{
    private TaskCompletionSource _moved = New();

    /// <summary>Completes at the next <see cref="Pulse"/>. Take it before looking at the log: a move in between is then not missed.</summary>
    public Task Moved => Volatile.Read(ref _moved).Task;

    /// <summary>Something moved.</summary>
    public void Pulse() => Interlocked.Exchange(ref _moved, New()).TrySetResult();

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
