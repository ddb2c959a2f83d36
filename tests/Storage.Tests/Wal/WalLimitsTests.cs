using Azure;
using Baton.Core.Wal;
using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>The service's limits, with the log's own settings: it rolls before it meets them.</summary>
public sealed class WalLimitsTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private const int LargeAppends = 70;
    private const long MaxSegmentBytes = 256L * 1024 * 1024;

    // One for all appends: zeros, which the storage in memory does not keep.
    private static readonly byte[] FourMebibytes = new byte[4 * 1024 * 1024];

    private readonly string _channel = WalTestExtensions.NewChannel();

    [Fact]
    public async Task A_hundred_thousand_blocks_are_spread_over_segments_below_the_limit_of_blocks()
    {
        const int Appends = 100_001;
        var storage = new LimitedStorage();
        var store = NewStore(storage);
        await using var writer = await store.OpenAsync(_channel, 1);
        for (var n = 1; n <= Appends; n++)
        {
            await writer.AppendAsync("x");
        }

        Assert.Equal(Appends, writer.LastDurableLsn);
        Assert.All(storage.Blobs.Blobs, blob => Assert.InRange(blob.Blocks, 2, 45_000));
        Assert.Equal([45_000, 45_000, 10_004], storage.Blobs.Blobs.Select(b => b.Blocks));
        Assert.Equal([true, true, false], storage.Blobs.Blobs.Select(b => b.Sealed));
        await AssertSegmentsFollowAsync(store, segments: 3);
        Assert.Equal(Appends, (await NewStore(storage).ReadTextsAsync(_channel)).Count);
        Assert.Equal(Appends + 1, await NextLsnAsync(NewStore(storage)));
    }

    [Fact]
    public async Task A_block_beyond_the_services_limit_is_a_fault_and_not_a_loss()
    {
        var storage = new LimitedStorage();
        await storage.Blobs.CreateAsync("full", CancellationToken.None);
        for (var n = 0; n < SparseAppendBlobs.MaxBlocks; n++)
        {
            Assert.Equal(AppendOutcome.Appended, await storage.Blobs.AppendAsync("full", n, "x"u8.ToArray(), CancellationToken.None));
        }

        var fault = await Assert.ThrowsAsync<WalFaultedException>(() => storage.Blobs.AppendAsync("full", SparseAppendBlobs.MaxBlocks, "x"u8.ToArray(), CancellationToken.None));
        Assert.Contains("BlockCountExceedsLimit", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_batch_that_would_cross_the_limit_of_bytes_goes_to_the_next_segment()
    {
        var storage = new LimitedStorage();
        await AppendLargeAsync(NewStore(storage));

        Assert.Equal([64, 8], storage.Blobs.Blobs.Select(b => b.Blocks));
        await AssertSegmentsFollowAsync(NewStore(storage), segments: 2);
        await AssertLargeAsync(NewStore(storage), fromLsn: 1);
    }

    [Fact]
    public async Task The_real_service_takes_a_segment_of_256_MiB_and_the_next_one()
    {
        var container = azurite.Open().Blobs.GetBlobContainerClient("wal");
        try
        {
            var store = await azurite.NewWalAsync(new WalOptions());
            await AppendLargeAsync(store);
            await AssertSegmentsFollowAsync(await azurite.NewWalAsync(), segments: 2);

            // Over the seam; all of it is read on the model.
            await AssertLargeAsync(store, fromLsn: 62);
        }
        finally
        {
            await foreach (var blob in container.GetBlobsAsync(prefix: _channel))
            {
                await container.DeleteBlobIfExistsAsync(blob.Name);
            }
        }
    }

    private async Task AppendLargeAsync(WalStore store)
    {
        await using var writer = await store.OpenAsync(_channel, 1, "test", null, CancellationToken.None);
        for (var n = 1; n <= LargeAppends; n++)
        {
            var append = writer.Append([new WalRecord { Type = WalRecordType.Message, TimeTick = n, Payload = FourMebibytes }]);
            await append.Durable;
            Assert.Equal(n, append.FirstLsn);
        }
    }

    private async Task AssertLargeAsync(WalStore store, long fromLsn)
    {
        var lsn = fromLsn - 1;
        await foreach (var entry in store.ReadAsync(_channel, fromLsn, long.MaxValue, CancellationToken.None))
        {
            Assert.Equal((++lsn, lsn, FourMebibytes.Length), (entry.Lsn, entry.Record.TimeTick, entry.Record.Payload.Length));
        }

        Assert.Equal(LargeAppends, lsn);
    }

    // All but the last are sealed, within the bounds, and each begins where the one before ends.
    private async Task AssertSegmentsFollowAsync(WalStore store, int segments)
    {
        var manifest = (await store.ReadManifestAsync(_channel, CancellationToken.None))!;
        Assert.Equal(segments, manifest.Segments.Count);
        var next = 1L;
        foreach (var segment in manifest.Segments)
        {
            Assert.Equal(next, segment.FirstLsn);
            Assert.Equal(segment != manifest.Segments[^1], segment.Sealed);
            Assert.InRange(segment.LengthBytes ?? 1, 1, MaxSegmentBytes);
            next = segment.LastLsn + 1 ?? next;
        }
    }

    private async Task<long> NextLsnAsync(WalStore store)
    {
        await using var writer = await store.OpenAsync(_channel, 2, "test", null, CancellationToken.None);
        var append = writer.Append([WalTestExtensions.Message("next")]);
        await append.Durable;
        return append.FirstLsn;
    }

    private static WalStore NewStore(LimitedStorage storage) => new(storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);

    private sealed class LimitedStorage : IWalStorage
    {
        private readonly IWalStorage _model = new ModelWalStorage().Direct();

        public SparseAppendBlobs Blobs { get; } = new();

        public IAppendBlobs Segments => Blobs;

        public IAppendBlobs Snapshots => _model.Snapshots;

        public Task<IReadOnlyList<string>> ListChannelsAsync(CancellationToken cancellationToken) => _model.ListChannelsAsync(cancellationToken);

        public Task<VersionedManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken) => _model.ReadManifestAsync(channel, cancellationToken);

        public Task<ETag?> WriteManifestAsync(WalManifest manifest, ETag? expected, CancellationToken cancellationToken) => _model.WriteManifestAsync(manifest, expected, cancellationToken);
    }
}
