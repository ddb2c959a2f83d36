namespace Baton.Storage.Wal;

/// <summary>Sees what a writer writes, for those who are to have it too. Called by the writer itself: returns at once and never throws.</summary>
public interface IWalBatchObserver
{
    /// <summary>The next batch is about to be sent to the storage. It may never become durable.</summary>
    /// <param name="firstLsn">LSN of its first record.</param>
    /// <param name="count">How many records it has.</param>
    /// <param name="batch">The batch as it stands in the segment; valid during this call only.</param>
    public void Writing(long firstLsn, int count, ReadOnlyMemory<byte> batch);

    /// <summary>The storage has everything through <paramref name="lastLsn"/>.</summary>
    public void Durable(long lastLsn);
}
