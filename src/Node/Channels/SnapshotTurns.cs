namespace Baton.Node.Channels;

/// <summary>
/// Bounds the snapshots that the channels of a node take at the same time: each holds its channel's state in memory whole, and many channels that grew alike would
/// all take theirs at once. Who waits gets a turn in the order of asking, and waits no longer than its channel lives.
/// </summary>
/// <param name="most">How many at the same time.</param>
internal sealed class SnapshotTurns(int most) : IDisposable
{
    // Only waited for asynchronously: then it hands its places on first come, first served.
    private readonly SemaphoreSlim _places = new(most, most);
    private int _waiting;

    /// <summary>Channels that wait for one.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>A turn, given back by disposing of it.</summary>
    public async Task<IDisposable> TakeAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _waiting);
        try
        {
            await _places.WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }

        return new Turn(_places);
    }

    public void Dispose() => _places.Dispose();

    private sealed class Turn(SemaphoreSlim places) : IDisposable
    {
        public void Dispose() => places.Release();
    }
}
