using Baton.Core.Broadcasts;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Broadcasts;

public sealed class ResourceLocksTests
{
    private static IReadOnlyList<ResourceKey> Orders { get; } = ResourceLocks.KeysOf([new(ResourceDomain.Collection, "orders")]);

    private static IReadOnlyList<ResourceKey> Items { get; } = ResourceLocks.KeysOf([new(ResourceDomain.Collection, "items")]);

    [Fact]
    public void B59_two_on_one_exclusive_key_run_one_after_the_other()
    {
        var first = ResourceLocks.Empty.TryAcquire("one", Orders);
        Assert.True(first.Acquired);

        var second = first.Locks.TryAcquire("two", Orders);
        Assert.False(second.Acquired);
        Assert.Equal("one", Assert.Single(second.Blockers).Owner);
        Assert.Same(first.Locks, second.Locks);

        Assert.True(first.Locks.Release("one").TryAcquire("two", Orders).Acquired);
    }

    [Fact]
    public void Broadcasts_on_different_keys_share_the_cluster() =>
        Assert.True(ResourceLocks.Empty.TryAcquire("one", Orders).Locks.TryAcquire("two", Items).Acquired);

    [Fact]
    public void A_change_of_configuration_has_the_cluster_for_itself()
    {
        var broadcasting = ResourceLocks.Empty.TryAcquire("one", Orders).Locks;
        Assert.False(broadcasting.TryAcquire("promotion", ResourceLocks.ExclusiveCluster).Acquired);

        var promoting = broadcasting.Release("one").TryAcquire("promotion", ResourceLocks.ExclusiveCluster).Locks;
        Assert.False(promoting.TryAcquire("two", Items).Acquired);
    }

    [Fact]
    public void The_owner_enters_again_and_may_ask_for_more()
    {
        var shared = ResourceLocks.Empty.TryAcquire("one", Orders).Locks;

        Assert.Equal(shared.Held, shared.TryAcquire("one", Orders).Locks.Held);
        var exclusive = shared.TryAcquire("one", ResourceLocks.ExclusiveCluster);
        Assert.True(exclusive.Acquired);
        Assert.False(exclusive.Locks.TryAcquire("two", Items).Acquired);
        Assert.Empty(exclusive.Locks.Release("one").Held);
    }

    [Fact]
    public void The_cluster_is_one_lock_by_whatever_name()
    {
        Assert.Equal([new ResourceKey(ResourceDomain.Cluster, ResourceLocks.ClusterKey)], ResourceLocks.KeysOf([new(ResourceDomain.Cluster, "mine")]));
        Assert.Equal([new ResourceKey(ResourceDomain.Cluster, ResourceLocks.ClusterKey, Shared: true)], ResourceLocks.KeysOf(null));
    }

    [Fact]
    public void No_two_owners_ever_hold_what_excludes_each_other()
    {
        var key = from domain in Gen.Elements(ResourceDomain.Collection, ResourceDomain.Cluster)
                  from name in Gen.Elements("x", "y")
                  from shared in Gen.Elements(true, false)
                  select new ResourceKey(domain, name, shared);
        var step = from owner in Gen.Elements("a", "b", "c")
                   from keys in key.ListOf()
                   from release in Gen.Choose(0, 3)
                   select (Owner: owner, Keys: ResourceLocks.KeysOf([.. keys]), Release: release == 0);
        Prop.ForAll(step.ListOf().ToArbitrary(), steps =>
        {
            var locks = ResourceLocks.Empty;
            foreach (var (owner, keys, release) in steps)
            {
                locks = release ? locks.Release(owner) : locks.TryAcquire(owner, keys).Locks;
            }

            return locks.Held.GroupBy(h => (h.Domain, h.Key)).All(g => g.Count() == 1 || g.All(h => h.Shared))
                && locks.Held.All(h => locks.IsHeldBy(h.Owner));
        }).QuickCheckThrowOnFailure();
    }
}
