using Baton.Durable;

namespace Baton.Functions.Operations;

/// <summary>Waits of an orchestration, doubling from the first to the longest; durable timers.</summary>
/// <param name="First">Wait after the first failure.</param>
/// <param name="Longest">No wait is longer.</param>
internal sealed record Backoff(TimeSpan First, TimeSpan Longest)
{
    /// <summary>
    /// Rounds after which an orchestration begins afresh (ContinueAsNew): every turn replays the whole history, so it must stay short
    /// however long the work takes.
    /// </summary>
    public const int RoundsPerExecution = 50;

    /// <summary>Appends that failed: 50 ms doubling to 5 s.</summary>
    public static Backoff Append { get; } = new(TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(5));

    /// <summary>A lock that is held: 50 ms doubling to 1 s.</summary>
    public static Backoff HeldLock { get; } = new(TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(1));

    /// <summary>A configuration that is to arrive by replication: 200 ms doubling to 2 s.</summary>
    public static Backoff Arrival { get; } = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(2));

    /// <summary>A replica, or its leader, that does not answer: 200 ms doubling to 5 s.</summary>
    public static Backoff Replica { get; } = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));

    /// <summary>A replica that is fetching, and has just been waited for by an activity: 50 ms.</summary>
    public static Backoff Transfer { get; } = new(TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(50));

    /// <summary>New leaders that are to say that they lead: 100 ms doubling to 2 s.</summary>
    public static Backoff Confirmation { get; } = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2));

    /// <summary>Copies that are to come in sync: 200 ms doubling to 2 s. Each look reads the state, a large row in a large cluster.</summary>
    public static Backoff Copies { get; } = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(2));

    /// <summary>
    /// For activities that only touch storage: they ride out a storage service that is throttled or restarting. What is still failing
    /// then fails the instance, and the operation goes on with its next attempt.
    /// </summary>
    public static TaskOptions Storage { get; } = TaskOptions.FromRetryPolicy(
        new RetryPolicy(maxNumberOfAttempts: 6, firstRetryInterval: TimeSpan.FromMilliseconds(100), backoffCoefficient: 2, maxRetryInterval: TimeSpan.FromSeconds(5)));

    /// <summary>Waits after round <paramref name="round"/>, counted from 0.</summary>
    public Task WaitAsync(TaskOrchestrationContext context, int round)
    {
        var wait = First * Math.Pow(2, Math.Min(round, 20));
        return context.CreateTimer(wait < Longest ? wait : Longest, CancellationToken.None);
    }
}
