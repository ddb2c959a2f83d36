using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>Followers see everything that is appended, by whoever, soon and in order, and cost little while nothing is.</summary>
public sealed class WalFollowTests(StorageFixture azurite) : IClassFixture<StorageFixture>, IDisposable
{
    private readonly string _channel = WalTestExtensions.NewChannel();
    private readonly ManualTime _time = new();
    private readonly CancellationTokenSource _stop = new(TimeSpan.FromSeconds(120));

    public void Dispose() => _stop.Dispose();

    [Fact]
    public async Task A_follower_goes_on_over_rolls_takeovers_and_empty_tails_that_were_dropped()
    {
        const int terms = 6;
        const int perTerm = 25;
        var follower = await azurite.NewWalAsync(new WalOptions { PollDelayMs = 1, PollMaxDelayMs = 5, RetryDelayMs = 0 });
        var following = TakeAsync(follower, terms * perTerm);
        var leader = await azurite.NewWalAsync(new WalOptions { MaxSegmentBlocks = 4, RetryDelayMs = 0 });
        for (var term = 1; term <= terms; term++)
        {
            await using (await leader.OpenAsync(_channel, 2 * term))
            {
                // Appends nothing: its segment is dropped by the next one.
            }

            await using var writer = await leader.OpenAsync(_channel, (2 * term) + 1);
            for (var n = 0; n < perTerm; n++)
            {
                await writer.AppendAsync($"{term}.{n}");
            }
        }

        var expected = Enumerable.Range(1, terms).SelectMany(term => Enumerable.Range(0, perTerm).Select(n => $"{term}.{n}"));
        Assert.Equal(expected, await following);
    }

    [Fact]
    public async Task A_hint_wakes_a_follower_although_no_time_passes()
    {
        var hints = new Hints();
        var following = TakeAsync(await FollowerAsync(), 20, hints.Next);
        await using var writer = await (await azurite.NewWalAsync()).OpenAsync(_channel, 1);
        for (var n = 0; n < 20; n++)
        {
            await writer.AppendAsync($"{n}");
            hints.Tell();
        }

        Assert.Equal(Enumerable.Range(0, 20).Select(n => $"{n}"), await following);
    }

    [Fact]
    public async Task A_hint_that_fails_wakes_a_follower_too()
    {
        await using var writer = await (await azurite.NewWalAsync()).OpenAsync(_channel, 1);
        var hints = new Hints();
        var following = TakeAsync(await FollowerAsync(), 1, hints.Next);
        await _time.NextWaitAsync();

        await writer.AppendAsync("a");
        hints.Fail();

        Assert.Equal(["a"], await following);
    }

    [Fact]
    public async Task A_hint_that_is_always_complete_makes_no_loop_without_a_pause()
    {
        await using var writer = await (await azurite.NewWalAsync()).OpenAsync(_channel, 1);
        var faults = new FaultInjectingPolicy();
        var asked = 0;
        var following = TakeAsync(await FollowerAsync(faults), 1, () =>
        {
            asked++;
            return Task.CompletedTask;
        });

        Assert.Equal(TimeSpan.FromMilliseconds(10), await _time.NextWaitAsync());
        Assert.Equal(1, asked);
        await writer.AppendAsync("a");
        _time.Advance(TimeSpan.FromMilliseconds(10));

        Assert.Equal(["a"], await following);
    }

    [Fact]
    public async Task A_channel_that_does_not_exist_yet_is_waited_for()
    {
        var following = TakeAsync(await FollowerAsync(), 1);
        await _time.NextWaitAsync();
        await using var writer = await (await azurite.NewWalAsync()).OpenAsync(_channel, 1);
        _time.Advance(TimeSpan.FromSeconds(1));
        await _time.NextWaitAsync();

        await writer.AppendAsync("a");
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(["a"], await following);
    }

