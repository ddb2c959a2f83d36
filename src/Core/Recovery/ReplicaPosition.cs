namespace Baton.Core.Recovery;

/// <summary>What tells one record from another at the same LSN.</summary>
/// <param name="Term">The term under which it was written.</param>
/// <param name="Crc">Its checksum.</param>
public sealed record RecordMark(long Term, long Crc);

/// <summary>What a replica says of its copy.</summary>
/// <param name="FlushedLsn">The last LSN on its disk.</param>
/// <param name="Last">The record there; null while the copy is empty.</param>
/// <param name="FirstLsn">The first LSN that it holds, or would hold next.</param>
public sealed record ReplicaPosition(long FlushedLsn, RecordMark? Last = null, long FirstLsn = 1)
{
    /// <summary>
    /// Whether the copy is a beginning of the log, as far as its last record tells. An empty one always is. A record that the log does not have, or no longer has, proves nothing.
    /// </summary>
    /// <param name="inLog">The log's record at <see cref="FlushedLsn"/>; null where it has none.</param>
    public bool SharesLineage(RecordMark? inLog) => Last is null || Last == inLog;
}
