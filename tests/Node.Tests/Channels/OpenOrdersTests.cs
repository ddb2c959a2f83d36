using System.Collections.Concurrent;
using Baton.Node.Channels;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Channels;

/// <summary>How many channels are opened at a time, and in which order. An opening here lasts until the test ends it.</summary>
public sealed class OpenOrdersTests
{
    private readonly TermWaits _waits = new(100, TimeProvider.System);
    private readonly ConcurrentQueue<(string Channel, long Term)> _begun = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _ends = new(StringComparer.Ordinal);

    [Fact]
    public async Task Ten_thousand_orders_are_opened_as_many_at_a_time_as_may_be()
    {
        var orders = new OpenOrders(3, _waits);
        var (running, most) = (0, 0);
        for (var i = 0; i < 10_000; i++)
        {
            Assert.True(orders.Add($"ch-{i}", 1, async (channel, term) =>
            {
                InterlockedMax(ref most, Interlocked.Increment(ref running));
                _begun.Enqueue((channel, term));
                await Task.Yield();
                Interlocked.Decrement(ref running);
            }));
        }

        await Eventually.HoldsAsync(() => orders is { UnderWay: 0, Waiting: 0 }, "all have been opened");
        Assert.InRange(most, 1, 3);
        Assert.Equal(10_000, _begun.Select(b => b.Channel).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(0, orders.TermOf("ch-1"));
    }

    [Fact]
    public async Task What_does_not_fit_waits_without_a_task_and_in_its_order()
    {
        var orders = new OpenOrders(1, _waits);
        Add(orders, "a", "b", "c");
        await BegunAsync("a");
        Assert.Equal((1, 2), (orders.UnderWay, orders.Waiting));
        End("a");
        await BegunAsync("a", "b");
        End("b");
        await BegunAsync("a", "b", "c");
    }

    [Fact]
    public async Task A_channel_that_somebody_waits_for_goes_before_those_for_which_nobody_does()
    {
        var orders = new OpenOrders(1, _waits);
        Add(orders, "a", "b", "c", "d");
        await BegunAsync("a");

        // One waited for after it was ordered, and one before.
        var later = _waits.WaitAsync("d", 1, TimeSpan.FromMinutes(2), () => Preferred("d"), CancellationToken.None);
        var before = _waits.WaitAsync("e", 1, TimeSpan.FromMinutes(2), () => Preferred("e"), CancellationToken.None);
        Add(orders, "e");
        foreach (var channel in new[] { "a", "d", "e", "b", "c" })
        {
            await Eventually.HoldsAsync(() => _begun.Any(b => b.Channel == channel), $"{channel} is begun");
            End(channel);
            _waits.Settled(channel, 1);
        }

        await BegunAsync("a", "d", "e", "b", "c");
        await Task.WhenAll(later, before);
        Assert.Equal(0, _waits.Count);

        bool Preferred(string channel)
        {
            orders.Prefer(channel);
            return false;
        }
    }

    [Fact]
    public async Task An_order_whose_caller_waits_takes_its_turn_before_the_idle_ones_and_hands_on_how_it_ended()
    {
        var orders = new OpenOrders(1, _waits);
        Add(orders, "a", "b");
        await BegunAsync("a");
        var called = orders.RunAsync(() => Task.FromResult(orders.UnderWay));
        var failing = orders.RunAsync<int>(() => throw new InvalidDataException("as told"));
        Assert.False(called.IsCompleted);
        End("a");

        Assert.Equal(1, await called);
        Assert.Equal("as told", (await Assert.ThrowsAsync<InvalidDataException>(() => failing)).Message);
        await BegunAsync("a", "b");
    }

    [Fact]
    public async Task The_same_again_is_no_news_and_a_higher_term_is_opened_after_the_lower_never_beside_it()
    {
        var orders = new OpenOrders(2, _waits);
        Assert.True(orders.Add("a", 3, OpenAsync));
        await BegunAsync("a");
        Assert.False(orders.Add("a", 3, OpenAsync));
        Assert.True(orders.Add("a", 5, OpenAsync));
        Assert.False(orders.Add("a", 4, OpenAsync));
        Assert.Equal((1, 0, 5L), (orders.UnderWay, orders.Waiting, orders.TermOf("a")));
        End("a");
        await Eventually.HoldsAsync(() => _begun.Count == 2, "it is opened again");
        Assert.Equal([("a", 3L), ("a", 5L)], _begun);
    }

    [Fact]
    public async Task One_that_waits_is_opened_once_at_the_highest_term_ordered()
    {
        var orders = new OpenOrders(1, _waits);
        Add(orders, "a", "b");
        await BegunAsync("a");
        Assert.True(orders.Add("b", 7, OpenAsync));
        Assert.False(orders.Add("b", 6, OpenAsync));
        End("a");
        await BegunAsync("a", "b");
        Assert.Equal(7, _begun.Last().Term);
        Assert.Equal(0, orders.Waiting);
    }

    [Fact]
    public async Task What_was_not_begun_can_be_dropped_but_not_what_a_caller_waits_for()
    {
        var orders = new OpenOrders(1, _waits);
        Add(orders, "a", "b", "c");
        await BegunAsync("a");
        Assert.True(orders.Add("a", 2, OpenAsync));
        var called = orders.RunAsync(() => Task.FromResult(1));
        orders.Clear();
        Assert.Equal(1, orders.Waiting);
        End("a");
        Assert.Equal(1, await called);
        await Eventually.HoldsAsync(() => orders.UnderWay == 0, "nothing is left");
        await BegunAsync("a");
        Assert.True(orders.Add("b", 1, OpenAsync));
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); seen < value;)
        {
            seen = Interlocked.CompareExchange(ref most, value, seen) is var now && now == seen ? value : now;
        }
    }

    private void Add(OpenOrders orders, params string[] channels)
    {
        foreach (var channel in channels)
        {
            Assert.True(orders.Add(channel, 1, OpenAsync));
        }
    }

    private async Task OpenAsync(string channel, long term)
    {
        var end = EndOf(channel);
        _begun.Enqueue((channel, term));
        await end.Task;
        _ends.TryRemove(channel, out _);
    }

    private void End(string channel) => EndOf(channel).TrySetResult();

    private TaskCompletionSource EndOf(string channel) => _ends.GetOrAdd(channel, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task BegunAsync(params string[] channels)
    {
        await Eventually.HoldsAsync(() => _begun.Count >= channels.Length, $"{string.Join(", ", channels)} are begun");
        Assert.Equal(channels, _begun.Select(b => b.Channel));
    }
}
