using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Ranges: how large, how many at once, and what becomes of them when something fails or ends.</summary>
public sealed class WalRangeTests
{
    private const int KiB = 1024;
    private readonly RangeBlobs _blobs = new();

    [Fact]
    public async Task Ranges_grow_to_their_bound_and_give_every_byte_in_order()
    {
        _blobs.Content = Bytes(4_000 * KiB);
        var read = new byte[_blobs.Content.Length + 1];
        await using var reader = new WalRangeReader(_blobs, "b", 0, 700 * KiB);

        // In pieces that fit no range.
        var filled = 0;
        for (int more; (more = await reader.ReadAsync(read.AsMemory(filled, Math.Min(70_001, read.Length - filled)), CancellationToken.None)) > 0;)
        {
            filled += more;
        }

        Assert.Equal(_blobs.Content, read[..filled]);
        Assert.Equal([64, 256, 700, 700], _blobs.Calls.Take(4).Select(c => c.Bytes / KiB));
        Assert.All(_blobs.Calls, c => Assert.InRange(c.Bytes, 1, 700 * KiB));
    }

    [Fact]
    public async Task A_short_range_is_the_end_whatever_is_appended_behind_it()
    {
        var whole = Bytes(101 * KiB);
        _blobs.Content = whole[..(100 * KiB)];
        await using var reader = new WalRangeReader(_blobs, "b", 0, 128 * KiB);
        Assert.Equal(100 * KiB, await reader.ReadAsync(new byte[200 * KiB], CancellationToken.None));
        _blobs.Content = whole;
        Assert.Equal(0, await reader.ReadAsync(new byte[1], CancellationToken.None));
        Assert.Equal([0L, 64L * KiB], _blobs.Calls.Select(c => c.Offset));

        await using var later = new WalRangeReader(_blobs, "b", 100 * KiB, 128 * KiB);
        Assert.Equal(KiB, await later.ReadAsync(new byte[2 * KiB], CancellationToken.None));
    }

    [Fact]
    public async Task What_is_asked_for_ahead_is_asked_for_once_and_its_failure_shows_when_it_is_needed()
    {
        _blobs.Content = Bytes(10 * KiB);
        await using (var reader = new WalRangeReader(_blobs, "b", 0, 128 * KiB, 10 * KiB))
        {
            reader.BeginAhead();
            Assert.Single(_blobs.Calls);
            Assert.Equal(10 * KiB, await reader.ReadAsync(new byte[11 * KiB], CancellationToken.None));
            Assert.Single(_blobs.Calls);
        }

        _blobs.Before = (_, _) => throw new WalStorageUncertainException("read");
        await using var failing = new WalRangeReader(_blobs, "b", 0, 128 * KiB);
        failing.BeginAhead();
        await Assert.ThrowsAsync<WalStorageUncertainException>(async () => await failing.ReadAsync(new byte[1], CancellationToken.None));
    }

    [Fact]
    public async Task A_short_look_fetches_one_small_range()
    {
        _blobs.Content = Bytes(1_000 * KiB);
        await using var reader = new WalRangeReader(_blobs, "b", 500, 1_024 * KiB);

        await reader.ReadAsync(new byte[1_000], CancellationToken.None);

        Assert.Equal([(500L, 64 * KiB)], _blobs.Calls);
    }

    [Fact]
    public async Task The_next_range_is_fetched_while_one_is_in_use_and_never_two()
    {
        _blobs.Content = Bytes(4_000 * KiB);
        var hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _blobs.Before = (call, _) => call == 3 ? hold.Task : Task.CompletedTask;
        var read = new byte[_blobs.Content.Length];
        await using var reader = new WalRangeReader(_blobs, "b", 0, 128 * KiB);

        // All of the second range can be had while the third is on its way; the fourth has to wait for its turn.
        Assert.Equal(192 * KiB, await reader.ReadAsync(read.AsMemory(0, 192 * KiB), CancellationToken.None));
        Assert.Equal((3, 1), (_blobs.Calls.Count, _blobs.UnderWay));
        var next = reader.ReadAsync(read.AsMemory(192 * KiB), CancellationToken.None).AsTask();
        Assert.Equal(3, _blobs.Calls.Count);
        hold.SetResult();

        Assert.Equal(read.Length - (192 * KiB), await next);
        Assert.Equal(_blobs.Content, read);
    }

