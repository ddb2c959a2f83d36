using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>How the state that a log stands for is rebuilt when its channel is opened.</summary>
/// <param name="OnRecord">Gets LSN and record of everything behind the snapshot, or of the whole log, in order.</param>
/// <param name="OnSnapshot">Is offered snapshots, newest first, until it returns true for one that it could take; null to rebuild from records alone.</param>
public sealed record WalReplay(Func<long, WalRecord, ValueTask> OnRecord, Func<WalSnapshot, ValueTask<bool>>? OnSnapshot = null);

/// <summary>What a state was at one LSN, its checksums verified.</summary>
/// <param name="Lsn">The last LSN that it covers.</param>
/// <param name="Content">The state, as its owner wrote it.</param>
public sealed record WalSnapshot(long Lsn, ReadOnlyMemory<byte> Content);
