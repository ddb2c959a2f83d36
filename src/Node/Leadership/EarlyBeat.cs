namespace Baton.Node.Leadership;

/// <summary>
/// Asks for a heartbeat ahead of its time, where something shows that the cluster's state has moved on: the answer says what this node should own now. Many
/// that ask at once are served by one beat.
/// </summary>
internal sealed class EarlyBeat
{
    /// <summary>The least time between two beats, however many ask.</summary>
    public static readonly TimeSpan LeastPause = TimeSpan.FromMilliseconds(50);

    private TaskCompletionSource _asked = New();

    /// <summary>Completes when somebody asks, or has asked since <see cref="Begins"/>.</summary>
    public Task Asked => Volatile.Read(ref _asked).Task;

    /// <summary>Asks.</summary>
    public void Ask() => Volatile.Read(ref _asked).TrySetResult();

    /// <summary>A beat is about to begin: it serves all who have asked. Who asks from now on may have seen something later than its answer.</summary>
    public void Begins()
    {
        if (Asked.IsCompleted)
        {
            Volatile.Write(ref _asked, New());
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
