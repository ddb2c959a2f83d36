using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>Pins keep a part of the log; a pin that comes too late is told so.</summary>
public sealed class WalPinTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private static readonly WalOptions KeepNothing = new() { MaxSegmentBlocks = 2, RetainMs = 0, SnapshotsKept = 1, RetryDelayMs = 0, RetryMaxDelayMs = 0 };
    private readonly string _channel = WalTestExtensions.NewChannel();

    [Fact]
    public async Task What_is_pinned_is_kept_and_goes_when_it_is_released()
    {
        var store = await azurite.NewWalAsync(KeepNothing);
        var reader = await azurite.NewWalAsync();
        await using var writer = await FillAsync(store);

        await reader.PinAsync(_channel, "copy", 2, TimeSpan.FromMinutes(1), CancellationToken.None);
        Assert.Equal(new WalTrim(1, (await SegmentBytesAsync(store)), 2), await writer.TrimAsync(long.MaxValue, CancellationToken.None));
        await reader.PinAsync(_channel, "copy", 3, TimeSpan.FromMinutes(1), CancellationToken.None);
        Assert.Equal(3, (await writer.TrimAsync(long.MaxValue, CancellationToken.None)).FirstLsn);
        await reader.ReleasePinAsync(_channel, "copy", CancellationToken.None);
        await reader.ReleasePinAsync(_channel, "copy", CancellationToken.None);

        Assert.Equal(4, (await writer.TrimAsync(long.MaxValue, CancellationToken.None)).FirstLsn);
        Assert.Equal("d", string.Concat(await (await azurite.NewWalAsync()).ReadTextsAsync(_channel, 4)));
    }

    [Fact]
    public async Task A_pin_below_the_first_lsn_is_refused_and_told_which_is()
    {
        var store = await azurite.NewWalAsync(KeepNothing);
        await using var writer = await FillAsync(store);
        await writer.TrimAsync(3, CancellationToken.None);

        var failure = await Assert.ThrowsAsync<WalTrimmedException>(() => store.PinAsync(_channel, "late", 2, TimeSpan.FromMinutes(1), CancellationToken.None));
        await store.PinAsync(_channel, "in time", 3, TimeSpan.FromMinutes(1), CancellationToken.None);

        Assert.Equal((_channel, 3L), (failure.Channel, failure.FirstLsn));
    }

    [Fact]
    public async Task An_opening_keeps_the_pins()
    {
        var store = await azurite.NewWalAsync(KeepNothing);
        await using var first = await FillAsync(store);
        await store.PinAsync(_channel, "copy", 2, TimeSpan.FromMinutes(1), CancellationToken.None);

        var state = new LogState();
        await using var second = await store.OpenAsync(_channel, 2, "test", state.Replay, CancellationToken.None);

        Assert.Equal(2, (await second.TrimAsync(long.MaxValue, CancellationToken.None)).FirstLsn);
        Assert.Equal("abcd", string.Concat(state.Texts));
    }

    [Fact]
    public async Task Bounds_are_named()
    {
        var store = await azurite.NewWalAsync(KeepNothing);
        Task Pin(string id, long lsn, TimeSpan duration) => store.PinAsync(_channel, id, lsn, duration, CancellationToken.None);

        Assert.Contains("never opened", (await Assert.ThrowsAsync<InvalidOperationException>(() => Pin("a", 1, TimeSpan.FromMinutes(1)))).Message, StringComparison.Ordinal);
        await store.ReleasePinAsync(_channel, "a", CancellationToken.None);
        Assert.Contains("Wal:MaxPinMs", (await Assert.ThrowsAnyAsync<ArgumentException>(() => Pin("a", 1, TimeSpan.FromHours(25)))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Pin("a", 1, TimeSpan.Zero));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Pin("a", 0, TimeSpan.FromMinutes(1)));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Pin("", 1, TimeSpan.FromMinutes(1)));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Pin(new string('x', 129), 1, TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void The_number_of_pins_is_bounded_and_those_whose_time_is_over_make_room()
    {
        var now = DateTimeOffset.UnixEpoch;
        var full = new WalManifest("ch", 1, "me", "id", []) { Pins = [.. Enumerable.Range(0, WalPins.MaxCount).Select(n => new WalPin($"p{n}", 1, now.AddMinutes(1)))] };

        Assert.Throws<InvalidOperationException>(() => WalPins.Add(full, new WalPin("more", 1, now.AddMinutes(1)), now));
        Assert.Equal(WalPins.MaxCount, WalPins.Add(full, new WalPin("p7", 5, now.AddMinutes(1)), now).Pins.Count);
        Assert.Single(WalPins.Add(full, new WalPin("more", 1, now.AddMinutes(3)), now.AddMinutes(2)).Pins);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Of_a_pin_and_a_trim_that_race_exactly_one_wins_in_every_order(long pinnedLsn)
    {
        // Two manifest calls each, and reads after conflicts: every choice of whose call comes next.
        var (pinWon, trimWon) = (0, 0);
        for (var order = 0; order < 256; order++)
        {
            var (pinned, firstLsn) = Race(pinnedLsn, order);
            Assert.True(pinned == firstLsn <= pinnedLsn, $"order {order}: pinned {pinned}, first LSN {firstLsn}");
            Assert.Equal(pinned ? pinnedLsn : 5, firstLsn);
            (pinWon, trimWon) = (pinWon + (pinned ? 1 : 0), trimWon + (pinned ? 0 : 1));
        }

        Assert.True(pinWon > 0 && trimWon > 0, $"{pinWon} pins and {trimWon} trims won");
    }

    private static (bool Pinned, long FirstLsn) Race(long pinnedLsn, int order)
    {
        var model = new ModelWalStorage();
        var direct = new WalStore(model.Direct(), KeepNothing, TimeProvider.System, NullLoggerFactory.Instance);
        FillAsync(direct, "ch").GetAwaiter().GetResult();

        // The trimmer opens undisturbed; then the two are let loose on each other.
        var (pinned, open) = (false, true);
        model.Start("trim", async storage =>
        {
            var writer = await new WalStore(storage, KeepNothing, TimeProvider.System, NullLoggerFactory.Instance).OpenAsync("ch", 2, "trim", null, CancellationToken.None);
            open = false;
            await writer.TrimAsync(long.MaxValue, CancellationToken.None);
        });
        for (model.Settle(); open; model.Settle())
        {
            model.Take("trim", 0, Fate.Done);
        }

        model.Start("pin", async storage =>
        {
            try
            {
                await new WalStore(storage, KeepNothing, TimeProvider.System, NullLoggerFactory.Instance).PinAsync("ch", "p", pinnedLsn, TimeSpan.FromMinutes(1), CancellationToken.None);
                pinned = true;
            }
            catch (WalTrimmedException)
            {
                // It was told that it came too late.
            }
        });
        while (model.Settle() is { Count: > 0 } waiting)
        {
            model.Take(waiting[(order & 1) % waiting.Count], 0, Fate.Done);
            order >>= 1;
        }

        return (pinned, direct.ReadManifestAsync("ch", CancellationToken.None).GetAwaiter().GetResult()!.FirstLsn);
    }

    private Task<WalWriter> FillAsync(WalStore store) => FillAsync(store, _channel);

    // Four records, a segment each, and a snapshot of all of them: everything but the tail may go.
    private static async Task<WalWriter> FillAsync(WalStore store, string channel)
    {
        var writer = await store.OpenAsync(channel, 1);
        foreach (var text in new[] { "a", "b", "c", "d" })
        {
            await writer.AppendAsync(text);
        }

        await writer.WriteSnapshotAsync(4, "a\nb\nc\nd"u8.ToArray(), CancellationToken.None);
        return writer;
    }

    private async Task<long> SegmentBytesAsync(WalStore store) => (await store.ReadManifestAsync(_channel, CancellationToken.None))!.Segments[0].LengthBytes!.Value;
}
