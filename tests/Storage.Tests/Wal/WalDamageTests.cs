using Azure.Storage.Blobs.Specialized;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Damaged logs stop their readers, which say where and what is missing.</summary>
public sealed class WalDamageTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private readonly string _channel = WalTestExtensions.NewChannel();

    [Fact]
    public async Task A_damaged_batch_is_located_and_what_stands_before_it_is_given()
    {
        var (segment, offsets) = await FillAsync();
        await RewriteAsync(segment, bytes =>
        {
            bytes[offsets[2] + 25] ^= 1;
            return bytes;
        });
        var store = await azurite.NewWalAsync();
        var read = new List<string>();

        var failure = await Assert.ThrowsAsync<WalDamagedException>(async () =>
        {
            await foreach (var entry in store.ReadAsync(_channel, 1, 100, CancellationToken.None))
            {
                read.Add(entry.Record.Text());
            }
        });

        Assert.Equal("ab", string.Concat(read));
        Assert.Equal((_channel, segment.BlobName(_channel), (long)offsets[2], 3L), (failure.Channel, failure.Segment, failure.Offset, failure.FirstMissingLsn));
        Assert.Contains("CRC", failure.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<WalDamagedException>(() => store.OpenAsync(_channel, 2));
    }

    [Fact]
    public async Task A_block_cut_short_is_damage()
    {
        var (segment, offsets) = await FillAsync();
        await RewriteAsync(segment, bytes => bytes[..^3]);

        var failure = await Assert.ThrowsAsync<WalDamagedException>(async () => await (await azurite.NewWalAsync()).ReadTextsAsync(_channel));

        Assert.Equal((offsets[3], 4L), ((int)failure.Offset, failure.FirstMissingLsn));
    }

    [Fact]
    public async Task A_batch_that_is_missing_in_between_is_damage()
    {
        var (segment, offsets) = await FillAsync();
        await RewriteAsync(segment, bytes => [.. bytes[..offsets[1]], .. bytes[offsets[2]..]]);

        var failure = await Assert.ThrowsAsync<WalDamagedException>(async () => await (await azurite.NewWalAsync()).ReadTextsAsync(_channel));

        Assert.Equal((offsets[1], 2L), ((int)failure.Offset, failure.FirstMissingLsn));
    }

    [Fact]
    public async Task A_sealed_segment_that_ends_early_is_damage()
    {
        var (segment, offsets) = await FillAsync();
        await using (await (await azurite.NewWalAsync()).OpenAsync(_channel, 2))
        {
            await RewriteAsync(segment, bytes => bytes[..offsets[3]]);
        }

        var failure = await Assert.ThrowsAsync<WalDamagedException>(async () => await (await azurite.NewWalAsync()).ReadTextsAsync(_channel));

        Assert.Equal((4L, (long?)4L), (failure.FirstMissingLsn, failure.LastMissingLsn));
    }

    [Fact]
    public async Task A_missing_blob_is_damage()
    {
        var (segment, _) = await FillAsync();
        await Blob(segment).DeleteAsync();

        var read = await Assert.ThrowsAsync<WalDamagedException>(async () => await (await azurite.NewWalAsync()).ReadTextsAsync(_channel));
        await Assert.ThrowsAsync<WalDamagedException>(async () => await (await azurite.NewWalAsync()).OpenAsync(_channel, 2));

        Assert.Equal(1, read.FirstMissingLsn);
    }

    [Fact]
    public async Task A_segment_of_another_channel_is_damage()
    {
        var (segment, _) = await FillAsync();
        var header = new Core.Wal.WalSegmentHeader("other", segment.Term, segment.FirstLsn, DateTimeOffset.UnixEpoch).Encode();
        await RewriteAsync(segment, _ => header);

        var failure = await Assert.ThrowsAsync<WalDamagedException>(async () => await (await azurite.NewWalAsync()).ReadTextsAsync(_channel));

        Assert.Contains("'other'", failure.Message, StringComparison.Ordinal);
    }

    private async Task<(WalSegment Segment, List<int> Offsets)> FillAsync()
    {
        var store = await azurite.NewWalAsync();
        var offsets = new List<int>();
        await using var writer = await store.OpenAsync(_channel, 1);
        var segment = (await store.ReadManifestAsync(_channel, CancellationToken.None))!.Tail!;
        foreach (var text in new[] { "a", "b", "c", "d" })
        {
            offsets.Add((int)(await Blob(segment).GetPropertiesAsync()).Value.ContentLength);
            await writer.AppendAsync(text);
        }

        return (segment, offsets);
    }

    private AppendBlobClient Blob(WalSegment segment) => azurite.Open().Blobs.GetBlobContainerClient("wal").GetAppendBlobClient(segment.BlobName(_channel));

    private async Task RewriteAsync(WalSegment segment, Func<byte[], byte[]> change)
    {
        var blob = Blob(segment);
        using var content = new MemoryStream();
        await (await blob.DownloadStreamingAsync()).Value.Content.CopyToAsync(content);
        await blob.DeleteAsync();
        await blob.CreateAsync();
        await blob.AppendBlockAsync(new MemoryStream(change(content.ToArray())));
    }
}
