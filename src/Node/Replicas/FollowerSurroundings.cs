using Baton.Edge.Retries;
using Baton.Node.Replicas.Feed;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;

namespace Baton.Node.Replicas;

/// <summary>What every follower of a node shares.</summary>
/// <param name="Store">The logs in the storage.</param>
/// <param name="Client">Calls to leaders.</param>
/// <param name="Options">The replicas' own logs.</param>
/// <param name="Settings">How to follow.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">The log of all followers.</param>
internal sealed record FollowerSurroundings(WalStore Store, FeedClient Client, ReplicaLogOptions Options, FollowSettings Settings, TimeProvider Time, ILogger Log)
{
    /// <summary>Pauses between attempts that fail.</summary>
    public Backoff NewBackoff() => new(TimeSpan.FromMilliseconds(Settings.RetryDelayMs), TimeSpan.FromMilliseconds(Settings.RetryMaxDelayMs));
}
