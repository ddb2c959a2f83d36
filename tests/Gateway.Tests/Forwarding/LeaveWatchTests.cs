using System.Runtime.CompilerServices;
using Baton.Core.Api;
using Baton.Gateway.Forwarding;
using Baton.Gateway.Routing;

namespace Baton.Gateway.Tests.Forwarding;

public sealed class LeaveWatchTests
{
    /// <summary>A route that changes again and again for the same leader must not gather all the requests that ever began while it did.</summary>
    [Fact]
    public async Task Once_disposed_of_nothing_holds_it_though_the_route_changed_while_it_began()
    {
        var (left, now) = (At(term: 1), At(term: 1));
        await left.LeaveAsync();

        var watch = WatchAndDispose(left, () => now);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        Assert.False(watch.IsAlive, "The destination that the route names now still holds the watch.");
        GC.KeepAlive(now);
    }

    [Fact]
    public async Task A_route_that_catches_up_while_it_begins_is_watched_on()
    {
        var (left, now, next) = (At(term: 1), At(term: 2), At(term: 3));
        var current = now;
        await left.LeaveAsync();
        using var attempt = new CancellationTokenSource();
        using var watch = new LeaveWatch(left, () => current, term: 2, attempt);
        Assert.False(watch.Left);

        current = next;
        await now.LeaveAsync();

        Assert.True(watch.Left);
        Assert.True(attempt.IsCancellationRequested);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference WatchAndDispose(Destination destination, Func<Destination?> find)
    {
        using var attempt = new CancellationTokenSource();
        using var watch = new LeaveWatch(destination, find, term: 1, attempt);
        return new WeakReference(watch);
    }

    private static Destination At(long term) => new(new RouteEntry(new Uri("http://127.0.0.1:1/"), "node-1", term), TimeProvider.System);
}
