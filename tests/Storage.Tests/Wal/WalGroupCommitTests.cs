using Baton.Core.Wal;
using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>How appends share calls, wait for room, and what they cost. On the model of the storage service, whose appends wait until the test lets them go.</summary>
public sealed class WalGroupCommitTests
{
    private const string Channel = "ch";
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task What_comes_while_a_call_is_in_flight_shares_the_next_one()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await OpenAsync(storage, WalTestExtensions.Quick);
        storage.Hold();

        var first = writer.Append([WalTestExtensions.Message("a")]);
        await storage.ArrivedAsync();
        var later = Enumerable.Range(0, 100).Select(n => writer.Append([WalTestExtensions.Message($"{n}")])).ToList();
        Assert.False(first.Durable.IsCompleted);
        Assert.Equal(0, writer.LastDurableLsn);
        storage.Release();
        await Task.WhenAll(later.Select(a => a.Durable)).WaitAsync(Bound);

        Assert.Equal(2, storage.Batches);
        Assert.Equal(101, writer.LastDurableLsn);
    }

    [Fact]
    public async Task A_batch_takes_no_more_records_than_allowed_and_an_append_is_never_split()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await OpenAsync(storage, new WalOptions { MaxBatchRecords = 4 });
        storage.Hold();
        var first = writer.Append([WalTestExtensions.Message("a")]);
        await storage.ArrivedAsync();

        var three = Enumerable.Range(0, 3).Select(_ => writer.Append(Messages(3))).ToList();
        var nine = writer.Append(Messages(9));
        var four = Enumerable.Range(0, 4).Select(_ => writer.Append(Messages(1))).ToList();
        storage.Release();
        await Task.WhenAll([first.Durable, nine.Durable, .. three.Select(a => a.Durable), .. four.Select(a => a.Durable)]).WaitAsync(Bound);

        Assert.Equal([1, 3, 3, 3, 9, 4], storage.Counts);
    }

    [Fact]
    public async Task A_lingering_batch_goes_when_it_is_full_and_when_the_writer_closes_without_waiting_its_time_out()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        var writer = await OpenAsync(storage, new WalOptions { LingerMs = 10_000, MaxBatchRecords = 2 }, new StillTime());

        var full = Enumerable.Range(0, 3).Select(_ => writer.Append(Messages(1))).ToList();
        await full[1].Durable.WaitAsync(Bound);
        Assert.False(full[2].Durable.IsCompleted);
        await writer.DisposeAsync().AsTask().WaitAsync(Bound);
        await full[2].Durable.WaitAsync(Bound);

        Assert.Equal([2, 1], storage.Counts);
    }

    [Fact]
    public async Task A_lingering_batch_goes_when_no_more_may_wait()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await OpenAsync(storage, new WalOptions { LingerMs = 10_000, MaxQueuedBytes = 30 }, new StillTime());

        var appends = new[] { writer.Append(Messages(1)), writer.Append(Messages(1)) };
        await Task.WhenAll(appends.Select(a => a.Durable)).WaitAsync(Bound);

        Assert.Equal([2], storage.Counts);
    }

    [Fact]
    public async Task A_lingering_batch_goes_when_its_time_is_over()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await OpenAsync(storage, new WalOptions { LingerMs = 1 });

        await writer.Append(Messages(1)).Durable.WaitAsync(Bound);

        Assert.Equal([1], storage.Counts);
    }

    [Fact]
    public async Task An_append_above_the_bound_is_refused_at_once_and_takes_no_lsn()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await OpenAsync(storage, new WalOptions { MaxQueuedBytes = 10 });
        storage.Hold();
        var last = writer.Append(Messages(1));

        Assert.Throws<WalOverloadedException>(() => writer.Append(Messages(1)));
        storage.Release();
        await last.Durable.WaitAsync(Bound);

        Assert.Equal(2, writer.Append(Messages(1)).FirstLsn);
    }

    [Fact]
    public async Task Waiting_for_room_ends_when_there_is_some()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await OpenAsync(storage, new WalOptions { MaxQueuedBytes = 10, QueueWaitMs = 60_000 });
        Assert.True(writer.WaitForRoomAsync(CancellationToken.None).AsTask().IsCompletedSuccessfully);
        storage.Hold();
        writer.Append(Messages(1));

        var waits = Enumerable.Range(0, 5).Select(_ => writer.WaitForRoomAsync(CancellationToken.None).AsTask()).ToList();
        Assert.All(waits, w => Assert.False(w.IsCompleted));
        storage.Release();

        await Task.WhenAll(waits).WaitAsync(Bound);
        Assert.Equal(2, writer.Append(Messages(1)).FirstLsn);
    }

    [Fact]
    public async Task Waiting_for_room_is_bounded_and_can_be_given_up()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await OpenAsync(storage, new WalOptions { MaxQueuedBytes = 10, QueueWaitMs = 1 });
        storage.Hold();
        writer.Append(Messages(1));
        using var given = new CancellationTokenSource();
        await given.CancelAsync();

        await Assert.ThrowsAsync<WalOverloadedException>(() => writer.WaitForRoomAsync(CancellationToken.None).AsTask().WaitAsync(Bound));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writer.WaitForRoomAsync(given.Token).AsTask().WaitAsync(Bound));
        storage.Release();
    }

    [Fact]
    public async Task Those_who_wait_for_room_learn_that_the_writer_has_ended()
    {
        var model = new ModelWalStorage();
        var storage = new HeldStorage(model.Direct());
        await using var writer = await OpenAsync(storage, new WalOptions { MaxQueuedBytes = 10, QueueWaitMs = 60_000 });
        storage.Hold();
        var late = writer.Append(Messages(1));
        var wait = writer.WaitForRoomAsync(CancellationToken.None).AsTask();
        await using var next = await Store(model.Direct(), WalTestExtensions.Quick, TimeProvider.System).OpenAsync(Channel, 2);
        storage.Release();

        await wait.WaitAsync(Bound);
        await Assert.ThrowsAsync<WalFencedException>(() => late.Durable);
        Assert.Throws<WalFencedException>(() => writer.Append(Messages(1)));
    }

    [Fact]
    public async Task A_record_may_be_changed_as_soon_as_it_is_queued()
    {
        var model = new ModelWalStorage();
        var storage = new HeldStorage(model.Direct());
        await using var writer = await OpenAsync(storage, WalTestExtensions.Quick);
        storage.Hold();
        var payload = "first"u8.ToArray();
        WalRecord[] records = [WalTestExtensions.Message("") with { Payload = payload }];

        var append = writer.Append(records);
        "other"u8.CopyTo(payload);
        records[0] = WalTestExtensions.Message("another");
        storage.Release();
        await append.Durable.WaitAsync(Bound);

        Assert.Equal("first", string.Concat(await Store(model.Direct(), WalTestExtensions.Quick, TimeProvider.System).ReadTextsAsync(Channel)));
    }

    [Fact]
    public void An_append_allocates_nothing_but_its_share_of_a_batch()
    {
        const int appends = 2_000;
        var queue = new WalAppendQueue(Channel, new WalOptions(), TimeProvider.System, 1);
        WalRecord[] records = [WalTestExtensions.Message(new string('x', 1_000)) with { VChannel = "orders_v0", Key = "key", ProducerId = "p", ProducerSequence = 7 }];
        var size = WalBatchCodec.RecordSize(records[0]);
        var allocated = 0L;
        for (var round = 0; round < 10; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < appends; i++)
            {
                queue.Append(records, size, out _);
            }

            queue.TryTake(out var batch, out _);
            batch!.Complete();
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            queue.Settled(batch);
            batch.Release();
        }

        // A batch and its task; its memory comes from the pool by the second round.
        Assert.InRange(allocated, 0, 1_000);
    }

    private static WalRecord[] Messages(int count) => [.. Enumerable.Range(0, count).Select(n => WalTestExtensions.Message($"message {n}"))];

    private static WalStore Store(IWalStorage storage, WalOptions options, TimeProvider time) => new(storage, options, time, NullLoggerFactory.Instance);

    private static Task<WalWriter> OpenAsync(HeldStorage storage, WalOptions options, TimeProvider? time = null) => Store(storage, options, time ?? TimeProvider.System).OpenAsync(Channel, 1);

    /// <summary>A time that stands still: no delay ever ends.</summary>
    private sealed class StillTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Never();

        private sealed class Never : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
