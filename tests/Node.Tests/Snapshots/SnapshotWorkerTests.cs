using Baton.Node.Channels;
using Baton.Node.Status;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Node.Tests.Snapshots;

public sealed class SnapshotWorkerTests : IDisposable
{
    private readonly NodeMetrics _metrics = new();
    private readonly SnapshotTurns _turns = new(1);
    private int _taken;

    private int Taken => Volatile.Read(ref _taken);

    public void Dispose() => _turns.Dispose();

    [Fact]
    public async Task A_snapshot_is_due_after_so_many_records()
    {
        await using var worker = New(CountAsync);
        worker.Grown(99, 0);
        Assert.Equal(0, Taken);
        worker.Grown(1, 0);
        await Eventually.HoldsAsync(() => Taken == 1, "a snapshot is taken");
    }

    [Fact]
    public async Task A_snapshot_is_due_after_so_much_payload()
    {
        await using var worker = New(CountAsync);
        worker.Grown(1, SnapshotWorker.EveryBytes - 1);
        Assert.Equal(0, Taken);
        worker.Grown(1, 1);
        await Eventually.HoldsAsync(() => Taken == 1, "a snapshot is taken");
    }

    [Fact]
    public async Task What_comes_while_one_is_taken_counts_towards_the_next_which_waits_its_turn()
    {
        using var turn = new SemaphoreSlim(0);
        var underWay = 0;
        await using var worker = New(async ct =>
        {
            Assert.Equal(1, Interlocked.Increment(ref underWay));
            Interlocked.Increment(ref _taken);
            await turn.WaitAsync(ct);
            Interlocked.Decrement(ref underWay);
            return 1;
        });
        worker.Grown(100, 0);
        await Eventually.HoldsAsync(() => Taken == 1, "the first is taken");
        worker.Grown(70, 0);
        worker.Grown(70, 0);
        Assert.Equal(1, Taken);
        turn.Release();
        await Eventually.HoldsAsync(() => Taken == 2, "the second is taken");
        turn.Release();
    }

