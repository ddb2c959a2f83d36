using System.Diagnostics;
using Azure.Core;
using Azure.Core.Pipeline;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>A node with a thousand channels, most of them idle: they cost a little memory and nothing else.</summary>
[Collection(ThousandChannelsGroup.Name)]
public sealed class ThousandChannelsTests(StorageFixture azurite, ITestOutputHelper output) : IClassFixture<StorageFixture>
{
    private const int Channels = 1_000;
    private const int BusyAppends = 200;

    // Generous; what would grow with the channels is far beyond.
    private const int MostSockets = 300;
    private const int MostTimers = 100;
    private const int MostThreads = 50;
    private const long MostBytesPerChannel = 32 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly IReadOnlyList<string> _channels = [.. Enumerable.Range(0, Channels).Select(_ => WalTestExtensions.NewChannel())];

    [Fact]
    public async Task A_thousand_channels_are_opened_kept_idle_taken_over_and_closed_within_bounds()
    {
        var calls = new CallCounter();
        var storage = azurite.Open(o => o.AddPolicy(calls, HttpPipelinePosition.BeforeTransport), o => o.AddPolicy(calls, HttpPipelinePosition.BeforeTransport));
        var store = NewStore(storage);
        await store.PrepareAsync(CancellationToken.None);
        var before = Footprint.Take();

        var writers = await OpenBoundedAsync(store);
        await AppendToEachAsync(writers);
        Check("opened, 32 at a time", before);
        await AssertOnlyTheBusyOneCallsAsync(writers[0], calls);
        Check("idle", before);

        // And all at once: what a node does that takes over from a dead one.
        var next = NewStore(storage);
        var successors = await Task.WhenAll(_channels.Select(channel => next.OpenAsync(channel, 2, "test", null, CancellationToken.None))).WaitAsync(Patience);
        await AppendToEachAsync(successors);
        Check("taken over, all at once", before, writersPerChannel: 2);

        var clock = Stopwatch.StartNew();
        await Task.WhenAll(writers.Concat(successors).Select(w => w.DisposeAsync().AsTask())).WaitAsync(Patience);
        output.WriteLine($"Closed 2 × {Channels} in {clock.ElapsedMilliseconds} ms.");
    }

    private async Task<WalWriter[]> OpenBoundedAsync(WalStore store)
    {
        var writers = new WalWriter[Channels];
        await Parallel.ForAsync(0, Channels, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (n, token) =>
            writers[n] = await store.OpenAsync(_channels[n], 1, "test", null, token)).WaitAsync(Patience);
        return writers;
    }

    private static async Task AppendToEachAsync(WalWriter[] writers)
    {
        await Task.WhenAll(writers.Select(w => w.AppendAsync("one"))).WaitAsync(Patience);
        Assert.All(writers, w => Assert.False(w.Ended.IsCompleted));
    }

    // Two hundred round trips are the idle time that passes.
    private static async Task AssertOnlyTheBusyOneCallsAsync(WalWriter busy, CallCounter calls)
    {
        calls.Watch(busy.Channel);
        for (var n = 0; n < BusyAppends; n++)
        {
            await busy.AppendAsync("more");
        }

        Assert.Equal((BusyAppends, 0), (calls.Watched, calls.Others));
    }

    private void Check(string when, Footprint before, int writersPerChannel = 1)
    {
        var now = Footprint.Take();
        var bytesPerChannel = (now.ManagedBytes - before.ManagedBytes) / Channels / writersPerChannel;
        output.WriteLine($"{when}: {now.Sockets - before.Sockets} sockets, {now.Timers - before.Timers} timers, {now.Threads - before.Threads} threads, {bytesPerChannel} B managed a channel.");
        Assert.InRange(now.Sockets - before.Sockets, int.MinValue, MostSockets);
        Assert.InRange(now.Timers - before.Timers, int.MinValue, MostTimers);
        Assert.InRange(now.Threads - before.Threads, int.MinValue, MostThreads);
        Assert.InRange(bytesPerChannel, long.MinValue, MostBytesPerChannel);
    }

    private static WalStore NewStore(BatonStorage storage) => new(storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);

    /// <summary>What the process holds.</summary>
    private sealed record Footprint(int Sockets, long Timers, int Threads, long ManagedBytes)
    {
        public static Footprint Take()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            using var process = Process.GetCurrentProcess();
            return new Footprint(SocketCount(), Timer.ActiveCount, process.Threads.Count, GC.GetTotalMemory(forceFullCollection: true));
        }

        private static int SocketCount() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count(fd =>
        {
            try
            {
                return new FileInfo(fd).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true;
            }
            catch (IOException)
            {
                // Closed since it was listed: the list's own, for one.
                return false;
            }
        });
    }

    /// <summary>Counts calls for one channel, and all others.</summary>
    private sealed class CallCounter : HttpPipelinePolicy
    {
        private string? _channel;
        private int _watched;
        private int _others;

        public int Watched => Volatile.Read(ref _watched);

        public int Others => Volatile.Read(ref _others);

        public void Watch(string channel) => (_channel, _watched, _others) = (channel, 0, 0);

        public override ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
        {
            if (_channel is { } channel && message.Request.Uri.ToString().Contains(channel, StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _watched);
            }
            else
            {
                Interlocked.Increment(ref _others);
            }

            return ProcessNextAsync(message, pipeline);
        }

        public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException("Storage is called asynchronously.");
    }
}

/// <summary>It measures the process, so it has it for itself.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ThousandChannelsGroup
{
    public const string Name = "a thousand channels";
}
