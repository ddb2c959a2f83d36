namespace Baton.Node.Status;

/// <summary>What is counted of one channel as long as the process lives, whoever leads it now. Counting takes no lock and allocates nothing.</summary>
internal sealed class ChannelCounts
{
    private long _appends;
    private long _appendedRecords;
    private long _rolledBack;
    private long _replayed;
    private long _overloads;

    public long Appends => Volatile.Read(ref _appends);

    public long AppendedRecords => Volatile.Read(ref _appendedRecords);

    public long RolledBack => Volatile.Read(ref _rolledBack);

    public long Replayed => Volatile.Read(ref _replayed);

    public long Overloads => Volatile.Read(ref _overloads);

    public void Appended(int records)
    {
        Interlocked.Increment(ref _appends);
        Interlocked.Add(ref _appendedRecords, records);
    }

    public void AddRolledBack(int transactions) => Interlocked.Add(ref _rolledBack, transactions);

    public void AddReplayed(int records) => Interlocked.Add(ref _replayed, records);

    public void Overloaded() => Interlocked.Increment(ref _overloads);
}
