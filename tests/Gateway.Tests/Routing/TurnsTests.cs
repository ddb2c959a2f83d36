using Baton.Gateway.Routing;

namespace Baton.Gateway.Tests.Routing;

public sealed class TurnsTests
{
    private readonly Turns _turns = new(TimeProvider.System);

    [Fact]
    public async Task While_nothing_fails_nobody_waits()
    {
        await _turns.WaitAsync(CancellationToken.None);
        Assert.True(_turns.AreOpen);
        _turns.Close();
        _turns.Open();
        await _turns.WaitAsync(CancellationToken.None);
    }

    [Fact]
    public async Task While_it_fails_one_after_the_other_has_its_turn_in_the_order_they_came()
    {
        _turns.Close();
        List<int> order = [];
        var all = Enumerable.Range(0, 4).Select(async i =>
        {
            await _turns.WaitAsync(CancellationToken.None);
            lock (order)
            {
                order.Add(i);
            }
        }).ToArray();
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal([0, 1, 2, 3], order);
    }

    [Fact]
    public async Task One_that_is_answered_lets_all_go_and_one_that_has_gone_takes_no_turn()
    {
        _turns.Close();
        using var gone = new CancellationTokenSource();
        var leaves = _turns.WaitAsync(gone.Token).AsTask();
        var all = Enumerable.Range(0, 1_000).Select(_ => _turns.WaitAsync(CancellationToken.None).AsTask()).ToArray();
        await gone.CancelAsync();
        await leaves.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Contains(all, t => !t.IsCompleted);
        _turns.Open();
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(60));
    }
}
