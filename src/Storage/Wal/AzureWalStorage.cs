using System.Text.Json;
using Azure;
using Baton.Storage.Tables;

namespace Baton.Storage.Wal;

/// <summary>The log's storage calls on Azure Storage: append blobs in one container, manifests in one table.</summary>
internal sealed class AzureWalStorage : IWalStorage
{
    private const string SegmentsContainer = "wal";
    private const string SnapshotsContainer = "snapshots";
    private const string TableName = "WalManifests";
    private const string ManifestRow = "manifest";

    private readonly TableClient _manifests;
    private readonly AzureAppendBlobs _segments;
    private readonly AzureAppendBlobs _snapshots;

    public AzureWalStorage(BatonStorage storage)
    {
        _manifests = storage.Tables.GetTableClient(TableName);
        _segments = new AzureAppendBlobs(storage, SegmentsContainer);
        _snapshots = new AzureAppendBlobs(storage, SnapshotsContainer);
    }

    public IAppendBlobs Segments => _segments;

    public IAppendBlobs Snapshots => _snapshots;

    /// <summary>Creates containers and table unless they are there.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await _segments.PrepareAsync(cancellationToken).ConfigureAwait(false);
        await _snapshots.PrepareAsync(cancellationToken).ConfigureAwait(false);
        await _manifests.CreateIfNotExistsAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task<VersionedManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken) => CallAsync(
        "read manifest",
        async () =>
        {
            var read = await _manifests.GetEntityIfExistsAsync<TableEntity>(channel, ManifestRow, cancellationToken: cancellationToken).ConfigureAwait(false);
            return read.HasValue ? new VersionedManifest(Decode(channel, read.Value!), read.Value!.ETag) : null;
        },
        cancellationToken);

    public Task<IReadOnlyList<string>> ListChannelsAsync(CancellationToken cancellationToken) => CallAsync<IReadOnlyList<string>>(
        "list channels",
        async () =>
        {
            var channels = new List<string>();
            try
            {
                await foreach (var entity in _manifests.QueryAsync<TableEntity>($"RowKey eq '{ManifestRow}'", select: ["PartitionKey"], cancellationToken: cancellationToken).ConfigureAwait(false))
                {
                    channels.Add(entity.PartitionKey);
                }
            }
            catch (RequestFailedException failure) when (failure.Status == 404)
            {
                // Nobody has prepared this account, so no channel has a log in it.
            }

            channels.Sort(StringComparer.Ordinal);
            return channels;
        },
        cancellationToken);

    public Task<ETag?> WriteManifestAsync(WalManifest manifest, ETag? expected, CancellationToken cancellationToken)
    {
        // Term and owner also stand for themselves, for whoever looks at the table.
        var entity = new TableEntity(manifest.Channel, ManifestRow) { ["Term"] = manifest.Term, ["Owner"] = manifest.Owner };
        LargeValue.Write(entity, manifest);
        return CallAsync<ETag?>(
            "write manifest",
            async () =>
            {
                try
                {
                    var written = expected is { } etag
                        ? await _manifests.UpdateEntityAsync(entity, etag, TableUpdateMode.Replace, cancellationToken).ConfigureAwait(false)
                        : await _manifests.AddEntityAsync(entity, cancellationToken).ConfigureAwait(false);
                    return written.Headers.ETag;
                }
                catch (RequestFailedException failure) when (failure is { Status: 412 } or { Status: 409, ErrorCode: TableErrorCode.EntityAlreadyExists })
                {
                    return null;
                }
            },
            cancellationToken);
    }

    /// <summary>Deletes a log with everything in it, its manifest first, so that a crash leaves blobs that nobody refers to.</summary>
    public async Task DeleteAsync(string channel, CancellationToken cancellationToken)
    {
        await CallAsync("delete manifest", () => _manifests.DeleteEntityAsync(channel, ManifestRow, ETag.All, cancellationToken), cancellationToken).ConfigureAwait(false);
        foreach (var blobs in new[] { _segments, _snapshots })
        {
            foreach (var blob in await blobs.ListAsync(channel + "/", cancellationToken).ConfigureAwait(false))
            {
                await blobs.DeleteAsync(blob, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Whether <paramref name="failure"/> leaves open if the call was done, and so may be tried again.</summary>
    public static bool IsUncertain(Exception failure) => failure switch
    {
        RequestFailedException { Status: 0 or 408 or 429 or 500 or 502 or 503 or 504 } => true,
        RequestFailedException => false,
        IOException or HttpRequestException or OperationCanceledException => true,

        // What the pipeline throws when its own attempts have all failed.
        AggregateException several => several.InnerExceptions.All(IsUncertain),
        _ => false,
    };

    /// <summary>Runs a call; what it fails with says whether its end is certain.</summary>
    public static async Task<T> CallAsync<T>(string call, Func<Task<T>> send, CancellationToken cancellationToken)
    {
        try
        {
            return await send().ConfigureAwait(false);
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested && IsUncertain(failure))
        {
            throw new WalStorageUncertainException(call, failure);
        }
        catch (RequestFailedException failure)
        {
            throw new WalFaultedException($"The storage refused to {call}: {failure.Status} {failure.ErrorCode}.", failure);
        }
    }

    private static WalManifest Decode(string channel, TableEntity entity)
    {
        try
        {
            return LargeValue.Read<WalManifest>(entity) ?? throw new InvalidDataException("There is no value.");
        }
        catch (Exception failure) when (failure is InvalidDataException or JsonException)
        {
            throw new WalFaultedException($"The manifest of channel '{channel}' cannot be read: {failure.Message}", failure);
        }
    }
}
