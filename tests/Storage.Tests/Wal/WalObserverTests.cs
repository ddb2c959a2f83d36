using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>Who observes a writer sees every batch, in order, and is told that it is durable only when it is.</summary>
public sealed class WalObserverTests
{
    private const string Channel = "ch";
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task It_sees_every_batch_in_order_as_it_stands_in_the_log_and_then_that_it_is_durable()
    {
        var store = NewStore(new HeldStorage(new ModelWalStorage().Direct()));
        await using var writer = await store.OpenAsync(Channel, 1);
        var observer = new Observer();
        await writer.AppendAsync("before");
        writer.Observe(observer);
        for (var i = 0; i < 20; i++)
        {
            await writer.AppendAsync([.. Enumerable.Range(0, 1 + (i % 3)).Select(n => $"{i}-{n}")]);
        }

        writer.Observe(null);
        await writer.AppendAsync("after");

        var batches = new List<WalRawBatch>();
        await foreach (var batch in store.ReadBatchesAsync(Channel, 2, writer.LastDurableLsn - 1, CancellationToken.None))
        {
            batches.Add(batch);
        }

        Assert.Equal(20, batches.Count);
        Assert.Equal(batches.SelectMany(b => b.Bytes.ToArray()), observer.Bytes);
        Assert.Equal(batches.SelectMany(b => new[] { $"writing {b.FirstLsn} x{b.LastLsn - b.FirstLsn + 1}", $"durable {b.LastLsn}" }), observer.Seen);
    }

    [Fact]
    public async Task It_is_not_told_that_a_batch_is_durable_before_the_storage_has_it()
    {
        var storage = new HeldStorage(new ModelWalStorage().Direct());
        await using var writer = await NewStore(storage).OpenAsync(Channel, 1);
        var observer = new Observer();
        writer.Observe(observer);
        storage.Hold();

        var append = writer.Append([WalTestExtensions.Message("a")]);
        await storage.ArrivedAsync();
        Assert.Equal(["writing 1 x1"], observer.Seen);
        storage.Release();
        await append.Durable.WaitAsync(Bound);
        await writer.AppendAsync("b");

        Assert.Equal(["writing 1 x1", "durable 1", "writing 2 x1"], observer.Seen.Take(3));
    }

    [Fact]
    public async Task A_fenced_writer_tells_it_nothing_more()
    {
        var model = new ModelWalStorage();
        await using var writer = await NewStore(model.Direct()).OpenAsync(Channel, 1);
        var observer = new Observer();
        await writer.AppendAsync("a");
        writer.Observe(observer);
        await using var later = await NewStore(model.Direct()).OpenAsync(Channel, 2);

        await Assert.ThrowsAsync<WalFencedException>(() => writer.AppendAsync("late"));
        Assert.Equal(WalEndReason.Fenced, (await writer.Ended.WaitAsync(Bound)).Reason);
        Assert.Throws<WalFencedException>(() => writer.Append([WalTestExtensions.Message("later")]));

        // What was on its way when the fence came, and never that it is durable.
        Assert.Equal(["writing 2 x1"], observer.Seen);
    }

    private static WalStore NewStore(IWalStorage storage) => new(storage, WalTestExtensions.Quick, TimeProvider.System, NullLoggerFactory.Instance);

    private sealed class Observer : IWalBatchObserver
    {
        private readonly List<string> _seen = [];
        private readonly List<byte> _bytes = [];

        public IReadOnlyList<string> Seen
        {
            get
            {
                lock (_seen)
                {
                    return [.. _seen];
                }
            }
        }

        public IReadOnlyList<byte> Bytes => _bytes;

        public void Writing(long firstLsn, int count, ReadOnlyMemory<byte> batch)
        {
            _bytes.AddRange(batch.Span);
            Add($"writing {firstLsn} x{count}");
        }

        public void Durable(long lastLsn) => Add($"durable {lastLsn}");

        private void Add(string what)
        {
            lock (_seen)
            {
                _seen.Add(what);
            }
        }
    }
}
