using System.Text;
using Baton.Core.Wal;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>Short forms that the log's tests share.</summary>
internal static class WalTestExtensions
{
    /// <summary>Options with quick retries.</summary>
    public static WalOptions Quick => new() { RetryDelayMs = 0, RetryMaxDelayMs = 0 };

    public static string NewChannel() => $"ch-{Guid.NewGuid():N}";

    public static WalRecord Message(string text) => new() { Type = WalRecordType.Message, TimeTick = 1, Payload = Encoding.UTF8.GetBytes(text) };

    public static string Text(this WalRecord record) => Encoding.UTF8.GetString(record.Payload.Span);

    /// <summary>A store in the local storage service, every call of which passes <paramref name="faults"/>.</summary>
    public static async Task<WalStore> NewWalAsync(this StorageFixture azurite, WalOptions? options = null, FaultInjectingPolicy? faults = null)
    {
        var storage = azurite.Open(
            tables => Add(tables, faults),
            blobs => Add(blobs, faults));
        var store = new WalStore(storage, options ?? Quick, TimeProvider.System, NullLoggerFactory.Instance);
        await store.PrepareAsync(CancellationToken.None);
        return store;
    }

    public static Task<WalWriter> OpenAsync(this WalStore store, string channel, long term, List<(long Lsn, string Text)>? replayed = null) => store.OpenAsync(
        channel,
        term,
        "test",
        new WalReplay((lsn, record) =>
        {
            replayed?.Add((lsn, record.Text()));
            return ValueTask.CompletedTask;
        }),
        CancellationToken.None);

    public static Task AppendAsync(this WalWriter writer, params string[] texts) => writer.Append([.. texts.Select(Message)]).Durable;

    /// <summary>The texts of a channel, in order, after checking that the LSNs are dense from <paramref name="from"/>.</summary>
    public static async Task<List<string>> ReadTextsAsync(this WalStore store, string channel, long from = 1, long through = long.MaxValue)
    {
        var texts = new List<string>();
        await foreach (var entry in store.ReadAsync(channel, from, through, CancellationToken.None))
        {
            Assert.Equal(from + texts.Count, entry.Lsn);
            texts.Add(entry.Record.Text());
        }

        return texts;
    }

    private static void Add(Azure.Core.ClientOptions options, FaultInjectingPolicy? faults)
    {
        options.Retry.Delay = TimeSpan.FromMilliseconds(1);
        if (faults is not null)
        {
            options.AddPolicy(faults, Azure.Core.HttpPipelinePosition.BeforeTransport);
        }
    }
}
