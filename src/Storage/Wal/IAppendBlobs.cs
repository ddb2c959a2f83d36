namespace Baton.Storage.Wal;

/// <summary>One container of append blobs. What may be thrown: see <see cref="IWalStorage"/>.</summary>
internal interface IAppendBlobs
{
    /// <summary>Creates an empty blob; one that is there stays as it is.</summary>
    public Task CreateAsync(string blob, CancellationToken cancellationToken);

    /// <summary>Appends one block if the blob ends at <paramref name="position"/> and is not sealed.</summary>
    public Task<AppendOutcome> AppendAsync(string blob, long position, ReadOnlyMemory<byte> block, CancellationToken cancellationToken);

    /// <summary>Seals a blob: every later append is refused. Sealing twice is the same.</summary>
    /// <exception cref="WalBlobMissingException">There is no such blob.</exception>
    public Task SealAsync(string blob, CancellationToken cancellationToken);

    /// <summary>Fills <paramref name="target"/> with the bytes from <paramref name="offset"/> on. Returns how many there were: fewer than asked for at the blob's present end, 0 behind it.</summary>
    /// <exception cref="WalBlobMissingException">There is no such blob.</exception>
    public Task<int> ReadAsync(string blob, long offset, Memory<byte> target, CancellationToken cancellationToken);

    /// <summary>The names of all blobs that begin with <paramref name="prefix"/>, in order.</summary>
    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken);

    /// <summary>Deletes a blob, sealed or not; one that is not there is deleted already.</summary>
    public Task DeleteAsync(string blob, CancellationToken cancellationToken);
}

/// <summary>The service's answer to an append.</summary>
internal enum AppendOutcome
{
    /// <summary>The block is in the blob.</summary>
    Appended,

    /// <summary>The blob does not end where it was expected to.</summary>
    PositionMoved,

    /// <summary>The blob is sealed.</summary>
    Sealed,

    /// <summary>There is no such blob.</summary>
    Missing,
}
