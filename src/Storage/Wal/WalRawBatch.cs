namespace Baton.Storage.Wal;

/// <summary>A batch of a channel's log as it stands in its segment, checked.</summary>
/// <param name="Term">The term under which it was written.</param>
/// <param name="FirstLsn">LSN of its first record.</param>
/// <param name="LastLsn">LSN of its last.</param>
/// <param name="Bytes">All of it, header and CRC included; an array of its own.</param>
public sealed record WalRawBatch(long Term, long FirstLsn, long LastLsn, ReadOnlyMemory<byte> Bytes);
