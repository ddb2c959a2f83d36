using System.Text.Json.Serialization;

namespace Baton.Core.Broadcasts;

/// <summary>One lock held.</summary>
/// <param name="Owner">The operation that holds it.</param>
/// <param name="Domain">Kind of resource.</param>
/// <param name="Key">Its name.</param>
/// <param name="Shared">Others may hold it shared at the same time.</param>
public sealed record HeldLock(string Owner, ResourceDomain Domain, string Key, bool Shared);

/// <summary>
/// The table of held locks, as it is stored: immutable, so that one conditional write acquires or releases. Locks are taken all
/// or nothing, which leaves nobody holding some while waiting for others: no order among owners can deadlock.
/// </summary>
/// <param name="Held">The locks, sorted by domain, key and owner.</param>
public sealed record ResourceLocks(IReadOnlyList<HeldLock> Held)
{
    /// <summary>The key of the one lock of domain <see cref="ResourceDomain.Cluster"/>; a cluster is one thing, whatever name a request gives it.</summary>
    public const string ClusterKey = "cluster";

    /// <summary>Nothing held.</summary>
    public static ResourceLocks Empty { get; } = new([]);

    /// <summary>The whole cluster for one owner alone.</summary>
    [JsonIgnore]
    public static IReadOnlyList<ResourceKey> ExclusiveCluster { get; } = [new(ResourceDomain.Cluster, ClusterKey)];

    /// <summary>What a broadcast with these keys locks: them, and the cluster shared unless they name it, in lock order.</summary>
    public static IReadOnlyList<ResourceKey> KeysOf(IReadOnlyList<ResourceKey>? keys)
    {
        IEnumerable<ResourceKey> named = (keys ?? []).Select(k => k.Domain == ResourceDomain.Cluster ? k with { Key = ClusterKey } : k);
        if (keys?.Any(k => k.Domain == ResourceDomain.Cluster) != true)
        {
            named = named.Append(new ResourceKey(ResourceDomain.Cluster, ClusterKey, Shared: true));
        }

        // One entry a resource, exclusive if asked for both ways.
        return [.. named
            .GroupBy(k => (k.Domain, k.Key))
            .Select(g => g.First() with { Shared = g.All(k => k.Shared) })
            .OrderBy(k => k.Domain).ThenBy(k => k.Key, StringComparer.Ordinal)];
    }

    /// <summary>
    /// Takes every key for <paramref name="owner"/>, or none. What the owner holds already is kept and made exclusive where that is
    /// asked for, so that a next attempt of an operation enters again.
    /// </summary>
    public LockAttempt TryAcquire(string owner, IReadOnlyList<ResourceKey> keys)
    {
        ArgumentException.ThrowIfNullOrEmpty(owner);
        ArgumentNullException.ThrowIfNull(keys);
        var blockers = Held
            .Where(h => !IsOwner(h, owner) && keys.Any(k => k.Domain == h.Domain && string.Equals(k.Key, h.Key, StringComparison.Ordinal) && !(k.Shared && h.Shared)))
            .ToArray();
        if (blockers.Length > 0)
        {
            return new LockAttempt(this, blockers);
        }

        var mine = Held.Where(h => IsOwner(h, owner)).Concat(keys.Select(k => new HeldLock(owner, k.Domain, k.Key, k.Shared)))
            .GroupBy(h => (h.Domain, h.Key))
            .Select(g => g.First() with { Shared = g.All(h => h.Shared) });
        return new LockAttempt(Sorted(Held.Where(h => !IsOwner(h, owner)).Concat(mine)), []);
    }

    /// <summary>The table without anything of <paramref name="owner"/>.</summary>
    public ResourceLocks Release(string owner) => Held.Any(h => IsOwner(h, owner)) ? Sorted(Held.Where(h => !IsOwner(h, owner))) : this;

    /// <summary>Whether <paramref name="owner"/> holds anything.</summary>
    public bool IsHeldBy(string owner) => Held.Any(h => IsOwner(h, owner));

    private static ResourceLocks Sorted(IEnumerable<HeldLock> locks) =>
        new([.. locks.OrderBy(h => h.Domain).ThenBy(h => h.Key, StringComparer.Ordinal).ThenBy(h => h.Owner, StringComparer.Ordinal)]);

    private static bool IsOwner(HeldLock held, string owner) => string.Equals(held.Owner, owner, StringComparison.Ordinal);
}

/// <summary>An attempt to take locks.</summary>
/// <param name="Locks">The table to store: the new one, or the old where it was blocked.</param>
/// <param name="Blockers">The locks in the way.</param>
public sealed record LockAttempt(ResourceLocks Locks, IReadOnlyList<HeldLock> Blockers)
{
    /// <summary>All are held now.</summary>
    public bool Acquired => Blockers.Count == 0;
}
