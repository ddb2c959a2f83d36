using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Baton.Storage;
using Baton.Storage.Tables;
using Baton.Storage.Wal;

namespace Baton.Bench.Wal;

/// <summary>Taking a channel over: fence, and recover from its tail, beside the storage calls that this cannot do without.</summary>
internal static class Opening
{
    private const int PerBatch = 100;
    private const int Rounds = 10;

    public static async Task<(Samples Baton, Samples Raw)> MeasureAsync(WalStore store, BatonStorage storage, int records, int payloadBytes, CancellationToken cancellationToken)
    {
        await using (var writer = await store.OpenAsync("tail", 1, "bench", null, cancellationToken))
        {
            var append = Enumerable.Range(0, PerBatch).Select(_ => Appends.Record(new byte[payloadBytes])).ToList();
            for (var i = 0; i < records / PerBatch; i++)
            {
                await writer.Append(append).Durable;
            }
        }

        var segment = (await store.ReadManifestAsync("tail", cancellationToken))!.Tail!.BlobName("tail");
        var (baton, raw) = (new Samples(), new Samples());
        for (var term = 2; term < 2 + Rounds; term++)
        {
            await OpenAsync(store, term, records, baton, cancellationToken);
            await raw.TimeAsync(() => RawAsync(storage, segment, term, cancellationToken));
        }

        return (baton, raw);
    }

    private static async Task OpenAsync(WalStore store, long term, int records, Samples time, CancellationToken cancellationToken)
    {
        var replayed = 0;
        var replay = new WalReplay((_, _) =>
        {
            replayed++;
            return ValueTask.CompletedTask;
        });
        WalWriter? opened = null;
        await time.TimeAsync(async () => opened = await store.OpenAsync("tail", term, "bench", replay, cancellationToken));
        await opened!.DisposeAsync();
        if (replayed != records)
        {
            throw new InvalidOperationException($"Replayed {replayed} records of {records}.");
        }
    }

    // Read the manifest, claim it, seal, read the tail, create, write the header, add it to the manifest.
    private static async Task RawAsync(BatonStorage storage, string segment, int round, CancellationToken cancellationToken)
    {
        var manifests = storage.Tables.GetTableClient("WalManifests");
        var row = (await manifests.GetEntityAsync<TableEntity>("tail", "manifest", cancellationToken: cancellationToken)).Value;
        row.RowKey = "raw";
        await manifests.UpsertEntityAsync(row, TableUpdateMode.Replace, cancellationToken);
        var sealedBlob = storage.Blobs.GetBlobContainerClient("wal").GetAppendBlobClient(segment);
        await sealedBlob.SealAsync(cancellationToken: cancellationToken);
        using (var content = (await sealedBlob.DownloadStreamingAsync(cancellationToken: cancellationToken)).Value)
        {
            await content.Content.CopyToAsync(Stream.Null, cancellationToken);
        }

        var blob = storage.Blobs.GetBlobContainerClient("raw").GetAppendBlobClient($"opened-{round}");
        await blob.CreateAsync(cancellationToken: cancellationToken);
        await blob.AppendBlockAsync(new MemoryStream(new byte[64]), (AppendBlobAppendBlockOptions?)null, cancellationToken);
        await manifests.UpsertEntityAsync(row, TableUpdateMode.Replace, cancellationToken);
    }
}
