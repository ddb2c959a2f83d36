using Azure;

namespace Baton.Storage.Wal;

/// <summary>The storage calls of the log, one method a call: Azure's, or the model's in which tests try every interleaving.</summary>
/// <remarks>
/// Every method, those of <see cref="IAppendBlobs"/> as well, may throw <see cref="WalStorageUncertainException"/>: the call was lost, or its answer was, or it still is
/// on its way and will be done later. Any other exception is final. No method repeats a call that writes.
/// </remarks>
internal interface IWalStorage
{
    /// <summary>The segments of all channels.</summary>
    public IAppendBlobs Segments { get; }

    /// <summary>The snapshots of all channels.</summary>
    public IAppendBlobs Snapshots { get; }

    /// <summary>The manifest with its version, or null when the channel has none.</summary>
    public Task<VersionedManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken);

    /// <summary>The channels that have a manifest, in order.</summary>
    public Task<IReadOnlyList<string>> ListChannelsAsync(CancellationToken cancellationToken);

    /// <summary>Writes the manifest if <paramref name="expected"/> is still its version (null: if there is none). Null when it is not.</summary>
    public Task<ETag?> WriteManifestAsync(WalManifest manifest, ETag? expected, CancellationToken cancellationToken);
}

/// <summary>A manifest as it was read.</summary>
internal sealed record VersionedManifest(WalManifest Manifest, ETag ETag);

/// <summary>Whether a call was done is not known.</summary>
internal sealed class WalStorageUncertainException(string call, Exception? innerException = null)
    : Exception($"Whether '{call}' was done is not known.", innerException);

/// <summary>A blob is not there.</summary>
internal sealed class WalBlobMissingException(string blob, Exception? innerException = null)
    : Exception($"Blob '{blob}' does not exist.", innerException);
