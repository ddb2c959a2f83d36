using Azure.Core.Pipeline;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal.HttpFaults;

/// <summary>A log's life over a bad network: opened, appended to, rolled, read, taken over, appended to again. What it holds in the end is known.</summary>
/// <param name="azurite">The service.</param>
/// <param name="clean">A store over a good network, to look with afterwards.</param>
internal sealed class FaultyScenario(StorageFixture azurite, WalStore clean)
{
    private const int MaxBlocks = 3;

    /// <summary>Lives it once.</summary>
    /// <param name="draw">The fate of each call from the first opening on.</param>
    /// <param name="networkTimeout">How long a call may hang.</param>
    public async Task RunAsync(Func<HttpRequestMessage, HttpFault?> draw, TimeSpan networkTimeout)
    {
        using var network = new FaultyHandler(draw);
        using var http = new HttpClient(network) { Timeout = Timeout.InfiniteTimeSpan };
        var storage = azurite.Open(options => Configure(options, http, networkTimeout), options => Configure(options, http, networkTimeout));
        var channel = WalTestExtensions.NewChannel();

        await using var first = await NewStore(storage).OpenAsync(channel, 1);
        await first.AppendAsync("a");
        await first.AppendAsync("b", "c");
        await Task.WhenAll(first.AppendAsync("d"), first.AppendAsync("e", "f"));
        Assert.Equal("abcdef", string.Concat(await NewStore(storage).ReadTextsAsync(channel)));

        var replayed = new List<(long Lsn, string Text)>();
        await using var second = await NewStore(storage).OpenAsync(channel, 2, replayed);
        Assert.Equal("abcdef", string.Concat(replayed.Select(r => r.Text)));
        await Assert.ThrowsAsync<WalFencedException>(() => first.AppendAsync("late"));
        await second.AppendAsync("g", "h");
        await second.AppendAsync("i");
        await network.ArriveAsync();
        await VerifyAsync(channel, second.LastDurableLsn);
    }

    private async Task VerifyAsync(string channel, long lastDurable)
    {
        var read = await clean.ReadTextsAsync(channel);
        Assert.Equal("abcdefghi", string.Concat(read));
        Assert.Equal(read.Count, lastDurable);

        var replayed = new List<(long Lsn, string Text)>();
        await using var third = await clean.OpenAsync(channel, 3, replayed);
        Assert.Equal(read.Select((text, i) => (i + 1L, text)), replayed);
    }

    private static WalStore NewStore(BatonStorage storage) =>
        new(storage, new WalOptions { MaxSegmentBlocks = MaxBlocks, MaxAttempts = 30, RetryDelayMs = 0, RetryMaxDelayMs = 0 }, TimeProvider.System, NullLoggerFactory.Instance);

    private static void Configure(Azure.Core.ClientOptions options, HttpClient http, TimeSpan networkTimeout)
    {
        options.Transport = new HttpClientTransport(http);
        options.Retry.Delay = TimeSpan.FromMilliseconds(1);
        options.Retry.MaxDelay = TimeSpan.FromMilliseconds(2);
        options.Retry.NetworkTimeout = networkTimeout;
    }
}
