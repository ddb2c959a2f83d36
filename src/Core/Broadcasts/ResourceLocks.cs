using System.Text.Json.Serialization;

namespace Baton.Core.Broadcasts;

/// <summary>One lock held.</summary>
/// <param name="Owner">The operation that holds it.</param>
/// <param name="Domain">Kind of resource.</param>
/// <param name="Key">Its name.</param>
/// <param name="Shared">Others may hold it shared at the same time.</param>
public sealed record HeldLock(string Owner, ResourceDomain Domain, string Key, bool Shared);

/// <summary>An operation that waits for its locks.</summary>
/// <param name="Owner">The operation.</param>
/// <param name="Keys">All that it asked for.</param>
public sealed record WaitingLocks(string Owner, IReadOnlyList<ResourceKey> Keys);

/// <summary>
/// The table of held locks and of those who wait, as it is stored: immutable, so that one conditional write acquires or releases.
/// <para>
/// Locks are taken all or nothing, in one write, as a list in lock order; they go in one write too, which nobody can see half done, so that there is no order to let go in. Who waits holds
/// nothing, and who holds waits for nobody but, when it asks for more, for other holders: no order among owners can deadlock.
/// </para>
/// <para>
/// Whoever is blocked is remembered in the order of arrival, and is blocked by holders and by those before it that it excludes. So a steady stream of shared locks cannot keep an exclusive one
/// waiting for ever: what comes after it waits behind it. Whoever holds something goes before all that wait: they may be waiting for it. One that stops asking is taken out
/// when its operation ends; until its next attempt those behind it wait. A promotion does not wait behind others: those can only get on when it is done.
/// </para>
/// </summary>
/// <param name="Held">The locks, sorted by domain, key and owner.</param>
/// <param name="Waiting">Those who wait, in the order of arrival; null is nobody.</param>
public sealed record ResourceLocks(IReadOnlyList<HeldLock> Held, IReadOnlyList<WaitingLocks>? Waiting = null)
{
    /// <summary>How many waiting are remembered: their row stays far below its limit. Those beyond wait all the same, and are taken in as room comes; a promotion is always.</summary>
    public const int MaxWaiting = 500;

    /// <summary>How many keys of theirs, for the same reason.</summary>
    public const int MaxWaitingKeys = 2_000;

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
    /// asked for, so that a next attempt of an operation enters again. One that is blocked waits from then on.
    /// </summary>
    /// <param name="owner">The operation.</param>
    /// <param name="keys">What it asks for.</param>
    /// <param name="first">It goes before all that wait; holders block it all the same.</param>
    public LockAttempt TryAcquire(string owner, IReadOnlyList<ResourceKey> keys, bool first = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(owner);
        ArgumentNullException.ThrowIfNull(keys);
        var waiting = Waiting ?? [];
        var holders = Held
            .Where(h => !IsOwner(h, owner) && keys.Any(k => k.Domain == h.Domain && string.Equals(k.Key, h.Key, StringComparison.Ordinal) && !(k.Shared && h.Shared)))
            .Select(h => h.Owner);
        var before = first || Held.Any(h => IsOwner(h, owner))
            ? []
            : waiting.TakeWhile(w => !IsOwner(w, owner)).Where(w => Exclude(w.Keys, keys)).Select(w => w.Owner);
        var blockers = holders.Concat(before).Distinct(StringComparer.Ordinal).ToArray();
        if (blockers.Length > 0)
        {
            return new LockAttempt(waiting.Any(w => IsOwner(w, owner)) || !(first || HasRoom(waiting, keys)) ? this : WithWaiting(new WaitingLocks(owner, keys), first), blockers);
        }

        var mine = Held.Where(h => IsOwner(h, owner)).Concat(keys.Select(k => new HeldLock(owner, k.Domain, k.Key, k.Shared)))
            .GroupBy(h => (h.Domain, h.Key))
            .Select(g => g.First() with { Shared = g.All(h => h.Shared) });
        return new LockAttempt(new ResourceLocks(Sorted(Held.Where(h => !IsOwner(h, owner)).Concat(mine)), Without(owner)), []);
    }

    /// <summary>The table without anything of <paramref name="owner"/>, held or waited for.</summary>
    public ResourceLocks Release(string owner) => IsOf(owner) ? new ResourceLocks(Sorted(Held.Where(h => !IsOwner(h, owner))), Without(owner)) : this;

    /// <summary>Whether <paramref name="owner"/> holds anything, or waits.</summary>
    public bool IsOf(string owner) => Held.Any(h => IsOwner(h, owner)) || Waiting?.Any(w => IsOwner(w, owner)) == true;

    /// <summary>Everybody who holds something or waits.</summary>
    [JsonIgnore]
    public IEnumerable<string> Owners => Held.Select(h => h.Owner).Concat((Waiting ?? []).Select(w => w.Owner)).Distinct(StringComparer.Ordinal);

    private static bool Exclude(IReadOnlyList<ResourceKey> one, IReadOnlyList<ResourceKey> other) =>
        one.Any(a => other.Any(b => a.Domain == b.Domain && string.Equals(a.Key, b.Key, StringComparison.Ordinal) && !(a.Shared && b.Shared)));

    private static IReadOnlyList<HeldLock> Sorted(IEnumerable<HeldLock> locks) =>
        [.. locks.OrderBy(h => h.Domain).ThenBy(h => h.Key, StringComparer.Ordinal).ThenBy(h => h.Owner, StringComparer.Ordinal)];

    private static bool HasRoom(IReadOnlyList<WaitingLocks> waiting, IReadOnlyList<ResourceKey> keys) =>
        waiting.Count < MaxWaiting && waiting.Sum(w => w.Keys.Count) + keys.Count <= MaxWaitingKeys;

    private ResourceLocks WithWaiting(WaitingLocks waiter, bool first) => this with { Waiting = first ? [waiter, .. Waiting ?? []] : [.. Waiting ?? [], waiter] };

    private WaitingLocks[]? Without(string owner) => Waiting?.Where(w => !IsOwner(w, owner)).ToArray() is { Length: > 0 } left ? left : null;

    private static bool IsOwner(WaitingLocks waiting, string owner) => string.Equals(waiting.Owner, owner, StringComparison.Ordinal);

    private static bool IsOwner(HeldLock held, string owner) => string.Equals(held.Owner, owner, StringComparison.Ordinal);
}

/// <summary>An attempt to take locks.</summary>
/// <param name="Locks">The table to store; the same as before where it was blocked and waits already.</param>
/// <param name="Blockers">Who is in the way: holders, and those before it that wait.</param>
public sealed record LockAttempt(ResourceLocks Locks, IReadOnlyList<string> Blockers)
{
    /// <summary>All are held now.</summary>
    public bool Acquired => Blockers.Count == 0;
}
