namespace Baton.Node.Channels;

/// <summary>
/// Has expired transactions ended on a channel to which nobody writes. There is no task and no timer while no local transaction is open.
/// <code>
/// state     meaning                                           goes on to
/// idle      no local transaction is open, as far as is known  looking when one begins
/// looking   ends what has expired, in the channel's turn      waiting while local transactions are open; looking again when one has begun meanwhile; idle otherwise
/// waiting   one timer                                         looking when it fires
/// ended     the channel has ended                             -
/// </code>
/// Waiting takes as long as the first expiry is away by the wall clock, but never longer than a second, as somebody may set that clock forward, and never less than some
/// milliseconds, whatever a look has come to: nothing that fails is tried in a circle.
/// </summary>
/// <param name="look">Ends what has expired, and tells how long to wait before the next look; null where there is nothing to wait for.</param>
/// <param name="time">The clock.</param>
internal sealed class ExpiryWatch(Func<CancellationToken, Task<TimeSpan?>> look, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _work = Task.CompletedTask;
    private bool _working;
    private bool _begun;
    private bool _ended;

    /// <summary>A local transaction has begun.</summary>
    public void Begun()
    {
        lock (_gate)
        {
            _begun = true;
            if (!_working && !_ended)
            {
                _working = true;
                _work = Task.Run(WorkAsync);
            }
        }
    }

    /// <summary>Looks no more.</summary>
    public async ValueTask DisposeAsync()
    {
        Task work;
        lock (_gate)
        {
            (_ended, work) = (true, _work);
        }

        await _stop.CancelAsync();
        await work;
        _stop.Dispose();
    }

    private async Task WorkAsync()
    {
        try
        {
            while (TakeTurn())
            {
                while (await look(_stop.Token) is { } wait)
                {
                    await Task.Delay(wait < Shortest ? Shortest : wait < Longest ? wait : Longest, time, _stop.Token);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The channel has ended.
        }
    }

    // What begins behind the last look is looked for once more: the look saw none, and nobody else comes.
    private bool TakeTurn()
    {
        lock (_gate)
        {
            (_working, _begun) = (_begun && !_ended, false);
            return _working;
        }
    }
}
