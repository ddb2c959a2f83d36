using System.Globalization;
using System.Runtime.InteropServices;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace Baton.Storage.Wal;

/// <summary>A container of append blobs in Azure Storage. Every call is sent once: whoever makes it repeats it, and two that repeat would multiply each other's waits.</summary>
internal sealed class AzureAppendBlobs(BatonStorage storage, string container) : IAppendBlobs
{
    private readonly BlobContainerClient _blobs = storage.SingleAttemptBlobs.GetBlobContainerClient(container);

    /// <summary>Creates the container unless it is there.</summary>
    public Task PrepareAsync(CancellationToken cancellationToken) => storage.Blobs.GetBlobContainerClient(container).CreateIfNotExistsAsync(cancellationToken: cancellationToken);

    public Task CreateAsync(string blob, CancellationToken cancellationToken) => AzureWalStorage.CallAsync(
        $"create a blob of {container}",
        async () =>
        {
            try
            {
                var options = new AppendBlobCreateOptions { Conditions = new AppendBlobRequestConditions { IfNoneMatch = ETag.All } };
                await _blobs.GetAppendBlobClient(blob).CreateAsync(options, cancellationToken).ConfigureAwait(false);
            }
            catch (RequestFailedException failure) when (failure.Status is 409 or 412 && failure.ErrorCode is "BlobAlreadyExists" or "ConditionNotMet")
            {
                // There already: whose it is shows at the first append.
            }

            return true;
        },
        cancellationToken);

    public Task<AppendOutcome> AppendAsync(string blob, long position, ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => AzureWalStorage.CallAsync(
        $"append to a blob of {container}",
        async () =>
        {
            using var content = MemoryMarshal.TryGetArray(block, out var array)
                ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
                : new MemoryStream(block.ToArray());
            try
            {
                var options = new AppendBlobAppendBlockOptions { Conditions = new AppendBlobRequestConditions { IfAppendPositionEqual = position } };
                await _blobs.GetAppendBlobClient(blob).AppendBlockAsync(content, options, cancellationToken).ConfigureAwait(false);
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
            catch (RequestFailedException failure) when (failure is { Status: 404, ErrorCode: "BlobNotFound" })
            {
                return AppendOutcome.Missing;
            }
        },
        cancellationToken);

    public Task SealAsync(string blob, CancellationToken cancellationToken) => AzureWalStorage.CallAsync(
        $"seal a blob of {container}",
        async () =>
        {
            try
            {
                await _blobs.GetAppendBlobClient(blob).SealAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            }
            catch (RequestFailedException failure) when (failure is { Status: 409, ErrorCode: "BlobIsSealed" })
            {
                // Sealed before: the same.
            }
            catch (RequestFailedException failure) when (failure.Status == 404)
            {
                throw new WalBlobMissingException(blob, failure);
            }

            return true;
        },
        cancellationToken);

    public Task<int> ReadAsync(string blob, long offset, Memory<byte> target, CancellationToken cancellationToken) => AzureWalStorage.CallAsync(
        $"read a blob of {container}",
        async () =>
        {
            try
            {
                var options = new BlobDownloadOptions { Range = new HttpRange(offset, target.Length) };
                using var answer = (await _blobs.GetAppendBlobClient(blob).DownloadStreamingAsync(options, cancellationToken).ConfigureAwait(false)).Value;
                var read = await answer.Content.ReadAtLeastAsync(target, target.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                return read == target.Length || EndsAt(answer.Details, offset + read)
                    ? read
                    : throw new WalStorageUncertainException($"read a blob of {container}");
            }
            catch (RequestFailedException failure) when (failure.Status == 416)
            {
                return 0;
            }
            catch (RequestFailedException failure) when (failure.Status == 404)
            {
                throw new WalBlobMissingException(blob, failure);
            }
            catch (RequestFailedException failure) when (failure.Status == 412)
            {
                // The client's own refusal to go on with a broken download of a blob that has grown since.
                throw new WalStorageUncertainException($"read a blob of {container}", failure);
            }
        },
        cancellationToken);

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) => AzureWalStorage.CallAsync<IReadOnlyList<string>>(
        $"list blobs of {container}",
        async () =>
        {
            var names = new List<string>();
            await foreach (var item in _blobs.GetBlobsAsync(prefix: prefix, cancellationToken: cancellationToken).ConfigureAwait(false))
            {
                names.Add(item.Name);
            }

            return names;
        },
        cancellationToken);

    public Task DeleteAsync(string blob, CancellationToken cancellationToken) => AzureWalStorage.CallAsync(
        $"delete a blob of {container}",
        async () => await _blobs.GetAppendBlobClient(blob).DeleteIfExistsAsync(cancellationToken: cancellationToken).ConfigureAwait(false),
        cancellationToken);

    // A short answer is taken for the end of a log: so it must be the blob's, and not that of an answer which was cut. "bytes 0-99/1234", or the whole blob.
    private static bool EndsAt(BlobDownloadDetails answer, long end) =>
        end == (answer.ContentRange is { } range && long.TryParse(range.AsSpan(range.LastIndexOf('/') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length : answer.ContentLength);
}
