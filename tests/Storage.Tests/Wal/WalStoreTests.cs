using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

public sealed class WalStoreTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private readonly string _channel = WalTestExtensions.NewChannel();

    [Fact]
    public async Task What_was_appended_is_read_back_and_replayed()
    {
        var store = await azurite.NewWalAsync();
        await using var writer = await store.OpenAsync(_channel, 1);

        var first = writer.Append([WalTestExtensions.Message("a"), WalTestExtensions.Message("b")]);
        var second = writer.Append([WalTestExtensions.Message("c")]);
        await Task.WhenAll(first.Durable, second.Durable);

        Assert.Equal((1L, 2L, 3L, 3L), (first.FirstLsn, first.LastLsn, second.FirstLsn, second.LastLsn));
        Assert.Equal(3, writer.LastDurableLsn);
        Assert.Equal("abc", string.Concat(await store.ReadTextsAsync(_channel)));
        Assert.Equal("b", string.Concat(await store.ReadTextsAsync(_channel, 2, 2)));
        Assert.Empty(await store.ReadTextsAsync(_channel, 4));

        var replayed = new List<(long, string)>();
        await using var next = await (await azurite.NewWalAsync()).OpenAsync(_channel, 2, replayed);
        Assert.Equal([(1, "a"), (2, "b"), (3, "c")], replayed);
        Assert.Equal(4, next.Append([WalTestExtensions.Message("d")]).FirstLsn);
    }

    [Fact]
    public async Task Every_field_of_a_record_survives()
    {
        var store = await azurite.NewWalAsync();
        await using var writer = await store.OpenAsync(_channel, 7);
        var record = new WalRecord
        {
            Type = WalRecordType.TxnBegin,
            TimeTick = 99,
            VChannel = "v",
            TxnId = 5,
            KeepaliveMs = 6,
            TxnBeginLsn = 7,
            BroadcastId = 8,
            Source = new SourcePosition("c1", "ch", 9, 10),
            ProducerId = "p",
            ProducerSequence = 11,
            Key = "k",
            Payload = new byte[] { 1, 2 },
        };

        await writer.Append([record]).Durable;
        var entries = new List<WalEntry>();
        await foreach (var entry in store.ReadAsync(_channel, 1, 1, CancellationToken.None))
        {
            entries.Add(entry);
        }

        var read = Assert.Single(entries);
        Assert.Equal((1L, 7L), (read.Lsn, read.Term));
        Assert.Equal(record with { Payload = default }, read.Record with { Payload = default });
        Assert.Equal(record.Payload.ToArray(), read.Record.Payload.ToArray());
    }

    [Fact]
    public async Task Concurrent_appends_share_blocks_and_get_dense_lsns_in_the_order_of_the_calls()
    {
        var faults = new FaultInjectingPolicy();
        var store = await azurite.NewWalAsync(faults: faults);
        await using var writer = await store.OpenAsync(_channel, 1);
        faults.Lose(Loss.Answer, FaultInjectingPolicy.IsAppend, nth: int.MaxValue / 2);

        var appends = await Task.WhenAll(Enumerable.Range(0, 8).Select(producer => Task.Run(async () =>
        {
            var mine = new List<(long Lsn, string Text)>();
            var waits = new List<Task>();
            for (var i = 0; i < 250; i++)
            {
                var append = writer.Append([WalTestExtensions.Message($"{producer}:{i}"), WalTestExtensions.Message($"{producer}:{i}+")]);
                mine.Add((append.FirstLsn, $"{producer}:{i}"));
                waits.Add(append.Durable);
            }

            await Task.WhenAll(waits);
            return mine;
        })));

        var texts = await store.ReadTextsAsync(_channel);
        Assert.Equal(4000, texts.Count);
        Assert.All(appends.SelectMany(a => a), a => Assert.Equal((a.Text, a.Text + "+"), (texts[(int)a.Lsn - 1], texts[(int)a.Lsn])));
        Assert.All(appends, mine => Assert.True(mine.Zip(mine.Skip(1)).All(pair => pair.First.Lsn < pair.Second.Lsn)));
        Assert.True(faults.Matched < 1000, $"2000 appends took {faults.Matched} calls");
    }

    [Fact]
    public async Task An_append_is_never_split_over_two_batches()
    {
        var store = await azurite.NewWalAsync(new WalOptions { MaxBatchBytes = 100, RetryDelayMs = 0 });
        await using var writer = await store.OpenAsync(_channel, 1);
        var big = Enumerable.Range(0, 50).Select(n => WalTestExtensions.Message($"{n,10}")).ToList();

        await Task.WhenAll(writer.Append(big).Durable, writer.Append(big).Durable, writer.Append(big).Durable);
        var last = (await store.ReadManifestAsync(_channel, CancellationToken.None))!.Tail!;
        var batches = await ReadBatchesAsync(azurite, _channel, last);

        Assert.Equal([50, 50, 50], batches.Select(b => b.Records.Count));
    }

    [Theory]
    [InlineData(3, long.MaxValue / 2)]
    [InlineData(45_000, 300)]
    public async Task A_full_segment_is_sealed_and_the_next_one_goes_on(int maxBlocks, long maxBytes)
    {
        var store = await azurite.NewWalAsync(new WalOptions { MaxSegmentBlocks = maxBlocks, MaxSegmentBytes = Math.Min(maxBytes, 1L << 30), RetryDelayMs = 0 });
        var expected = Enumerable.Range(0, 20).Select(n => $"message {n,80}").ToList();
        await using (var writer = await store.OpenAsync(_channel, 1))
        {
            foreach (var text in expected)
            {
                await writer.AppendAsync(text);
            }
        }

        var manifest = (await store.ReadManifestAsync(_channel, CancellationToken.None))!;
        var replayed = new List<(long, string Text)>();
        await using var next = await (await azurite.NewWalAsync()).OpenAsync(_channel, 2, replayed);

        Assert.InRange(manifest.Segments.Count, 5, 20);
        Assert.All(manifest.Segments.SkipLast(1), s => Assert.True(s.Sealed));
        Assert.False(manifest.Segments[^1].Sealed);
        Assert.Equal(expected, await store.ReadTextsAsync(_channel));
        Assert.Equal(expected[9..], await (await azurite.NewWalAsync()).ReadTextsAsync(_channel, 10));
        Assert.Equal(expected, replayed.ConvertAll(r => r.Text));
    }

    [Fact]
    public async Task A_reader_with_an_old_manifest_follows_later_segments_and_terms()
    {
        var leader = await azurite.NewWalAsync(new WalOptions { MaxSegmentBlocks = 3, RetryDelayMs = 0 });
        var follower = await azurite.NewWalAsync();
        await using (var writer = await leader.OpenAsync(_channel, 1))
        {
            await writer.AppendAsync("a");
            Assert.Equal("a", string.Concat(await follower.ReadTextsAsync(_channel)));
            foreach (var text in new[] { "b", "c", "d", "e" })
            {
                await writer.AppendAsync(text);
            }
        }

        await using var second = await leader.OpenAsync(_channel, 2);
        await second.AppendAsync("f");

        Assert.Equal("abcdef", string.Concat(await follower.ReadTextsAsync(_channel)));
        Assert.Equal("ef", string.Concat(await follower.ReadTextsAsync(_channel, 5)));
    }

    [Fact]
    public async Task A_reader_beside_a_busy_writer_sees_whole_batches_in_order()
    {
        var leader = await azurite.NewWalAsync(new WalOptions { MaxSegmentBlocks = 40, RetryDelayMs = 0 });
        var follower = await azurite.NewWalAsync();
        await using var writer = await leader.OpenAsync(_channel, 1);
        var padding = new string('x', 50_000);
        var writing = Task.Run(async () =>
        {
            for (var n = 1; n <= 150; n++)
            {
                await writer.AppendAsync($"{n}{padding}");
            }
        });

        var read = new List<string>();
        while (read.Count < 150)
        {
            var done = writing.IsCompleted;
            var more = await follower.ReadTextsAsync(_channel, read.Count + 1);
            Assert.True(more.Count > 0 || !done, "the writer has ended, and not everything can be read");
            read.AddRange(more);
        }

        await writing;
        Assert.Equal(Enumerable.Range(1, 150).Select(n => $"{n}{padding}").ToList(), read);
    }

    [Fact]
    public async Task Openings_without_appends_leave_no_trail_of_empty_segments()
    {
        var store = await azurite.NewWalAsync();
        for (var term = 1; term <= 5; term++)
        {
            await using var writer = await store.OpenAsync(_channel, term);
        }

        await using var last = await store.OpenAsync(_channel, 6);
        await last.AppendAsync("a");

        Assert.Single((await store.ReadManifestAsync(_channel, CancellationToken.None))!.Segments);
        Assert.Equal("a", string.Concat(await store.ReadTextsAsync(_channel)));
    }

    [Fact]
    public async Task Too_many_waiting_bytes_refuse_an_append_and_lose_nothing()
    {
        var store = await azurite.NewWalAsync(new WalOptions { MaxQueuedBytes = 1_000, RetryDelayMs = 0 });
        await using var writer = await store.OpenAsync(_channel, 1);
        var accepted = new List<WalAppend>();
        var refused = false;

        // The loop cannot outrun a queue of a thousand bytes for long: each call to the storage takes longer than many appends.
        for (var i = 0; i < 100_000 && !refused; i++)
        {
            try
            {
                accepted.Add(writer.Append([WalTestExtensions.Message(new string('x', 200))]));
            }
            catch (WalOverloadedException)
            {
                refused = true;
            }
        }

        await Task.WhenAll(accepted.Select(a => a.Durable));
        await writer.AppendAsync("last");
        Assert.True(refused);
        Assert.Equal(accepted.Count + 1, (await store.ReadTextsAsync(_channel)).Count);
    }

    [Fact]
    public async Task Closing_writes_what_is_queued_and_refuses_more()
    {
        var store = await azurite.NewWalAsync();
        var writer = await store.OpenAsync(_channel, 1);
        var queued = Enumerable.Range(0, 100).Select(n => writer.Append([WalTestExtensions.Message($"{n}")])).ToList();

        await writer.DisposeAsync();
        await Task.WhenAll(queued.Select(q => q.Durable));

        Assert.Equal(WalEndReason.Closed, (await writer.Ended).Reason);
        Assert.Throws<ObjectDisposedException>(() => writer.Append([WalTestExtensions.Message("late")]));
        Assert.Equal(100, (await store.ReadTextsAsync(_channel)).Count);
    }

    [Fact]
    public async Task A_bad_append_is_refused_at_once_and_takes_no_lsn()
    {
        var store = await azurite.NewWalAsync();
        await using var writer = await store.OpenAsync(_channel, 1);

        Assert.Throws<ArgumentException>(() => writer.Append([]));
        Assert.ThrowsAny<ArgumentException>(() => writer.Append([WalTestExtensions.Message("a") with { Key = "\ud800" }]));

        Assert.Equal(1, writer.Append([WalTestExtensions.Message("a")]).FirstLsn);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("a%b")]
    [InlineData("..")]
    public async Task A_channel_name_that_is_no_blob_name_is_refused(string name)
    {
        var store = await azurite.NewWalAsync();

        await Assert.ThrowsAsync<ArgumentException>(() => store.OpenAsync(name, 1));
    }

    [Fact]
    public async Task A_channel_that_was_never_opened_has_nothing()
    {
        var store = await azurite.NewWalAsync();

        Assert.Null(await store.ReadManifestAsync(_channel, CancellationToken.None));
        Assert.Empty(await store.ReadTextsAsync(_channel));
    }

    private static async Task<List<WalBatch>> ReadBatchesAsync(StorageFixture azurite, string channel, WalSegment segment)
    {
        var options = WalTestExtensions.Quick;
        var reader = new WalSegmentReader(new AzureWalStorage(azurite.Open()), new WalRetry(options, TimeProvider.System), channel, segment, new WalSegmentPlace(segment.FirstLsn, 0));
        var batches = new List<WalBatch>();
        while (await reader.NextAsync(CancellationToken.None) is { } batch)
        {
            batches.Add(batch);
        }

        return batches;
    }
}
