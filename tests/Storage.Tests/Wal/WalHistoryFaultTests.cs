using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Snapshot, trim, pin and release, with every single call of theirs lost in turn: either the intended end, or a channel that opens and reads right.</summary>
public sealed class WalHistoryFaultTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    [Theory]
    [InlineData(Loss.BeforeSending)]
    [InlineData(Loss.Answer)]
    public async Task Whichever_call_is_lost_the_end_is_the_intended_one(Loss loss)
    {
        var calls = await ScenarioAsync(loss, nth: int.MaxValue / 2);
        Assert.InRange(calls, 15, 60);
        for (var nth = 1; nth <= calls; nth++)
        {
            await ScenarioAsync(loss, nth);
        }
    }

    [Theory]
    [InlineData(Loss.BeforeSending)]
    [InlineData(Loss.Answer)]
    public async Task A_crash_at_any_call_leaves_a_channel_that_opens_reads_and_sweeps_clean(Loss loss)
    {
        var (stops, done) = (0, false);
        for (; !done; stops++)
        {
            Assert.True(stops < 60, "a snapshot and a trim take a handful of calls");
            done = await CrashAsync(loss, stops + 1);
        }

        Assert.InRange(stops, 15, 60);
    }

    private static WalOptions Options(int attempts) => new() { MaxSegmentBlocks = 2, RetainMs = 0, SnapshotsKept = 1, MaxAttempts = attempts, RetryDelayMs = 0, RetryMaxDelayMs = 0 };

    private async Task<int> ScenarioAsync(Loss loss, int nth)
    {
        var faults = new FaultInjectingPolicy();
        var channel = WalTestExtensions.NewChannel();
        var store = await azurite.NewWalAsync(Options(attempts: 10), faults);
        await using var writer = await FillAsync(store, channel);
        faults.Lose(loss, _ => true, nth);
        var trim = await ChangeAsync(store, writer, channel);
        var calls = faults.Matched;

        var manifest = (await store.ReadManifestAsync(channel, CancellationToken.None))!;
        Assert.Equal((3, 3, 3), (trim.FirstLsn, manifest.FirstLsn, writer.History.FirstLsn));
        Assert.Equal((1, 4), (trim.Segments, manifest.SnapshotLsn));
        Assert.Equal("stays", Assert.Single(manifest.Pins).Id);
        await CheckAsync(channel, manifest, "cd");
        return calls;
    }

    private async Task<bool> CrashAsync(Loss loss, int nth)
    {
        var faults = new FaultInjectingPolicy();
        var channel = WalTestExtensions.NewChannel();
        var stopped = await azurite.NewWalAsync(Options(attempts: 1), faults);
        await (await FillAsync(await azurite.NewWalAsync(Options(attempts: 10)), channel)).DisposeAsync();
        var writer = await stopped.OpenAsync(channel, 2);
        faults.Lose(loss, _ => true, nth, times: 1_000);
        var done = true;
        try
        {
            await ChangeAsync(stopped, writer, channel);
        }
        catch (WalFaultedException)
        {
            // Stopped in the middle, as planned.
            done = false;
        }

        var state = new LogState();
        var store = await azurite.NewWalAsync();
        await using var next = await store.OpenAsync(channel, 9, "test", state.Replay, CancellationToken.None);
        Assert.Equal("abcd", string.Concat(state.Texts));
        await store.SweepAsync(channel, CancellationToken.None);
        var manifest = (await store.ReadManifestAsync(channel, CancellationToken.None))!;
        await CheckAsync(channel, manifest, "abcd"[(int)(manifest.FirstLsn - 1)..]);
        return done;
    }

    // Pins hold 2 and 3; 2 is released; what remains may go up to 3.
    private static async Task<WalTrim> ChangeAsync(WalStore store, WalWriter writer, string channel)
    {
        await writer.WriteSnapshotAsync(2, "a\nb"u8.ToArray(), CancellationToken.None);
        await store.PinAsync(channel, "goes", 2, TimeSpan.FromMinutes(1), CancellationToken.None);
        await store.PinAsync(channel, "stays", 3, TimeSpan.FromMinutes(1), CancellationToken.None);
        await writer.TrimAsync(long.MaxValue, CancellationToken.None);
        await writer.WriteSnapshotAsync(4, "a\nb\nc\nd"u8.ToArray(), CancellationToken.None);
        await store.ReleasePinAsync(channel, "goes", CancellationToken.None);
        return await writer.TrimAsync(long.MaxValue, CancellationToken.None);
    }

    // Four records, a segment each.
    private static async Task<WalWriter> FillAsync(WalStore store, string channel)
    {
        var writer = await store.OpenAsync(channel, 1);
        foreach (var text in new[] { "a", "b", "c", "d" })
        {
            await writer.AppendAsync(text);
        }

        return writer;
    }

    private async Task CheckAsync(string channel, WalManifest manifest, string retained)
    {
        var storage = new AzureWalStorage(azurite.Open());
        Assert.Equal(retained, string.Concat(await (await azurite.NewWalAsync()).ReadTextsAsync(channel, manifest.FirstLsn)));
        Assert.Equal(manifest.Segments.Select(s => s.BlobName(channel)).Order(StringComparer.Ordinal), await storage.Segments.ListAsync(channel + "/", CancellationToken.None));
        Assert.Equal(manifest.Snapshots.Select(s => s.BlobName(channel)).Order(StringComparer.Ordinal), await storage.Snapshots.ListAsync(channel + "/", CancellationToken.None));
    }
}
