using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

public sealed class WalFencingTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    // What one call dies of ends the caller: a process that was killed makes no second attempt.
    private static readonly WalOptions OneAttempt = new() { MaxAttempts = 1, RetryDelayMs = 0, RetryMaxDelayMs = 0 };
    private readonly string _channel = WalTestExtensions.NewChannel();

    [Theory]
    [InlineData(2)]
    [InlineData(1)]
    public async Task A_term_that_is_not_above_the_present_one_is_refused_and_told_which_is(long term)
    {
        var store = await azurite.NewWalAsync();
        await using var writer = await store.OpenAsync(_channel, 2);

        var failure = await Assert.ThrowsAsync<WalTermRefusedException>(() => store.OpenAsync(_channel, term));
        await writer.AppendAsync("a");

        Assert.Equal(2, failure.CurrentTerm);
        Assert.False(writer.Ended.IsCompleted);
    }

    [Fact]
    public async Task A_deposed_writer_cannot_append_and_its_end_says_fenced()
    {
        var store = await azurite.NewWalAsync();
        await using var old = await store.OpenAsync(_channel, 1);
        await old.AppendAsync("a");
        await using var now = await (await azurite.NewWalAsync()).OpenAsync(_channel, 2);
        await now.AppendAsync("b");

        var late = old.Append([WalTestExtensions.Message("late")]);
        await Assert.ThrowsAsync<WalFencedException>(() => late.Durable);
        var end = await old.Ended;

        Assert.Equal(WalEndReason.Fenced, end.Reason);
        Assert.IsType<WalFencedException>(end.Cause);
        Assert.Throws<WalFencedException>(() => old.Append([WalTestExtensions.Message("later")]));
        Assert.Equal(1, old.LastDurableLsn);
        Assert.Equal("ab", string.Concat(await store.ReadTextsAsync(_channel)));
    }

    [Fact]
    public async Task A_deposed_writer_that_must_roll_acknowledges_nothing_in_the_new_segment()
    {
        var store = await azurite.NewWalAsync(new WalOptions { MaxSegmentBlocks = 2, RetryDelayMs = 0 });
        await using var old = await store.OpenAsync(_channel, 1);
        await old.AppendAsync("a");
        await using var now = await (await azurite.NewWalAsync()).OpenAsync(_channel, 2);

        await Assert.ThrowsAsync<WalFencedException>(() => old.AppendAsync("late"));
        await now.AppendAsync("b");

        Assert.Equal(WalEndReason.Fenced, (await old.Ended).Reason);
        Assert.Equal("ab", string.Concat(await (await azurite.NewWalAsync()).ReadTextsAsync(_channel)));
    }

    [Fact]
    public async Task Of_many_openers_at_one_term_one_wins()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 6).Select(async n =>
        {
            var store = await azurite.NewWalAsync();
            try
            {
                return await store.OpenAsync(_channel, 5);
            }
            catch (WalTermRefusedException)
            {
                return null;
            }
        }));

        var winner = Assert.Single(results.OfType<WalWriter>());
        await winner.AppendAsync("a");
        await winner.DisposeAsync();
    }

    [Theory]
    [InlineData(Loss.BeforeSending)]
    [InlineData(Loss.Answer)]
    public async Task An_opener_stopped_at_any_call_loses_nothing_and_the_next_one_repairs_it(Loss loss)
    {
        var stops = 0;
        for (var opened = false; !opened; stops++)
        {
            Assert.True(stops < 30, "an opening takes a handful of calls");
            opened = await StopAndReopenAsync(loss, stops + 1);
        }

        // Read manifest, claim, seal, read the tail twice (its bytes, its end), create, header, manifest.
        Assert.InRange(stops, 7, 12);
    }

    private async Task<bool> StopAndReopenAsync(Loss loss, int nth)
    {
        var channel = WalTestExtensions.NewChannel();
        await using var old = await (await azurite.NewWalAsync()).OpenAsync(channel, 1);
        await old.AppendAsync("a");

        var faults = new FaultInjectingPolicy();
        var stopped = await azurite.NewWalAsync(OneAttempt, faults);
        faults.Lose(loss, _ => true, nth, times: 1_000);
        var opened = false;
        try
        {
            await using var writer = await stopped.OpenAsync(channel, 2);
            opened = true;
        }
        catch (WalFaultedException)
        {
            // Stopped in the middle, as planned.
        }

        var acknowledged = "a";
        try
        {
            await old.AppendAsync("b");
            acknowledged += "b";
        }
        catch (WalFencedException)
        {
            // The stopped opener had come as far as sealing.
        }

        var replayed = new List<(long, string Text)>();
        await using var next = await (await azurite.NewWalAsync()).OpenAsync(channel, 3, replayed);
        await next.AppendAsync("c");
        await Assert.ThrowsAsync<WalFencedException>(() => old.AppendAsync("late"));

        Assert.Equal(acknowledged, string.Concat(replayed.Select(r => r.Text)));
        Assert.Equal(acknowledged + "c", string.Concat(await (await azurite.NewWalAsync()).ReadTextsAsync(channel)));
        return opened;
    }
}
