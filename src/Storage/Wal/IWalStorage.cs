using Azure;

namespace Baton.Storage.Wal;

/// <summary>The storage calls of the log, one method a call: Azure's, or the model's in which tests try every interleaving.</summary>
/// <remarks>
/// Every method may throw <see cref="WalStorageUncertainException"/>: the call was lost, or its answer was, or it still is on its way and will be done later.
/// Any other exception is final. No method repeats a call that writes.
/// </remarks>
internal interface IWalStorage
{
    /// <summary>The manifest with its version, or null when the channel has none.</summary>
    public Task<VersionedManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken);

    /// <summary>Writes the manifest if <paramref name="expected"/> is still its version (null: if there is none). Null when it is not.</summary>
    public Task<ETag?> WriteManifestAsync(WalManifest manifest, ETag? expected, CancellationToken cancellationToken);

    /// <summary>Creates an empty segment; one that is there stays as it is.</summary>
    public Task CreateAsync(string segment, CancellationToken cancellationToken);

    /// <summary>Appends one block if the segment ends at <paramref name="position"/> and is not sealed.</summary>
    public Task<AppendOutcome> AppendAsync(string segment, long position, ReadOnlyMemory<byte> block, CancellationToken cancellationToken);

    /// <summary>Seals a segment: every later append is refused. Sealing twice is the same.</summary>
    public Task SealAsync(string segment, CancellationToken cancellationToken);

    /// <summary>The bytes of a segment from <paramref name="offset"/> to its present end, or null when it ends there.</summary>
    /// <exception cref="WalSegmentMissingException">There is no such blob.</exception>
    public Task<Stream?> ReadAsync(string segment, long offset, CancellationToken cancellationToken);
}

/// <summary>A manifest as it was read.</summary>
internal sealed record VersionedManifest(WalManifest Manifest, ETag ETag);

/// <summary>The service's answer to an append.</summary>
internal enum AppendOutcome
{
    /// <summary>The block is in the segment.</summary>
    Appended,

    /// <summary>The segment does not end where it was expected to.</summary>
    PositionMoved,

    /// <summary>The segment is sealed.</summary>
    Sealed,
}

/// <summary>Whether a call was done is not known.</summary>
internal sealed class WalStorageUncertainException(string call, Exception? innerException = null)
    : Exception($"Whether '{call}' was done is not known.", innerException);

/// <summary>A segment's blob is not there.</summary>
internal sealed class WalSegmentMissingException(string segment, Exception? innerException = null)
    : Exception($"Segment '{segment}' does not exist.", innerException);
