using System.Text;
using Azure.Storage.Blobs.Specialized;
using Baton.Core.Wal;
using Baton.Storage;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Cli.Tests;

/// <summary>A channel's log in a real storage account: one sealed segment and one open, one batch an append.</summary>
internal sealed class WrittenLog(string connectionString, string channel)
{
    private readonly BatonStorage _storage = BatonStorage.Open(new StorageOptions { ConnectionString = connectionString });
    private readonly List<WalRecord> _records = [];

    public string Channel { get; } = channel;

    /// <summary>The records by LSN - 1.</summary>
    public IReadOnlyList<WalRecord> Records => _records;

    public static async Task<WrittenLog> CreateAsync(string connectionString, string channel, int inSealed, int inOpen)
    {
        var log = new WrittenLog(connectionString, channel);
        await log.WriteAsync(1, [.. Enumerable.Range(1, inSealed).Select(i => Message($"key-{i}", $"payload {i}"))]);
        await log.WriteAsync(2, [.. Enumerable.Range(inSealed + 1, inOpen).Select(i => Message($"key-{i}", $"payload {i}"))]);
        return log;
    }

    public static WalRecord Message(string key, string payload) => new() { Type = WalRecordType.Message, TimeTick = 0, VChannel = "v1", Key = key, Payload = Encoding.UTF8.GetBytes(payload) };

    /// <summary>Opens the channel at <paramref name="term"/>, appends the records one by one with rising time ticks, and closes.</summary>
    public async Task WriteAsync(long term, IReadOnlyList<WalRecord> records)
    {
        var store = new WalStore(_storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await store.PrepareAsync(CancellationToken.None);
        await using var writer = await store.OpenAsync(Channel, term, "node-1", null, CancellationToken.None);
        var durable = Task.CompletedTask;
        foreach (var record in records)
        {
            _records.Add(record with { TimeTick = (1_763_720_000_000L + _records.Count) * 1_024 });
            durable = writer.Append([_records[^1]]).Durable;
            if (records.Count < 100)
            {
                await durable;
            }
        }

        await durable;
    }

    public async Task<WalManifest> ManifestAsync() => (await new WalVerifier(_storage, new WalOptions(), TimeProvider.System).ReadManifestAsync(Channel, CancellationToken.None))!;

    /// <summary>Where the batch of an LSN begins in its segment.</summary>
    public async Task<(WalSegment Segment, long Offset, int Size)> PlaceAsync(long lsn)
    {
        await foreach (var scanned in new WalVerifier(_storage, new WalOptions(), TimeProvider.System).ScanAsync(await ManifestAsync(), lsn, lsn, CancellationToken.None))
        {
            return (scanned.Segment, scanned.Offset, scanned.SizeBytes);
        }

        throw new InvalidOperationException($"LSN {lsn} is not in the log.");
    }

    /// <summary>Flips a bit of the payload of the batch that begins with <paramref name="lsn"/>.</summary>
    public async Task DamageAsync(long lsn)
    {
        var (segment, offset, size) = await PlaceAsync(lsn);
        var blob = _storage.Blobs.GetBlobContainerClient("wal").GetAppendBlobClient(segment.BlobName(Channel));
        using var content = new MemoryStream();
        await (await blob.DownloadStreamingAsync()).Value.Content.CopyToAsync(content);
        var bytes = content.ToArray();
        bytes[offset + size - 1] ^= 1;
        await blob.DeleteAsync();
        await blob.CreateAsync();
        await blob.AppendBlockAsync(new MemoryStream(bytes));
    }
}
