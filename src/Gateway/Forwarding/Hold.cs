using Baton.Core.Api;
using Baton.Gateway.Routing;

namespace Baton.Gateway.Forwarding;

/// <summary>The time that one request may be held, and why it is.</summary>
/// <param name="held">Counts it while it is.</param>
/// <param name="wait">What a read asks to wait by itself, beside that time.</param>
/// <param name="most">How long it may be held.</param>
/// <param name="stopping">Cuts the wait short.</param>
/// <param name="time">The clock.</param>
/// <param name="aborted">The client has gone.</param>
internal sealed class Hold(HeldRequests held, TimeSpan wait, TimeSpan most, Stopping stopping, TimeProvider time, CancellationToken aborted) : IDisposable
{
    private readonly long _began = time.GetTimestamp();
    private bool _isHeld;
    private string _reason = "";

    /// <summary>Since the request came.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(_began);

    /// <summary>What is left of the time that a read asks to wait.</summary>
    public TimeSpan WaitLeft => wait > TimeSpan.Zero && stopping.Since is null && wait - Elapsed is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    /// <summary>How long it was held; null where it was not.</summary>
    public TimeSpan? HeldFor => _isHeld ? Elapsed : null;

    /// <summary>What is left altogether; nothing or less when it is over.</summary>
    public TimeSpan Left
    {
        get
        {
            var left = wait + most - Elapsed;
            return stopping.Since is { } since && most - time.GetElapsedTime(since) is var last && last < left ? last : left;
        }
    }

    /// <summary>Why it is held now.</summary>
    public void Because(string reason) => _reason = reason;

    /// <summary>What the end of the time has cut short. It may have had a millisecond, and so does not hide what came before it.</summary>
    public void AtLast(string reason) => _reason = _reason.Length == 0 || string.Equals(_reason, reason, StringComparison.Ordinal) ? reason : $"{_reason}, and at last {reason}";

    /// <summary>Waits until <paramref name="change"/> is cancelled, or the time is over, or <paramref name="atMost"/>.</summary>
    /// <exception cref="ApiException">429 where too many are held.</exception>
    public Task UntilAsync(CancellationToken change, TimeSpan? atMost = null) => UntilAsync(end => new ValueTask(Task.Delay(Timeout.InfiniteTimeSpan, end)), change, atMost);

    /// <summary>Waits for what <paramref name="waiting"/> waits for, or as above. Its token is cancelled when it must end.</summary>
    public async Task UntilAsync(Func<CancellationToken, ValueTask> waiting, CancellationToken change, TimeSpan? atMost = null)
    {
        ThrowIfOver();
        if (!_isHeld)
        {
            held.Enter();
            _isHeld = true;
        }

        // A read that waits looks at its time anew when the gateway stops.
        using var end = stopping.Token.IsCancellationRequested
            ? CancellationTokenSource.CreateLinkedTokenSource(aborted, change)
            : CancellationTokenSource.CreateLinkedTokenSource(aborted, change, stopping.Token);
        var limit = atMost is { } bound && bound < Left ? bound : Left;
        end.CancelAfter(limit > TimeSpan.Zero ? limit : TimeSpan.Zero);
        try
        {
            await waiting(end.Token);
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            // The caller looks at what is so now.
        }

        aborted.ThrowIfCancellationRequested();
    }

    /// <summary>Waits for its turn at a destination that fails; not at all at one that does not.</summary>
    public Task TurnAsync(Destination destination, string nodeId)
    {
        if (destination.Turns.AreOpen)
        {
            return Task.CompletedTask;
        }

        if (_reason.Length == 0)
        {
            Because($"node {nodeId} gave those before it no answer");
        }

        return UntilAsync(destination.Turns.WaitAsync, destination.Left);
    }

    /// <summary>Ends the request when its time is over.</summary>
    /// <exception cref="ApiException">503, which says what was waited for.</exception>
    public void ThrowIfOver()
    {
        if (Left <= TimeSpan.Zero)
        {
            throw new ApiException(ApiErrorCode.Unavailable, $"held for {(long)Elapsed.TotalMilliseconds} ms (Gateway:HoldMs) without an answer: {_reason}; what was sent may have been done") { RetryAfterSeconds = 1 };
        }
    }

    public void Dispose()
    {
        if (_isHeld)
        {
            held.Leave();
            _isHeld = false;
        }
    }
}
