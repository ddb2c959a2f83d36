using System.Collections.Concurrent;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Channels;
using Baton.Node.Replicas.Feed;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;
using Microsoft.Extensions.Options;

namespace Baton.Node.Replicas;

/// <summary>The channels that this node follows. A follower that has stopped stays here, closed: its files have one owner at a time, however fast assignments change.</summary>
internal sealed class ReplicaTable(
    WalStore store,
    FeedClient client,
    ChannelTable channels,
    IOptions<ReplicaLogOptions> options,
    IOptions<FollowSettings> settings,
    TimeProvider time,
    ILogger<Follower> log) : IDisposable
{
    private readonly ConcurrentDictionary<string, Follower> _followers = new(StringComparer.Ordinal);
    private readonly FollowerSurroundings _around = new(store, client, options.Value, settings.Value, time, log);

    /// <summary>The channel, if this node follows it.</summary>
    public Follower? Find(string channel) => _followers.TryGetValue(channel, out var follower) && follower.Assigned ? follower : null;

    /// <summary>Everything followed now, in order.</summary>
    public IReadOnlyList<Follower> Followed() => [.. _followers.Values.Where(f => f.Assigned).OrderBy(f => f.Channel, StringComparer.Ordinal)];

    /// <summary>Begins to follow, behind the caller's back, what the assignments say that this node should, and stops what they no longer say. Waits for nothing.</summary>
    /// <param name="assignments">What this node should own now.</param>
    public void Follow(IReadOnlyList<Assignment> assignments)
    {
        var assigned = new HashSet<string>(StringComparer.Ordinal);
        foreach (var assignment in assignments.Where(a => string.Equals(a.Role, Assignments.Replica, StringComparison.Ordinal)))
        {
            assigned.Add(assignment.Channel);
            _followers.GetOrAdd(assignment.Channel, channel => new Follower(channel, _around)).Assign(assignment);
        }

        foreach (var follower in _followers.Values.Where(f => !assigned.Contains(f.Channel)))
        {
            follower.Assign(null);
        }
    }

    /// <summary>What a heartbeat says of each channel followed, but for those led meanwhile. Waits for nothing.</summary>
    public IReadOnlyList<HeartbeatChannel> Heartbeats() => [.. Followed().Where(f => channels.Find(f.Channel) is null).Select(f => f.Heartbeat())];

    /// <summary>Stops following everything, and keeps what is on the disk.</summary>
    public Task CloseAllAsync() => Task.WhenAll(_followers.Values.Select(f => f.CloseAsync()));

    public void Dispose()
    {
        foreach (var follower in _followers.Values)
        {
            follower.Dispose();
        }
    }
}
