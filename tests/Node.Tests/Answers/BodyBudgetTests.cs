using Baton.Core.Api;
using Baton.Edge.Bodies;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Answers;

/// <summary>The line for room: who waits, who gets it, and that nothing is taken twice or for ever.</summary>
public sealed class BodyBudgetTests
{
    private readonly HeldTimers _time = new();

    [Fact]
    public async Task Who_does_not_fit_waits_until_there_is_room_for_it()
    {
        var budget = Of(100);
        await budget.TakeAsync(60, CancellationToken.None);
        await budget.TakeAsync(40, CancellationToken.None);
        var waiting = budget.TakeAsync(50, CancellationToken.None).AsTask();
        budget.GiveBack(40);
        Assert.Equal((60, 1), (budget.TakenBytes, budget.Waiting));
        Assert.False(waiting.IsCompleted);
        budget.GiveBack(60);
        await waiting;
        Assert.Equal((50, 0), (budget.TakenBytes, budget.Waiting));
    }

    [Fact]
    public async Task A_small_one_does_not_pass_a_large_one_that_waits()
    {
        var budget = Of(100);
        await budget.TakeAsync(60, CancellationToken.None);
        var large = budget.TakeAsync(100, CancellationToken.None).AsTask();
        var small = budget.TakeAsync(1, CancellationToken.None).AsTask();
        Assert.Equal((60, 2), (budget.TakenBytes, budget.Waiting));
        budget.GiveBack(60);
        await large;
        Assert.False(small.IsCompleted);
        budget.GiveBack(100);
        await small;
        Assert.Equal((1, 0), (budget.TakenBytes, budget.Waiting));
    }

    [Fact]
    public async Task Who_waits_too_long_is_refused_and_those_behind_go_on()
    {
        var budget = Of(100);
        await budget.TakeAsync(60, CancellationToken.None);
        var large = budget.TakeAsync(100, CancellationToken.None).AsTask();
        var small = budget.TakeAsync(1, CancellationToken.None).AsTask();
        Assert.True(_time.EndFirst());
        var refused = await Assert.ThrowsAsync<ApiException>(() => large);
        Assert.Equal((ApiErrorCode.Overloaded, 1), (refused.Error.Code, refused.RetryAfterSeconds));
        Assert.Contains("Node:MaxRequestBytesInFlight", refused.Message, StringComparison.Ordinal);
        await small;
        Assert.Equal((61, 0), (budget.TakenBytes, budget.Waiting));
    }

    [Fact]
    public async Task Who_gets_room_by_the_end_of_those_before_it_is_not_refused_where_its_time_ends_at_the_same_moment()
    {
        var budget = Of(100);
        await budget.TakeAsync(60, CancellationToken.None);
        var large = budget.TakeAsync(100, CancellationToken.None).AsTask();
        var alsoLarge = budget.TakeAsync(41, CancellationToken.None).AsTask();
        var small = budget.TakeAsync(40, CancellationToken.None).AsTask();
        var behind = budget.TakeAsync(1, CancellationToken.None).AsTask();
        Assert.True(_time.EndLast());
        await Assert.ThrowsAsync<ApiException>(() => behind);
        await small.WaitAsync(TimeSpan.FromSeconds(60));
        await Assert.ThrowsAsync<ApiException>(() => alsoLarge);
        await Assert.ThrowsAsync<ApiException>(() => large);
        Assert.Equal((100, 0), (budget.TakenBytes, budget.Waiting));
    }

    [Fact]
    public async Task Who_goes_away_leaves_the_line()
    {
        var budget = Of(100);
        await budget.TakeAsync(60, CancellationToken.None);
        using var gone = new CancellationTokenSource();
        var large = budget.TakeAsync(100, gone.Token).AsTask();
        var small = budget.TakeAsync(40, CancellationToken.None).AsTask();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        await small;
        Assert.Equal((100, 0), (budget.TakenBytes, budget.Waiting));
    }

    [Fact]
    public async Task The_line_is_bounded()
    {
        var budget = Of(100);
        await budget.TakeAsync(100, CancellationToken.None);
        using var gone = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, BodyBudget.MaxWaiting).Select(_ => budget.TakeAsync(1, gone.Token).AsTask()).ToArray();
        var refused = Assert.Throws<ApiException>(() => { _ = budget.TakeAsync(1, CancellationToken.None).AsTask(); });
        Assert.Equal(ApiErrorCode.Overloaded, refused.Error.Code);
        budget.GiveBack(100);
        await Task.WhenAll(waiting.Take(100));
        Assert.Equal((100, BodyBudget.MaxWaiting - 100), (budget.TakenBytes, budget.Waiting));
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(waiting));
        Assert.Equal((100, 0), (budget.TakenBytes, budget.Waiting));
    }

    [Fact]
    public async Task What_must_not_wait_takes_over_the_budget_and_others_wait_until_it_is_back()
    {
        var budget = Of(100);
        await budget.TakeAsync(100, CancellationToken.None);
        budget.TakeAnyway(10);
        Assert.Equal(110, budget.TakenBytes);
        var waiting = budget.TakeAsync(5, CancellationToken.None).AsTask();
        budget.GiveBack(10);
        Assert.False(waiting.IsCompleted);
        budget.GiveBack(100);
        await waiting;
        Assert.Equal(5, budget.TakenBytes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task However_many_come_and_go_the_budget_holds_and_all_is_given_back(int seed)
    {
        const int max = 1_000;
        var budget = Of(max);
        var (inside, most) = (0L, 0L);
        await Task.WhenAll(Enumerable.Range(0, 16).Select(worker => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + worker);
            for (var i = 0; i < 500; i++)
            {
                using var gone = new CancellationTokenSource();
                var bytes = random.Next(1, 400);
                var take = budget.TakeAsync(bytes, gone.Token).AsTask();
                switch (random.Next(8))
                {
                    case 0 or 1:
                        await gone.CancelAsync();
                        break;
                    case 2:
                        _time.EndFirst();
                        break;
                    case 3:
                        _time.EndLast();
                        break;
                }

                try
                {
                    await take;
                }
                catch (Exception e) when (e is OperationCanceledException or ApiException)
                {
                    continue;
                }

                var now = Interlocked.Add(ref inside, bytes);
                for (var seen = Volatile.Read(ref most); seen < now; seen = Volatile.Read(ref most))
                {
                    Interlocked.CompareExchange(ref most, now, seen);
                }

                await Task.Yield();
                Interlocked.Add(ref inside, -bytes);
                budget.GiveBack(bytes);
            }
        })));
        Assert.InRange(most, 1, max);
        Assert.Equal((0, 0), (budget.TakenBytes, budget.Waiting));
    }

    private BodyBudget Of(long bytes) => new(bytes, "Node:MaxRequestBytesInFlight", _time);
}
