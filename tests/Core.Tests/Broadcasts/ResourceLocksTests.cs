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
        Assert.Equal("one", Assert.Single(second.Blockers));
        Assert.Equal(first.Locks.Held, second.Locks.Held);

        Assert.True(second.Locks.Release("one").TryAcquire("two", Orders).Acquired);
    }

    [Fact]
    public void Who_asks_for_the_cluster_alone_is_not_starved_by_those_who_share_it()
    {
        var blocked = ResourceLocks.Empty.TryAcquire("one", Orders).Locks.TryAcquire("update", ResourceLocks.ExclusiveCluster).Locks;

        var later = blocked.TryAcquire("two", Items);
        Assert.Equal(["update"], later.Blockers);
        var update = later.Locks.Release("one").TryAcquire("update", ResourceLocks.ExclusiveCluster);
        Assert.True(update.Acquired);
        Assert.Equal(["update"], update.Locks.TryAcquire("two", Items).Blockers);
        var last = update.Locks.Release("update").TryAcquire("two", Items);
        Assert.True(last.Acquired);
        Assert.Null(last.Locks.Waiting);
    }

    [Fact]
    public void A_blocked_owner_that_asks_again_changes_nothing()
    {
        var blocked = ResourceLocks.Empty.TryAcquire("one", Orders).Locks.TryAcquire("two", Orders).Locks;

        Assert.Same(blocked, blocked.TryAcquire("two", Orders).Locks);
    }

    [Fact]
    public void Who_is_no_more_is_waited_for_no_more()
    {
        var blocked = ResourceLocks.Empty.TryAcquire("one", Orders).Locks.TryAcquire("update", ResourceLocks.ExclusiveCluster).Locks;

        Assert.Equal(["one", "update"], blocked.Owners);
        Assert.True(blocked.Release("update").TryAcquire("two", Items).Acquired);
    }

    [Fact]
    public void Who_holds_something_goes_before_those_who_may_be_waiting_for_it()
    {
        var locks = ResourceLocks.Empty.TryAcquire("one", Orders).Locks.TryAcquire("update", ResourceLocks.ExclusiveCluster).Locks;

        Assert.True(locks.TryAcquire("one", Orders).Acquired);
        Assert.True(locks.TryAcquire("one", ResourceLocks.ExclusiveCluster).Acquired);
    }

    [Fact]
    public void A_promotion_goes_before_all_that_wait_and_they_wait_behind_it()
    {
        var waiting = ResourceLocks.Empty.TryAcquire("one", Orders).Locks.TryAcquire("update", ResourceLocks.ExclusiveCluster).Locks;

        var promotion = waiting.TryAcquire("promotion", ResourceLocks.ExclusiveCluster, first: true);
        Assert.Equal(["one"], promotion.Blockers);
        var free = promotion.Locks.Release("one");
        Assert.Equal(["promotion"], free.TryAcquire("update", ResourceLocks.ExclusiveCluster).Blockers);
        Assert.True(free.TryAcquire("promotion", ResourceLocks.ExclusiveCluster, first: true).Acquired);
    }

    [Fact]
    public void No_more_than_a_bounded_number_is_remembered()
    {
        var locks = ResourceLocks.Empty.TryAcquire("one", ResourceLocks.ExclusiveCluster).Locks;
        for (var i = 0; i < ResourceLocks.MaxWaiting + 1; i++)
        {
            locks = locks.TryAcquire($"w{i}", Orders).Locks;
        }

        Assert.Equal(ResourceLocks.MaxWaiting, locks.Waiting!.Count);
        Assert.False(locks.Release("one").TryAcquire($"w{ResourceLocks.MaxWaiting}", Orders).Acquired);
        Assert.True(locks.Release("one").TryAcquire("w0", Orders).Acquired);
    }

    [Fact]
    public void A_promotion_is_remembered_however_many_wait_so_that_those_who_share_the_cluster_do_not_starve_it()
    {
        var locks = ResourceLocks.Empty.TryAcquire("one", Orders).Locks;
        for (var i = 0; i < ResourceLocks.MaxWaiting; i++)
        {
            locks = locks.TryAcquire($"w{i}", Orders).Locks;
        }

        locks = locks.TryAcquire("promotion", ResourceLocks.ExclusiveCluster, first: true).Locks;

        Assert.Contains("promotion", locks.TryAcquire("two", Items).Blockers);
        Assert.Equal(["promotion"], locks.Release("one").TryAcquire("w0", Orders).Blockers);
    }

    [Fact]
    public void Whoever_waits_gets_its_locks_once_those_before_it_are_gone_and_nobody_is_overtaken()
    {
        Prop.ForAll(Steps.ListOf().ToArbitrary(), steps =>
        {
            var locks = ResourceLocks.Empty;
            var fair = true;
            foreach (var (owner, keys, release) in steps)
            {
                var before = locks;
                locks = release ? locks.Release(owner) : locks.TryAcquire(owner, keys).Locks;
                var took = !release && before.Held.All(h => h.Owner != owner) && locks.Held.Any(h => h.Owner == owner);
                fair &= !took || (before.Waiting ?? []).TakeWhile(w => w.Owner != owner).All(w => !Exclude(w.Keys, keys));
            }

            foreach (var waiter in locks.Waiting ?? [])
            {
                if (!locks.IsOf(waiter.Owner))
                {
                    // It held something beside what it waited for, and went with that.
                    continue;
                }

                foreach (var owner in locks.Owners.TakeWhile(o => locks.Held.Any(h => h.Owner == o)).Where(o => o != waiter.Owner).ToList())
                {
                    locks = locks.Release(owner);
                }

                var attempt = locks.TryAcquire(waiter.Owner, waiter.Keys);
                fair &= attempt.Acquired;
                locks = attempt.Locks.Release(waiter.Owner);
            }

            return fair && locks.Waiting is null;
        }).QuickCheckThrowOnFailure();
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
        Prop.ForAll(Steps.ListOf().ToArbitrary(), steps =>
        {
            var locks = ResourceLocks.Empty;
            foreach (var (owner, keys, release) in steps)
            {
                locks = release ? locks.Release(owner) : locks.TryAcquire(owner, keys).Locks;
            }

            return locks.Held.GroupBy(h => (h.Domain, h.Key)).All(g => g.Count() == 1 || g.All(h => h.Shared))
                && locks.Held.All(h => locks.IsOf(h.Owner));
        }).QuickCheckThrowOnFailure();
    }

    private static Gen<(string Owner, IReadOnlyList<ResourceKey> Keys, bool Release)> Steps
    {
        get
        {
            var key = from domain in Gen.Elements(ResourceDomain.Collection, ResourceDomain.Cluster)
                      from name in Gen.Elements("x", "y")
                      from shared in Gen.Elements(true, false)
                      select new ResourceKey(domain, name, shared);
            return from owner in Gen.Elements("a", "b", "c", "d")
                   from keys in key.ListOf()
                   from release in Gen.Choose(0, 3)
                   select (owner, ResourceLocks.KeysOf([.. keys]), release == 0);
        }
    }

    private static bool Exclude(IReadOnlyList<ResourceKey> one, IReadOnlyList<ResourceKey> other) =>
        one.Any(a => other.Any(b => a.Domain == b.Domain && a.Key == b.Key && !(a.Shared && b.Shared)));
}
