using Baton.Core.Replication;

namespace Baton.Node.Replication;

/// <summary>How the cluster replicates, as the control plane last said. Set by <see cref="Leadership.Membership"/> alone, before it follows the assignments of the same answer.</summary>
internal sealed class HeardStanding
{
    private TaskCompletionSource _changed = New();
    private ReplicateStanding? _now;

    /// <summary>What was heard last; null before the first answer that said it.</summary>
    public ReplicateStanding? Now => Volatile.Read(ref _now);

    /// <summary>Completes when something else is heard than at the call. Take it before reading <see cref="Now"/>.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>An answer has come. One that says nothing of it, as an older control plane's, leaves what is known.</summary>
    public void Hear(ReplicateStanding? standing)
    {
        if (standing is not null && standing != Now)
        {
            Volatile.Write(ref _now, standing);
            Interlocked.Exchange(ref _changed, New()).SetResult();
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
