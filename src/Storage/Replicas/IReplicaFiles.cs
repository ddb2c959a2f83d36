namespace Baton.Storage.Replicas;

/// <summary>The files of one channel's replica, as far as a log needs them; held by one process until disposed of. What fails throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</summary>
/// <remarks>What is written or changed here survives a crash of the host only after <see cref="IReplicaFile.Flush"/> for bytes and length, and <see cref="FlushFolder"/> for which files there are and what they are called.</remarks>
internal interface IReplicaFiles : IDisposable
{
    /// <summary>Names of all files.</summary>
    public IReadOnlyList<string> List();

    /// <summary>A new, empty file; one of that name is replaced.</summary>
    public IReplicaFile Create(string name);

    /// <summary>A file, to be read and written; null when there is none. An open one can be read to its end although it is deleted or replaced meanwhile.</summary>
    public IReplicaFile? Open(string name);

    /// <summary>Deletes a file; one that is not there is deleted already.</summary>
    public void Delete(string name);

    /// <summary>Puts a file in the place of another, at once.</summary>
    public void Replace(string name, string with);

    /// <summary>Forces which files there are to the disk.</summary>
    public void FlushFolder();
}

/// <summary>One open file.</summary>
internal interface IReplicaFile : IDisposable
{
    /// <summary>Bytes in it.</summary>
    public long Length { get; }

    /// <summary>Reads from <paramref name="offset"/>; fewer bytes than asked only at the end.</summary>
    public int Read(long offset, Span<byte> target);

    /// <summary>Writes at <paramref name="offset"/>.</summary>
    public void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Cuts it.</summary>
    public void SetLength(long length);

    /// <summary>Forces its bytes and its length to the disk.</summary>
    public void Flush();
}
