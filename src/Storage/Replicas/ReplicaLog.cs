using System.Runtime.InteropServices;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging;

namespace Baton.Storage.Replicas;

/// <summary>The last record of a replica, told so that another log can say whether it has the same one.</summary>
/// <param name="Lsn">Its LSN; 0 for none, then the rest is 0 too.</param>
/// <param name="Term">The term under which it was written.</param>
/// <param name="Crc"><see cref="Core.Wal.WalRecordChecksum"/> of it.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ReplicaPosition(long Lsn, long Term, uint Crc);

/// <summary>A channel's records on this node's own disk.</summary>
public sealed class ReplicaLog : IAsyncDisposable
{
    private ReplicaLog(string channel) => Channel = channel;

    /// <summary>The channel.</summary>
    public string Channel { get; }

    /// <summary>The first LSN that it holds, or would hold next when it is empty.</summary>
    public long FirstLsn => throw new NotSupportedException();

    /// <summary>The last record written; LSN <c>FirstLsn - 1</c> when empty.</summary>
    public long LastLsn => throw new NotSupportedException();

    /// <summary>The last record that survives a crash of the host, by the fsync policy.</summary>
    public ReplicaPosition Flushed => throw new NotSupportedException();

    /// <summary>Opens a channel's log, or begins it, and repairs what a crash left half done.</summary>
    public static Task<ReplicaLog> OpenAsync(string channel, ReplicaLogOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Appends a batch of the channel's log, as it stands in a segment. Records that are here already are left out.</summary>
    public Task AppendAsync(long term, ReadOnlyMemory<byte> batch, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Forces what is written to the disk now.</summary>
    public Task FlushAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Records in order, checked.</summary>
    public IAsyncEnumerable<WalEntry> ReadAsync(long fromLsn, long throughLsn, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Drops every record above <paramref name="lastLsn"/>, for good when this returns.</summary>
    public Task TruncateAsync(long lastLsn, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Deletes files whose records are all below <paramref name="fromLsn"/>.</summary>
    public Task TrimAsync(long fromLsn, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Drops everything; the next append begins at <paramref name="nextLsn"/>.</summary>
    public Task ResetAsync(long nextLsn, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Flushes and lets go of the files.</summary>
    public ValueTask DisposeAsync() => throw new NotSupportedException();
}
