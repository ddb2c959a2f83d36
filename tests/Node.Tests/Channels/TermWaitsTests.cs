using Baton.Node.Channels;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Channels;

/// <summary>Waiting for a term, and what ends it.</summary>
public sealed class TermWaitsTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);
    private readonly TermWaits _waits = new(2, TimeProvider.System);

    [Fact]
    public async Task The_term_or_a_higher_one_ends_it_and_a_lower_does_not()
    {
        var (third, fifth) = (WaitAsync("a", 3), WaitAsync("a", 5));
        _waits.Settled("a", 2);
        _waits.Settled("b", 9);
        Assert.Equal((false, false, 2), (third.IsCompleted, fifth.IsCompleted, _waits.Count));
        _waits.Settled("a", 4);
        await third;
        Assert.False(fifth.IsCompleted);
        Assert.True(_waits.IsAwaited("a"));
        _waits.Settled("a", 5);
        await fifth;
        Assert.Equal((0, false), (_waits.Count, _waits.IsAwaited("a")));
    }

    [Fact]
    public async Task One_too_many_does_not_wait_at_all()
    {
        var waiting = new[] { WaitAsync("a", 1), WaitAsync("b", 1) };
        await WaitAsync("c", 1).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.False(_waits.IsAwaited("c"));
        Assert.DoesNotContain(waiting, w => w.IsCompleted);
        _waits.Settled("a", 1);
        await waiting[0];
        var again = WaitAsync("c", 1);
        Assert.False(again.IsCompleted);
    }

    [Fact]
    public async Task What_is_settled_before_anybody_could_see_the_wait_is_not_waited_for()
    {
        await _waits.WaitAsync("a", 1, Long, () => true, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60));
        await _waits.WaitAsync("a", 1, TimeSpan.Zero, () => throw new InvalidOperationException("it does not wait"), CancellationToken.None);
        Assert.Equal(0, _waits.Count);
    }

    [Fact]
    public async Task Its_time_and_its_caller_end_it_and_leave_nothing_behind()
    {
        await _waits.WaitAsync("a", 1, TimeSpan.FromMilliseconds(20), () => false, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60));
        using var gone = new CancellationTokenSource();
        var waiting = _waits.WaitAsync("a", 1, Long, () => false, gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Eventually.HoldsAsync(() => _waits.Count == 0 && !_waits.IsAwaited("a"), "nobody waits");
    }

    private Task WaitAsync(string channel, long term) => _waits.WaitAsync(channel, term, Long, () => false, CancellationToken.None);
}
