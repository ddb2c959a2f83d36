using System.Globalization;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs.Specialized;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>Reading through segments, over what retention has deleted, and over broken downloads.</summary>
public sealed class WalReadTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private readonly string _channel = WalTestExtensions.NewChannel();

    [Theory]
    [InlineData(4 * 1024)]
    [InlineData(100_000)]
    [InlineData(1024 * 1024)]
    public async Task Whatever_the_ranges_the_same_is_read_from_any_lsn(int rangeBytes)
    {
        var expected = await FillAsync(segments: 2, perSegment: 15);
        var options = new WalOptions { ReadRangeBytes = rangeBytes, RetryDelayMs = 0 };

        Assert.Equal(expected, await (await azurite.NewWalAsync(options)).ReadTextsAsync(_channel));
        var store = await azurite.NewWalAsync(options);
        foreach (var from in new[] { 29, 3, 16, 30, 1 })
        {
            Assert.Equal(expected[(from - 1)..], await store.ReadTextsAsync(_channel, from));
            Assert.Equal(expected[(from - 1)..from], await store.ReadTextsAsync(_channel, from, from));
        }
    }

    [Fact]
    public async Task What_was_read_stays_as_it_is_while_more_is_read()
    {
        var expected = await FillAsync(segments: 2, perSegment: 15);
        var kept = new List<WalEntry>();
        await foreach (var entry in (await azurite.NewWalAsync()).ReadAsync(_channel, 1, long.MaxValue, CancellationToken.None))
        {
            kept.Add(entry);
        }

        Assert.Equal(expected, kept.ConvertAll(e => e.Record.Text()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Below_the_retained_history_reading_says_where_it_begins(bool knewTheOldManifest)
    {
        var expected = await FillAsync(segments: 4, perSegment: 3);
        var store = await azurite.NewWalAsync();
        if (knewTheOldManifest)
        {
            await store.ReadTextsAsync(_channel);
        }

        await TrimAsync(segments: 2);

        Assert.Equal(7, (await Assert.ThrowsAsync<WalTrimmedException>(() => store.ReadTextsAsync(_channel, 2))).FirstLsn);
        Assert.Equal(7, (await Assert.ThrowsAsync<WalTrimmedException>(() => store.ReadTextsAsync(_channel, 6, 6))).FirstLsn);
        Assert.Equal(expected[6..], await store.ReadTextsAsync(_channel, 7));
    }

    [Fact]
    public async Task A_segment_that_is_trimmed_while_it_is_read_ends_the_read_with_where_the_history_begins()
    {
        var expected = await FillAsync(segments: 3, perSegment: 10);
        var read = new List<string>();

        var failure = await Assert.ThrowsAsync<WalTrimmedException>(async () =>
        {
            await foreach (var entry in (await azurite.NewWalAsync(new WalOptions { ReadRangeBytes = 4 * 1024, RetryDelayMs = 0 })).ReadAsync(_channel, 1, long.MaxValue, CancellationToken.None))
            {
                read.Add(entry.Record.Text());
                if (read.Count == 2)
                {
                    await TrimAsync(segments: 1);
                }
            }
        });

        Assert.Equal(11, failure.FirstLsn);
        Assert.InRange(read.Count, 2, 9);
        Assert.Equal(expected[..read.Count], read);
    }

    [Fact]
    public async Task A_blob_that_is_gone_although_the_manifest_lists_it_is_damage_also_for_who_has_read_it_before()
    {
        await FillAsync(segments: 3, perSegment: 3);
        var store = await azurite.NewWalAsync();
        await store.ReadTextsAsync(_channel);
        var segment = (await store.ReadManifestAsync(_channel, CancellationToken.None))!.Segments[1];
        await DeleteAsync(segment);

        var failure = await Assert.ThrowsAsync<WalDamagedException>(() => store.ReadTextsAsync(_channel, 2));

        Assert.Equal((segment.BlobName(_channel), 4L), (failure.Segment, failure.FirstMissingLsn));
        Assert.Contains("the blob is missing", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_tail_that_was_dropped_and_deleted_is_passed_by()
    {
        var leader = await azurite.NewWalAsync();
        var follower = await azurite.NewWalAsync();
        await using (await leader.OpenAsync(_channel, 1))
        {
            Assert.Empty(await follower.ReadTextsAsync(_channel));
        }

        var empty = (await leader.ReadManifestAsync(_channel, CancellationToken.None))!.Tail!;
        await using var writer = await leader.OpenAsync(_channel, 2);
        await DeleteAsync(empty);
        await writer.AppendAsync("a");

        Assert.Equal(["a"], await follower.ReadTextsAsync(_channel));
    }

    [Fact]
    public async Task A_manifest_with_a_gap_is_damage_and_no_end()
    {
        await FillAsync(segments: 3, perSegment: 3);
        await ChangeAsync(manifest => manifest with { Segments = [manifest.Segments[0], manifest.Segments[2]] });

        var failure = await Assert.ThrowsAsync<WalDamagedException>(async () => await (await azurite.NewWalAsync()).ReadTextsAsync(_channel));

        Assert.Equal((4L, (long?)6L), (failure.FirstMissingLsn, failure.LastMissingLsn));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_download_that_breaks_is_taken_up_again_also_when_the_blob_has_grown_since(bool grown)
    {
        var store = await azurite.NewWalAsync();
        await using var writer = await store.OpenAsync(_channel, 1);
        var expected = Enumerable.Range(1, 30).Select(Text).ToList();
        foreach (var text in expected)
        {
            await writer.AppendAsync(text);
        }

        var cut = new CuttingPolicy(fromCall: 3, async () =>
        {
            if (grown)
            {
                expected.Add("more");
                await writer.AppendAsync("more");
            }
        });
        var reader = new WalStore(azurite.Open(blobs: options => Add(options, cut)), WalTestExtensions.Quick, TimeProvider.System, NullLoggerFactory.Instance);

        Assert.Equal(expected, await reader.ReadTextsAsync(_channel));

        // The client itself refuses to go on with a blob that has grown: then the log asks anew, from the batch that it was reading.
        Assert.True(cut.Cut);
        var header = new Core.Wal.WalSegmentHeader(_channel, 1, 1, DateTimeOffset.UnixEpoch).Encode().Length;
        var batch = Core.Wal.WalBatchCodec.Encode(1, [WalTestExtensions.Message(Text(1))]).Length;
        Assert.True(!grown || cut.StartsAfter.Any(start => start > header && (start - header) % batch == 0));
    }

    private static string Text(int n) => $"{n,6}{new string('x', 50_000)}";

    private static void Add(ClientOptions options, HttpPipelinePolicy policy)
    {
        options.Retry.Delay = TimeSpan.FromMilliseconds(1);
        options.AddPolicy(policy, HttpPipelinePosition.BeforeTransport);
    }

    /// <summary>Segments of one 50 KB record a batch; the last is left open.</summary>
    private async Task<List<string>> FillAsync(int segments, int perSegment)
    {
        var expected = Enumerable.Range(1, segments * perSegment).Select(Text).ToList();
        var store = await azurite.NewWalAsync(new WalOptions { MaxSegmentBlocks = perSegment + 1, RetryDelayMs = 0 });
        await using var writer = await store.OpenAsync(_channel, 1);
        foreach (var text in expected)
        {
            await writer.AppendAsync(text);
        }

        return expected;
    }

    // As retention does it: first out of the manifest, then deleted.
    private async Task TrimAsync(int segments)
    {
        var gone = await ChangeAsync(manifest => manifest with
        {
            Segments = [.. manifest.Segments.Skip(segments)],
            FirstLsn = manifest.Segments[segments].FirstLsn,
            Revision = manifest.Revision + 1,
        });
        foreach (var segment in gone.Segments.Take(segments))
        {
            await DeleteAsync(segment);
        }
    }

    private async Task<WalManifest> ChangeAsync(Func<WalManifest, WalManifest> change)
    {
        var storage = new AzureWalStorage(azurite.Open());
        var read = (await storage.ReadManifestAsync(_channel, CancellationToken.None))!;
        Assert.NotNull(await storage.WriteManifestAsync(change(read.Manifest), read.ETag, CancellationToken.None));
        return read.Manifest;
    }

    private async Task DeleteAsync(WalSegment segment) => await azurite.Open().Blobs.GetBlobContainerClient("wal").GetAppendBlobClient(segment.BlobName(_channel)).DeleteAsync();

    /// <summary>Breaks the body of one download in the middle.</summary>
    private sealed class CuttingPolicy(int fromCall, Func<Task> onCut) : HttpPipelinePolicy
    {
        private int _calls;

        public bool Cut { get; private set; }

        /// <summary>Where the downloads after the broken one began, those that were on their way when it broke included.</summary>
        public List<long> StartsAfter { get; } = [];

        public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
        {
            await ProcessNextAsync(message, pipeline);
            if (message.Request.Method != RequestMethod.Get || message.Response.Status != 206)
            {
                return;
            }

            lock (StartsAfter)
            {
                _calls++;
                if (_calls > fromCall)
                {
                    var range = message.Request.Headers.TryGetValue("x-ms-range", out var value) ? value : "";
                    StartsAfter.Add(long.Parse(range["bytes=".Length..range.IndexOf('-', StringComparison.Ordinal)], CultureInfo.InvariantCulture));
                }

                if (_calls != fromCall)
                {
                    return;
                }
            }

            Cut = true;
            message.Response.ContentStream = new CutStream(message.Response.ContentStream!, 70_000, onCut);
        }

        public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException("Storage is called asynchronously.");
    }

    private sealed class CutStream(Stream inner, int leftBytes, Func<Task> onCut) : Stream
    {
        private int _left = leftBytes;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_left == 0)
            {
                await onCut();
                throw new IOException("The body was cut (by the test).");
            }

            var read = await inner.ReadAsync(buffer[..Math.Min(buffer.Length, _left)], cancellationToken);
            _left -= read;
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
