using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Calls to the storage that get lost at one chosen moment. For every fault at every call, see <see cref="HttpFaults.HttpFaultTests"/>.</summary>
public sealed class WalLostCallTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    [Fact]
    public async Task A_lost_read_back_is_read_again()
    {
        var faults = new FaultInjectingPolicy();
        var store = await azurite.NewWalAsync(WalTestExtensions.Quick, faults);
        var channel = WalTestExtensions.NewChannel();
        await using var writer = await store.OpenAsync(channel, 1);
        var lost = 0;

        // The append's answer, and then the first two reads of the block.
        faults.Lose(Loss.Answer, request => FaultInjectingPolicy.IsAppend(request) ? Interlocked.Increment(ref lost) == 1 : lost > 0, times: 3);
        await writer.AppendAsync("a");
        await writer.AppendAsync("b");

        Assert.Equal("ab", string.Concat(await store.ReadTextsAsync(channel)));
    }

    [Fact]
    public async Task A_writer_that_never_gets_an_answer_faults_and_its_record_is_there_at_most_once()
    {
        var faults = new FaultInjectingPolicy();
        var store = await azurite.NewWalAsync(WalTestExtensions.Quick, faults);
        var channel = WalTestExtensions.NewChannel();
        await using var writer = await store.OpenAsync(channel, 1);
        faults.Lose(Loss.Answer, FaultInjectingPolicy.IsAppend, times: 1_000);

        var first = writer.Append([WalTestExtensions.Message("a")]);
        await Assert.ThrowsAsync<WalFaultedException>(() => first.Durable);

        Assert.Equal(WalEndReason.Faulted, (await writer.Ended).Reason);
        Assert.Throws<WalFaultedException>(() => writer.Append([WalTestExtensions.Message("b")]));
        Assert.Equal(0, writer.LastDurableLsn);
        Assert.Equal("a", string.Concat(await (await azurite.NewWalAsync()).ReadTextsAsync(channel)));
    }

    [Fact]
    public async Task A_writer_gives_up_when_its_time_is_over_and_it_tried_a_few_times()
    {
        var faults = new FaultInjectingPolicy();
        var store = await azurite.NewWalAsync(new WalOptions { MaxAttempts = 1_000, GiveUpMs = 1, RetryDelayMs = 2, RetryMaxDelayMs = 2 }, faults);
        await using var writer = await store.OpenAsync(WalTestExtensions.NewChannel(), 1);
        faults.Lose(Loss.BeforeSending, FaultInjectingPolicy.IsAppend, times: int.MaxValue / 2);

        await Assert.ThrowsAsync<WalFaultedException>(() => writer.AppendAsync("a"));

        Assert.Equal(3, faults.Matched);
    }

    [Fact]
    public async Task Closing_while_the_storage_is_away_ends_in_bounded_time_and_says_that_the_outcome_is_open()
    {
        var faults = new FaultInjectingPolicy();
        var store = await azurite.NewWalAsync(new WalOptions { MaxAttempts = 1_000, GiveUpMs = 600_000, RetryDelayMs = 5, RetryMaxDelayMs = 60_000, CloseTimeoutMs = 50 }, faults);
        var writer = await store.OpenAsync(WalTestExtensions.NewChannel(), 1);
        faults.Lose(Loss.BeforeSending, FaultInjectingPolicy.IsAppend, times: int.MaxValue / 2);
        var append = writer.Append([WalTestExtensions.Message("a")]);

        await writer.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(120));

        Assert.Equal(WalEndReason.Faulted, (await writer.Ended).Reason);
        await Assert.ThrowsAsync<WalFaultedException>(() => append.Durable);
    }

    [Fact]
    public async Task A_storage_that_refuses_is_a_fault_with_its_code()
    {
        var storage = BatonStorage.Open(new StorageOptions { ConnectionString = azurite.ConnectionString.Replace(azurite.Account.Key, Convert.ToBase64String("wrong"u8), StringComparison.Ordinal) });
        var store = new WalStore(storage, WalTestExtensions.Quick, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);

        var failure = await Assert.ThrowsAsync<WalFaultedException>(() => store.OpenAsync("ch", 1));

        Assert.Contains("403", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_append_whose_answer_was_lost_counts_even_if_the_segment_was_sealed_meanwhile()
    {
        var faults = new FaultInjectingPolicy();
        var store = await azurite.NewWalAsync(WalTestExtensions.Quick, faults);
        var channel = WalTestExtensions.NewChannel();
        await using var old = await store.OpenAsync(channel, 1);
        var opener = await azurite.NewWalAsync();
        var opened = new TaskCompletionSource<WalWriter>(TaskCreationOptions.RunContinuationsAsynchronously);
        var attempts = 0;

        // Before the second attempt, another has taken the channel over.
        faults.Lose(Loss.Answer, request =>
        {
            if (!FaultInjectingPolicy.IsAppend(request))
            {
                return false;
            }

            if (++attempts == 2)
            {
                opened.SetResult(Task.Run(() => opener.OpenAsync(channel, 2)).GetAwaiter().GetResult());
            }

            return attempts == 1;
        });
        await old.AppendAsync("a");
        await Assert.ThrowsAsync<WalFencedException>(() => old.AppendAsync("late"));

        await using var now = await opened.Task;
        await now.AppendAsync("b");
        Assert.Equal("ab", string.Concat(await opener.ReadTextsAsync(channel)));
    }
}
