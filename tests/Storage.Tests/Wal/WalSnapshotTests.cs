using System.Text;
using Azure.Storage.Blobs.Specialized;
using Baton.Core.Wal;
using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>A channel opens from its newest usable snapshot and the records behind it, and from nothing else.</summary>
public sealed class WalSnapshotTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private static readonly WalOptions Small = new() { MaxSegmentBlocks = 3, RetainMs = 0, RetryDelayMs = 0, RetryMaxDelayMs = 0 };
    private readonly string _channel = WalTestExtensions.NewChannel();

    [Fact]
    public async Task An_opening_takes_the_newest_snapshot_and_reads_only_what_is_behind_it()
    {
        await using (var writer = await FillAsync(Small, snapshots: [3, 7]))
        {
            Assert.Equal(new WalHistory(1, 8, 8, 7), writer.History);
        }

        var faults = new FaultInjectingPolicy();
        var store = await azurite.NewWalAsync(Small, faults);
        var (segments, before) = ((await store.ReadManifestAsync(_channel, CancellationToken.None))!.Segments, faults.Calls.Count);
        var records = new List<long>();
        var offered = new List<(long, string)>();
        var replay = new WalReplay(
            (lsn, _) =>
            {
                records.Add(lsn);
                return ValueTask.CompletedTask;
            },
            snapshot =>
            {
                offered.Add((snapshot.Lsn, Encoding.UTF8.GetString(snapshot.Content.Span)));
                return ValueTask.FromResult(true);
            });
        await using var next = await store.OpenAsync(_channel, 2, "test", replay, CancellationToken.None);

        Assert.Equal([(7L, "a\nb\nc\nd\ne\nf\ng")], offered);
        Assert.Equal([8], records);
        Assert.Equal(9, next.Append([WalTestExtensions.Message("i")]).FirstLsn);
        var read = faults.Calls.Skip(before).Where(c => c.StartsWith("GET", StringComparison.Ordinal)).ToList();
        Assert.Equal([7], segments.Where(s => read.Any(c => c.Contains(s.BlobName(_channel), StringComparison.Ordinal))).Select(s => s.FirstLsn));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Within_a_long_segment_recovery_begins_at_the_place_that_the_snapshot_names(bool replayed)
    {
        var store = await azurite.NewWalAsync();
        await using (var writer = await store.OpenAsync(_channel, 1))
        {
            for (var n = 0; n < 40; n++)
            {
                await writer.AppendAsync(new string('x', 128 * 1024));
            }

            await writer.WriteSnapshotAsync(39, "39"u8.ToArray(), CancellationToken.None);
        }

        var faults = new FaultInjectingPolicy();
        var records = new List<long>();
        var replay = new WalReplay(
            (lsn, _) =>
            {
                records.Add(lsn);
                return ValueTask.CompletedTask;
            },
            _ => ValueTask.FromResult(true));
        await using var next = await (await azurite.NewWalAsync(faults: faults)).OpenAsync(_channel, 2, "test", replayed ? replay : null, CancellationToken.None);

        Assert.Equal(41, next.Append([WalTestExtensions.Message("i")]).FirstLsn);
        Assert.Equal(replayed ? [40L] : [], records);
        Assert.InRange(faults.Calls.Count(c => c.StartsWith("GET", StringComparison.Ordinal) && c.Contains(".seg", StringComparison.Ordinal)), 1, 5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(400)]
    public async Task A_place_at_the_end_of_one_segment_is_no_place_in_the_next(int later)
    {
        var store = await azurite.NewWalAsync();
        await using (var writer = await store.OpenAsync(_channel, 1))
        {
            await writer.AppendAsync("a", "b");
            Assert.Equal(["a", "b"], await store.ReadTextsAsync(_channel));
            await writer.WriteSnapshotAsync(2, "a\nb"u8.ToArray(), CancellationToken.None);
        }

        await using (var second = await store.OpenAsync(_channel, 2))
        {
            await second.AppendAsync(new string('c', later));
        }

        var state = new LogState();
        await using var next = await (await azurite.NewWalAsync()).OpenAsync(_channel, 3, "test", state.Replay, CancellationToken.None);

        Assert.Equal((2L, 3L), (state.RestoredLsn, next.LastDurableLsn));
        Assert.Equal(["a", "b", new string('c', later)], state.Texts);
    }

    [Theory]
    [InlineData("flipped")]
    [InlineData("cut")]
    [InlineData("empty")]
    [InlineData("missing")]
    [InlineData("other")]
    public async Task A_newest_snapshot_that_does_not_verify_gives_way_to_the_one_before(string damage)
    {
        await (await FillAsync(Small, snapshots: [3, 7])).DisposeAsync();
        await DamageAsync(7, damage);

        var state = new LogState();
        await using var next = await (await azurite.NewWalAsync()).OpenAsync(_channel, 2, "test", state.Replay, CancellationToken.None);

        Assert.Equal(3, state.RestoredLsn);
        Assert.Equal("abcdefgh", string.Concat(state.Texts));
    }

    [Fact]
    public async Task A_snapshot_that_does_not_verify_pushes_out_none_that_does()
    {
        await (await FillAsync(Small, snapshots: [3, 7])).DisposeAsync();
        await DamageAsync(7, "flipped");
        await using (var second = await (await azurite.NewWalAsync(Small)).OpenAsync(_channel, 2, "test", new LogState().Replay, CancellationToken.None))
        {
            await second.AppendAsync("i");
            await second.WriteSnapshotAsync(9, "a\nb\nc\nd\ne\nf\ng\nh\ni"u8.ToArray(), CancellationToken.None);
            await second.TrimAsync(long.MaxValue, CancellationToken.None);
            Assert.Equal([3, 9], (await (await azurite.NewWalAsync()).ReadManifestAsync(_channel, CancellationToken.None))!.Snapshots.Select(s => s.Lsn));
        }

        await DamageAsync(9, "cut", term: 2);
        var state = new LogState();
        await using var third = await (await azurite.NewWalAsync()).OpenAsync(_channel, 3, "test", state.Replay, CancellationToken.None);

        Assert.Equal(3, state.RestoredLsn);
        Assert.Equal("abcdefghi", string.Concat(state.Texts));
    }

    [Fact]
    public async Task A_snapshot_that_is_declined_gives_way_too_and_without_any_the_log_is_read_whole()
    {
        await (await FillAsync(Small, snapshots: [3, 7])).DisposeAsync();
        var (offered, texts) = (new List<long>(), new List<string>());

        await using var next = await (await azurite.NewWalAsync()).OpenAsync(
            _channel,
            2,
            "test",
            new WalReplay(
                (_, record) =>
                {
                    texts.Add(record.Text());
                    return ValueTask.CompletedTask;
                },
                snapshot =>
                {
                    offered.Add(snapshot.Lsn);
                    return ValueTask.FromResult(false);
                }),
            CancellationToken.None);

        Assert.Equal([7, 3], offered);
        Assert.Equal("abcdefgh", string.Concat(texts));
    }

    [Fact]
    public async Task A_trimmed_log_without_a_usable_snapshot_does_not_open()
    {
        await using (var writer = await FillAsync(Small, snapshots: [3, 7]))
        {
            Assert.Equal(3, (await writer.TrimAsync(long.MaxValue, CancellationToken.None)).FirstLsn);
        }

        await DamageAsync(3, "missing");
        await DamageAsync(7, "flipped");
        var state = new LogState();
        var failure = await Assert.ThrowsAsync<WalDamagedException>(async () => await (await azurite.NewWalAsync()).OpenAsync(_channel, 2, "test", state.Replay, CancellationToken.None));

        Assert.Contains("none of 2 snapshots", failure.Message, StringComparison.Ordinal);
        Assert.Equal((1L, (long?)2L), (failure.FirstMissingLsn, failure.LastMissingLsn));
        Assert.Empty(state.Texts);
    }

    [Theory]
    [InlineData(0)]
    [InlineData((2 * WalSnapshotCodec.BlockContentSizeBytes) + 1_000)]
    public async Task Content_of_any_length_survives(int length)
    {
        var content = new byte[length];
        new Random(length).NextBytes(content);
        var store = await azurite.NewWalAsync();
        await using (var writer = await store.OpenAsync(_channel, 1))
        {
            await writer.AppendAsync("a");
            await writer.WriteSnapshotAsync(1, content, CancellationToken.None);
        }

        var same = false;
        await using var next = await store.OpenAsync(
            _channel,
            2,
            "test",
            new WalReplay((_, _) => ValueTask.CompletedTask, snapshot => ValueTask.FromResult(same = snapshot.Content.Span.SequenceEqual(content))),
            CancellationToken.None);

        Assert.True(same);
    }

    [Fact]
    public async Task Older_snapshots_than_are_kept_leave_the_manifest_and_the_storage()
    {
        await using var writer = await FillAsync(Small, snapshots: [2, 4, 6, 8]);

        var manifest = (await (await azurite.NewWalAsync()).ReadManifestAsync(_channel, CancellationToken.None))!;
        var blobs = await new AzureWalStorage(azurite.Open()).Snapshots.ListAsync(_channel + "/", CancellationToken.None);

        Assert.Equal([6, 8], manifest.Snapshots.Select(s => s.Lsn));
        Assert.Equal(manifest.Snapshots.Select(s => s.BlobName(_channel)), blobs);
    }

    [Fact]
    public async Task A_snapshot_ahead_of_the_log_or_too_long_is_refused_and_one_behind_the_current_does_nothing()
    {
        await using var writer = await FillAsync(new WalOptions { MaxSnapshotBytes = 100, RetryDelayMs = 0 }, snapshots: [7]);

        await Assert.ThrowsAnyAsync<ArgumentException>(() => writer.WriteSnapshotAsync(9, default, CancellationToken.None));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => writer.WriteSnapshotAsync(0, default, CancellationToken.None));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => writer.WriteSnapshotAsync(8, new byte[101], CancellationToken.None));
        await writer.WriteSnapshotAsync(7, default, CancellationToken.None);
        await writer.WriteSnapshotAsync(5, default, CancellationToken.None);

        Assert.Equal(7, Assert.Single((await (await azurite.NewWalAsync()).ReadManifestAsync(_channel, CancellationToken.None))!.Snapshots).Lsn);
    }

    [Fact]
    public async Task A_deposed_writer_can_neither_list_a_snapshot_nor_trim()
    {
        await using var old = await FillAsync(Small, snapshots: [3]);
        await using var now = await (await azurite.NewWalAsync()).OpenAsync(_channel, 2, "test", new LogState().Replay, CancellationToken.None);

        await Assert.ThrowsAsync<WalFencedException>(() => old.WriteSnapshotAsync(7, default, CancellationToken.None));
        await Assert.ThrowsAsync<WalFencedException>(() => old.TrimAsync(long.MaxValue, CancellationToken.None));

        var manifest = (await (await azurite.NewWalAsync()).ReadManifestAsync(_channel, CancellationToken.None))!;
        Assert.Equal((1, 3), (manifest.FirstLsn, Assert.Single(manifest.Snapshots).Lsn));
    }

    [Fact]
    public async Task The_history_by_storage_is_the_writers()
    {
        var store = await azurite.NewWalAsync();
        Assert.Null(await store.ReadHistoryAsync(_channel, CancellationToken.None));
        await using var writer = await FillAsync(Small, snapshots: [7]);
        await writer.TrimAsync(6, CancellationToken.None);

        Assert.Equal(new WalHistory(5, 8, 8, 7), writer.History);
        Assert.Equal(writer.History, await store.ReadHistoryAsync(_channel, CancellationToken.None));
    }

    // Records a to h, one an append, and snapshots of the state at the given LSNs.
    private async Task<WalWriter> FillAsync(WalOptions options, long[] snapshots)
    {
        var writer = await (await azurite.NewWalAsync(options)).OpenAsync(_channel, 1);
        var state = new LogState();
        foreach (var text in "abcdefgh".Select(c => c.ToString()))
        {
            await writer.AppendAsync(text);
            state.Add(text);
            if (snapshots.Contains(state.Texts.Count))
            {
                await writer.WriteSnapshotAsync(state.Texts.Count, state.Content, CancellationToken.None);
            }
        }

        return writer;
    }

    private async Task DamageAsync(long lsn, string damage, long term = 1)
    {
        var name = new WalSnapshotEntry(lsn, term, 0, 0, 0).BlobName(_channel);
        var blob = azurite.Open().Blobs.GetBlobContainerClient("snapshots").GetAppendBlobClient(name);
        using var content = new MemoryStream();
        await (await blob.DownloadStreamingAsync()).Value.Content.CopyToAsync(content);
        var bytes = content.ToArray();
        bytes[^12] ^= 1;
        await blob.DeleteAsync();
        if (damage == "missing")
        {
            return;
        }

        byte[] written = damage switch
        {
            "flipped" => bytes,
            "cut" => content.ToArray()[..^4],
            "other" => [.. WalSnapshotCodec.Encode("another-channel", 1, lsn, bytes).SelectMany(block => block)],
            _ => [],
        };
        await blob.CreateAsync();
        if (written.Length > 0)
        {
            await blob.AppendBlockAsync(new MemoryStream(written));
        }
    }
}
