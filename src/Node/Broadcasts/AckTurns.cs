namespace Baton.Node.Broadcasts;

/// <summary>
/// Bounds the acks that the channels of a node send at the same time: when a promotion leaves thousands of them on hundreds of channels, its control plane would otherwise be
/// asked by all at once, and has better to do just then. A turn is for one call and not for the pauses between two, so that acks that fail keep no others back.
/// </summary>
internal sealed class AckTurns : IDisposable
{
    /// <summary>Calls at the same time. At some milliseconds a call it is thousands of acks a second, and few beside what a control plane serves.</summary>
    public const int Most = 16;

    // Only waited for asynchronously: then it hands its places on first come, first served.
    private readonly SemaphoreSlim _places = new(Most, Most);

    /// <summary>Makes a call when its turn has come.</summary>
    public async Task TakeAsync(Func<Task> call, CancellationToken ct)
    {
        await _places.WaitAsync(ct);
        try
        {
            await call();
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();
}
