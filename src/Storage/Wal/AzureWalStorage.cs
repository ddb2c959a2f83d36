using System.Runtime.InteropServices;
using System.Text.Json;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Baton.Storage.Tables;

namespace Baton.Storage.Wal;

/// <summary>The log's storage calls on Azure Storage: append blobs in one container, manifests in one table.</summary>
internal sealed class AzureWalStorage : IWalStorage
{
    private const string ContainerName = "wal";
    private const string TableName = "WalManifests";
    private const string ManifestRow = "manifest";

    private readonly TableClient _manifests;
    private readonly BlobContainerClient _reads;
    private readonly BlobContainerClient _writes;

    public AzureWalStorage(BatonStorage storage)
    {
        _manifests = storage.Tables.GetTableClient(TableName);
        _reads = storage.Blobs.GetBlobContainerClient(ContainerName);
        _writes = storage.SingleAttemptBlobs.GetBlobContainerClient(ContainerName);
    }

    /// <summary>Creates container and table unless they are there.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await _reads.CreateIfNotExistsAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
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

    public Task CreateAsync(string segment, CancellationToken cancellationToken) => CallAsync(
        "create segment",
        async () =>
        {
            try
            {
                var options = new AppendBlobCreateOptions { Conditions = new AppendBlobRequestConditions { IfNoneMatch = ETag.All } };
                await _writes.GetAppendBlobClient(segment).CreateAsync(options, cancellationToken).ConfigureAwait(false);
            }
            catch (RequestFailedException failure) when (failure.Status is 409 or 412 && failure.ErrorCode is "BlobAlreadyExists" or "ConditionNotMet")
            {
                // There already: whose it is shows at the first append.
            }

            return true;
        },
        cancellationToken);

    public Task<AppendOutcome> AppendAsync(string segment, long position, ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => CallAsync(
        "append block",
        async () =>
        {
            using var content = MemoryMarshal.TryGetArray(block, out var array)
                ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
                : new MemoryStream(block.ToArray());
            try
            {
                var options = new AppendBlobAppendBlockOptions { Conditions = new AppendBlobRequestConditions { IfAppendPositionEqual = position } };
                await _writes.GetAppendBlobClient(segment).AppendBlockAsync(content, options, cancellationToken).ConfigureAwait(false);
                return AppendOutcome.Appended;
            }
            catch (RequestFailedException failure) when (failure.Status == 412)
            {
                return AppendOutcome.PositionMoved;
            }
            catch (RequestFailedException failure) when (failure is { Status: 409, ErrorCode: "BlobIsSealed" })
            {
                return AppendOutcome.Sealed;
            }
        },
        cancellationToken);

    public Task SealAsync(string segment, CancellationToken cancellationToken) => CallAsync(
        "seal segment",
        async () =>
        {
            try
            {
                await _writes.GetAppendBlobClient(segment).SealAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            }
            catch (RequestFailedException failure) when (failure is { Status: 409, ErrorCode: "BlobIsSealed" })
            {
                // Sealed before: the same.
            }
            catch (RequestFailedException failure) when (failure.Status == 404)
            {
                throw new WalSegmentMissingException(segment, failure);
            }

            return true;
        },
        cancellationToken);

    public Task<Stream?> ReadAsync(string segment, long offset, CancellationToken cancellationToken) => CallAsync<Stream?>(
        "read segment",
        async () =>
        {
            try
            {
                var options = new BlobDownloadOptions { Range = new HttpRange(offset) };
                var answer = await _reads.GetAppendBlobClient(segment).DownloadStreamingAsync(options, cancellationToken).ConfigureAwait(false);
                return answer.Value.Content;
            }
            catch (RequestFailedException failure) when (failure.Status == 416)
            {
                return null;
            }
            catch (RequestFailedException failure) when (failure.Status == 404)
            {
                throw new WalSegmentMissingException(segment, failure);
            }
        },
        cancellationToken);

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

    private static async Task<T> CallAsync<T>(string call, Func<Task<T>> send, CancellationToken cancellationToken)
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