    [Fact]
    public async Task Nothing_is_asked_for_ahead_behind_a_range_that_came_short()
    {
        _blobs.Content = Bytes(300 * KiB);
        var read = new byte[600 * KiB];
        await using var reader = new WalRangeReader(_blobs, "b", 0, 128 * KiB);

        Assert.Equal(300 * KiB, await reader.ReadAsync(read, CancellationToken.None));
        Assert.Equal(0, await reader.ReadAsync(read, CancellationToken.None));

        Assert.Equal(0, _blobs.UnderWay);
        Assert.Equal([0, 64, 192], _blobs.Calls.Select(c => c.Offset / KiB));
    }

    [Fact]
    public async Task Nothing_is_asked_for_behind_an_end_that_is_known()
    {
        _blobs.Content = Bytes(500 * KiB);
        var read = new byte[600 * KiB];
        await using var reader = new WalRangeReader(_blobs, "b", 0, 128 * KiB, 400 * KiB);

        Assert.Equal(400 * KiB, await reader.ReadAsync(read, CancellationToken.None));
        Assert.Equal(0, await reader.ReadAsync(read, CancellationToken.None));

        Assert.Equal(400 * KiB, _blobs.Calls.Sum(c => c.Bytes));
    }

    [Fact]
    public async Task A_range_that_fails_ahead_of_its_turn_fails_the_read_that_needs_it_and_none_before()
    {
        _blobs.Content = Bytes(1_000 * KiB);
        _blobs.Before = (call, _) => call == 3 ? throw new WalStorageUncertainException("read") : Task.CompletedTask;
        await using var reader = new WalRangeReader(_blobs, "b", 0, 128 * KiB);
        var read = new byte[192 * KiB];

        Assert.Equal(read.Length, await reader.ReadAsync(read, CancellationToken.None));
        Assert.Equal(_blobs.Content[..read.Length], read);

        await Assert.ThrowsAsync<WalStorageUncertainException>(async () => await reader.ReadAsync(new byte[1], CancellationToken.None));
    }

    [Fact]
    public async Task Disposing_calls_the_range_under_way_off_and_waits_for_its_end()
    {
        _blobs.Content = Bytes(1_000 * KiB);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calledOff = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _blobs.Before = async (call, token) =>
        {
            if (call == 3)
            {
                await using var told = token.Register(calledOff.SetResult);
                await ended.Task;
            }
        };
        var reader = new WalRangeReader(_blobs, "b", 0, 128 * KiB);
        await reader.ReadAsync(new byte[192 * KiB], CancellationToken.None);

        var disposing = reader.DisposeAsync().AsTask();
        await calledOff.Task.WaitAsync(TimeSpan.FromSeconds(120));
        Assert.False(disposing.IsCompleted);
        ended.SetResult();

        await disposing.WaitAsync(TimeSpan.FromSeconds(120));
        Assert.Equal(0, _blobs.UnderWay);
    }

    [Fact]
    public async Task A_cancelled_read_leaves_the_range_under_way_to_the_next_one()
    {
        _blobs.Content = Bytes(320 * KiB);
        var hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _blobs.Before = (call, _) => call == 3 ? hold.Task : Task.CompletedTask;
        await using var reader = new WalRangeReader(_blobs, "b", 0, 128 * KiB);
        var read = new byte[320 * KiB];
        await reader.ReadAsync(read.AsMemory(0, 192 * KiB), CancellationToken.None);
        using var stop = new CancellationTokenSource();

        var cancelled = reader.ReadAsync(read.AsMemory(192 * KiB), stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        hold.SetResult();

        Assert.Equal(128 * KiB, await reader.ReadAsync(read.AsMemory(192 * KiB), CancellationToken.None));
        Assert.Equal(_blobs.Content, read);
        Assert.Single(_blobs.Calls, c => c.Offset == 192 * KiB);
    }

    private static byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        return bytes;
    }
}