    [Fact]
    public async Task An_idle_follower_looks_ever_more_rarely_with_two_calls_a_look_and_is_quick_again_when_something_came()
    {
        await using var writer = await (await azurite.NewWalAsync()).OpenAsync(_channel, 1);
        await writer.AppendAsync(new string('x', 100_000));
        await writer.AppendAsync("b");
        var faults = new FaultInjectingPolicy();
        var following = TakeAsync(await FollowerAsync(faults), 3);
        var waits = new List<double> { (await _time.NextWaitAsync()).TotalMilliseconds };
        var before = faults.Calls.Count;
        for (var look = 1; look <= 60; look++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            waits.Add((await _time.NextWaitAsync()).TotalMilliseconds);
        }

        Assert.Equal([10, 20, 40, 80, 160, 320, 640, 1000, 1000], waits.Take(9));
        Assert.All(waits.Skip(9), w => Assert.Equal(1000, w));
        Assert.Equal(60 * 2, faults.Calls.Count - before);
        await writer.AppendAsync("c");
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("c", (await following)[2]);
    }

    [Fact]
    public async Task After_something_came_the_pauses_are_short_again()
    {
        await using var writer = await (await azurite.NewWalAsync()).OpenAsync(_channel, 1);
        var following = TakeAsync(await FollowerAsync(), 2);
        for (var look = 0; look < 5; look++)
        {
            await _time.NextWaitAsync();
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(TimeSpan.FromMilliseconds(320), await _time.NextWaitAsync());
        await writer.AppendAsync("a");
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromMilliseconds(10), await _time.NextWaitAsync());

        await writer.AppendAsync("b");
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("ab", string.Concat(await following));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancelling_ends_a_follower_that_waits(bool hinted)
    {
        var following = TakeAsync(await FollowerAsync(), 1, hinted ? new Hints().Next : null);
        await _time.NextWaitAsync();

        await _stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public async Task A_storage_that_stays_away_ends_a_follower_with_a_fault()
    {
        await using var writer = await (await azurite.NewWalAsync()).OpenAsync(_channel, 1);
        var faults = new FaultInjectingPolicy();
        var following = TakeAsync(await FollowerAsync(faults), 1);
        await _time.NextWaitAsync();

        faults.Lose(Loss.BeforeSending, _ => true, times: int.MaxValue / 2);
        _time.Advance(TimeSpan.FromSeconds(1));

        await Assert.ThrowsAsync<WalFaultedException>(() => following.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    // Its time stands still: of the defaults for polling none ever passes by itself.
    private async Task<WalStore> FollowerAsync(FaultInjectingPolicy? faults = null)
    {
        void Add(Azure.Core.ClientOptions options)
        {
            options.Retry.Delay = TimeSpan.FromMilliseconds(1);
            if (faults is not null)
            {
                options.AddPolicy(faults, Azure.Core.HttpPipelinePosition.BeforeTransport);
            }
        }

        var store = new WalStore(azurite.Open(Add, Add), new WalOptions { RetryDelayMs = 0, RetryMaxDelayMs = 0, MaxAttempts = 3 }, _time, NullLoggerFactory.Instance);
        await store.PrepareAsync(_stop.Token);
        return store;
    }

    private Task<List<string>> TakeAsync(WalStore store, int count, Func<Task>? moved = null) => Task.Run(async () =>
    {
        var texts = new List<string>();
        await foreach (var entry in store.FollowAsync(_channel, 1, moved, _stop.Token))
        {
            Assert.Equal(texts.Count + 1, entry.Lsn);
            texts.Add(entry.Record.Text());
            if (texts.Count == count)
            {
                break;
            }
        }

        return texts;
    });

    /// <summary>What a leader has for its followers: a task that completes at the next growth.</summary>
    private sealed class Hints
    {
        private TaskCompletionSource _next = New();

        public Task Next() => Volatile.Read(ref _next).Task;

        public void Tell() => Interlocked.Exchange(ref _next, New()).SetResult();

        public void Fail() => Interlocked.Exchange(ref _next, New()).SetException(new InvalidOperationException("The leader is gone."));

        private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
