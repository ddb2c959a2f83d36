using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Blobs that no manifest lists, or ever will, are deleted; all others stay.</summary>
public sealed class WalSweepTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private static readonly WalManifest Log = new("ch", 5, "me", "id", [new WalSegment(3, 11, 20, 100), new WalSegment(5, 21, 30, 100), new WalSegment(5, 31)])
    {
        FirstLsn = 11,
        Snapshots = [new WalSnapshotEntry(12, 3, 10, 13, 0), new WalSnapshotEntry(25, 5, 10, 26, 0)],
    };

    private readonly string _channel = WalTestExtensions.NewChannel();

    [Theory]
    [InlineData(3, 11, false)]
    [InlineData(5, 21, false)]
    [InlineData(5, 31, false)]
    [InlineData(2, 1, true)]
    [InlineData(4, 21, true)]
    [InlineData(4, 99, true)]
    [InlineData(5, 1, true)]
    [InlineData(5, 25, true)]
    [InlineData(5, 35, false)]
    [InlineData(6, 1, false)]
    public void A_segment_goes_when_it_is_not_listed_and_never_can_be(long term, long firstLsn, bool goes) =>
        Assert.Equal(goes, WalSweep.Litter(Log, [new WalSegment(term, firstLsn).BlobName("ch")], []).Segments.Count == 1);

    [Theory]
    [InlineData(12, 3, false)]
    [InlineData(25, 5, false)]
    [InlineData(12, 2, true)]
    [InlineData(99, 4, true)]
    [InlineData(24, 5, true)]
    [InlineData(26, 5, false)]
    [InlineData(1, 6, false)]
    public void A_snapshot_goes_when_it_is_not_listed_and_never_can_be(long lsn, long term, bool goes) =>
        Assert.Equal(goes, WalSweep.Litter(Log, [], [new WalSnapshotEntry(lsn, term, 0, 0, 0).BlobName("ch")]).Snapshots.Count == 1);

    [Theory]
    [InlineData("ch/notes.txt")]
    [InlineData("ch/0000000001.seg")]
    [InlineData("ch/0000000001-x.seg")]
    [InlineData("ch/0000000001-00000000000000000001-2.seg")]
    [InlineData("ch2/0000000001-00000000000000000001.seg")]
    public void What_is_named_otherwise_stays(string name) => Assert.Empty(WalSweep.Litter(Log, [name], []).Segments);

    [Fact]
    public async Task What_cut_short_changes_left_behind_is_gone_after_a_sweep_and_the_log_is_whole()
    {
        var options = new WalOptions { MaxSegmentBlocks = 3, RetainMs = 0, SnapshotsKept = 1, MaxAttempts = 1, RetryDelayMs = 0 };
        var faults = new FaultInjectingPolicy();
        var writer = await (await azurite.NewWalAsync(options, faults)).OpenAsync(_channel, 1);
        foreach (var text in new[] { "a", "b", "c", "d", "e" })
        {
            await writer.AppendAsync(text);
        }

        // Two snapshots, of which the first is put out, and a trim: whatever they delete stays behind.
        faults.Lose(Loss.BeforeSending, request => request.Method == Azure.Core.RequestMethod.Delete, times: 1_000);
        await writer.WriteSnapshotAsync(2, "a\nb"u8.ToArray(), CancellationToken.None);
        await Assert.ThrowsAsync<WalFaultedException>(() => writer.WriteSnapshotAsync(5, "a\nb\nc\nd\ne"u8.ToArray(), CancellationToken.None));
        await Assert.ThrowsAsync<WalFaultedException>(() => writer.TrimAsync(long.MaxValue, CancellationToken.None));
        var store = await azurite.NewWalAsync(options);
        var storage = new AzureWalStorage(azurite.Open());
        await storage.Segments.CreateAsync(new WalSegment(0, 1).BlobName(_channel), CancellationToken.None);

        Assert.Equal(4, await store.SweepAsync(_channel, CancellationToken.None));
        Assert.Equal(0, await store.SweepAsync(_channel, CancellationToken.None));
        var manifest = (await store.ReadManifestAsync(_channel, CancellationToken.None))!;
        Assert.Equal(manifest.Segments.Select(s => s.BlobName(_channel)), await storage.Segments.ListAsync(_channel + "/", CancellationToken.None));
        Assert.Equal(manifest.Snapshots.Select(s => s.BlobName(_channel)), await storage.Snapshots.ListAsync(_channel + "/", CancellationToken.None));

        var state = new LogState();
        await using var next = await store.OpenAsync(_channel, 2, "test", state.Replay, CancellationToken.None);
        Assert.Equal((5, "abcde"), (manifest.FirstLsn, string.Concat(state.Texts)));
    }

    [Fact]
    public async Task A_channel_that_was_never_opened_has_no_litter() => Assert.Equal(0, await (await azurite.NewWalAsync()).SweepAsync(_channel, CancellationToken.None));
}