    [Fact]
    public async Task A_failure_is_counted_and_tried_again_after_as_many_records_once_more()
    {
        await using var worker = New(ct => Interlocked.Increment(ref _taken) == 1 ? throw new InvalidOperationException("no room") : Task.FromResult<long?>(1));
        worker.Grown(100, 0);
        await Eventually.HoldsAsync(() => Failures() == 1, "the failure is counted");
        worker.Grown(99, 0);
        Assert.Equal(1, Taken);
        worker.Grown(1, 0);
        await Eventually.HoldsAsync(() => Taken == 2, "it is tried again");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_follows_the_end_of_the_channel(bool closedWriter)
    {
        var worker = New(_ =>
        {
            Interlocked.Increment(ref _taken);
            return closedWriter ? throw new ObjectDisposedException("the writer") : Task.FromResult<long?>(null);
        });
        worker.Grown(100, 0);
        await Eventually.HoldsAsync(() => Taken == 1, "it is tried");
        await worker.DisposeAsync();
        worker.Grown(100, 0);
        Assert.Equal((1, 0), (Taken, Failures()));
    }

    [Fact]
    public async Task Closing_gives_up_the_one_under_way()
    {
        var worker = New(async ct =>
        {
            Interlocked.Increment(ref _taken);
            await Task.Delay(Timeout.InfiniteTimeSpan, ct);
            return 1;
        });
        worker.Grown(100, 0);
        await Eventually.HoldsAsync(() => Taken == 1, "it is under way");
        await worker.DisposeAsync();
        Assert.Equal(0, Failures());
    }

    [Fact]
    public async Task Channels_take_theirs_in_turn_in_the_order_of_asking()
    {
        using var go = new SemaphoreSlim(0);
        var order = new System.Collections.Concurrent.ConcurrentQueue<int>();
        SnapshotWorker Channel(int number) => New(async ct =>
        {
            order.Enqueue(number);
            await go.WaitAsync(ct);
            return 1;
        });
        await using var first = Channel(1);
        await using var second = Channel(2);
        await using var third = Channel(3);
        foreach (var (channel, waiting) in new[] { (first, 0), (second, 1), (third, 2) })
        {
            channel.Grown(100, 0);
            await Eventually.HoldsAsync(() => order.Count == 1 && _turns.Waiting == waiting, "it has its turn, or waits for one");
        }

        go.Release();
        await Eventually.HoldsAsync(() => order.Count == 2, "the second has its turn");
        go.Release();
        await Eventually.HoldsAsync(() => order.Count == 3, "the third has its turn");
        go.Release();
        Assert.Equal([1, 2, 3], order);
    }

    [Fact]
    public async Task Who_waits_for_a_turn_waits_no_longer_than_its_channel_lives_and_the_turn_is_not_lost()
    {
        using var go = new SemaphoreSlim(0);
        await using var first = New(async ct =>
        {
            Interlocked.Increment(ref _taken);
            await go.WaitAsync(ct);
            return 1;
        });
        var second = New(CountAsync);
        await using var third = New(CountAsync);
        first.Grown(100, 0);
        await Eventually.HoldsAsync(() => Taken == 1, "the first has its turn");
        second.Grown(100, 0);
        await Eventually.HoldsAsync(() => _turns.Waiting == 1, "the second waits");

        await second.DisposeAsync();
        Assert.Equal((1, 0), (Taken, _turns.Waiting));
        third.Grown(100, 0);
        go.Release();
        await Eventually.HoldsAsync(() => Taken == 2, "the third has the turn");
        Assert.Equal(0, Failures());
    }

    [Fact]
    public async Task A_small_snapshot_is_due_sooner_when_the_last_one_is_long_ago()
    {
        var time = new SteppedTime();
        await using var worker = New(CountAsync, time, everyRecords: 20_000);
        time.Now += SnapshotWorker.EarlyAfter;
        worker.Grown(1_999, 0);
        Assert.Equal(0, Taken);
        worker.Grown(1, 0);
        await Eventually.HoldsAsync(() => Taken == 1, "a snapshot is taken");

        time.Now += SnapshotWorker.EarlyAfter - TimeSpan.FromTicks(1);
        worker.Grown(19_999, 0);
        Assert.Equal(1, Taken);
        worker.Grown(1, 0);
        await Eventually.HoldsAsync(() => Taken == 2, "it is due by its records, however soon");
        time.Now += SnapshotWorker.EarlyAfter;
        worker.Grown(2_000, 0);
        await Eventually.HoldsAsync(() => Taken == 3, "a snapshot is taken");
    }

    [Fact]
    public async Task Of_few_records_none_is_taken_sooner()
    {
        var time = new SteppedTime();
        await using var worker = New(CountAsync, time, everyRecords: 9_000);
        time.Now += 2 * SnapshotWorker.EarlyAfter;
        worker.Grown(SnapshotWorker.EarlyRecords - 1, 0);
        Assert.Equal(0, Taken);
        worker.Grown(1, 0);
        await Eventually.HoldsAsync(() => Taken == 1, "a snapshot is taken");
    }

    [Fact]
    public async Task A_large_snapshot_is_due_by_its_records_alone()
    {
        var time = new SteppedTime();
        var bytes = SnapshotWorker.SmallBytes + 1;
        await using var worker = New(
            ct =>
            {
                Interlocked.Increment(ref _taken);
                return Task.FromResult<long?>(bytes);
            },
            time,
            everyRecords: 10_000);
        worker.Grown(10_000, 0);
        await Eventually.HoldsAsync(() => Taken == 1, "the first is taken");
        (await _turns.TakeAsync(CancellationToken.None)).Dispose();
        time.Now += 2 * SnapshotWorker.EarlyAfter;
        worker.Grown(9_999, 0);
        Assert.Equal(1, Taken);
        bytes = SnapshotWorker.SmallBytes;
        worker.Grown(1, 0);
        await Eventually.HoldsAsync(() => Taken == 2, "the second is taken");
    }

    private SnapshotWorker New(Func<CancellationToken, Task<long?>> take, TimeProvider? time = null, int everyRecords = 100) =>
        new("ch", everyRecords, _turns, take, time ?? TimeProvider.System, _metrics, NullLogger.Instance);

    private Task<long?> CountAsync(CancellationToken ct)
    {
        Interlocked.Increment(ref _taken);
        return Task.FromResult<long?>(1);
    }

    private sealed class SteppedTime : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    private long Failures() => _metrics.SnapshotsFailed;
}
