namespace Baton.Storage.Wal;

/// <summary>The retained history of a channel.</summary>
/// <param name="FirstLsn">The first LSN that can be read; those below are gone for good.</param>
/// <param name="HeadLsn">The last LSN that was given to a record, durable or not. From storage alone: the same as <paramref name="CommittedLsn"/>.</param>
/// <param name="CommittedLsn">The last LSN that the storage has.</param>
/// <param name="SnapshotLsn">The last LSN that the current snapshot covers; 0 when there is none.</param>
public sealed record WalHistory(long FirstLsn, long HeadLsn, long CommittedLsn, long SnapshotLsn);

/// <summary>What a trim removed.</summary>
/// <param name="Segments">How many segments went.</param>
/// <param name="Bytes">Their length in bytes.</param>
/// <param name="FirstLsn">The first LSN that is retained now.</param>
public sealed record WalTrim(int Segments, long Bytes, long FirstLsn);
