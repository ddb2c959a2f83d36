using Baton.Core.Api;

namespace Baton.Gateway.Forwarding;

/// <summary>How many requests are held, and no more than may be.</summary>
internal sealed class HeldRequests(int most)
{
    private int _now;

    /// <summary>Held now.</summary>
    public int Now => Volatile.Read(ref _now);

    /// <summary>One more; whoever entered leaves once.</summary>
    /// <exception cref="ApiException">429: there are as many as may be.</exception>
    public void Enter()
    {
        if (Interlocked.Increment(ref _now) > most)
        {
            Leave();
            throw new ApiException(ApiErrorCode.Overloaded, $"{most} requests are held already for leaders that cannot be reached, as many as may be (Gateway:MaxHeldRequests)") { RetryAfterSeconds = 1 };
        }
    }

    /// <summary>One less.</summary>
    public void Leave() => Interlocked.Decrement(ref _now);
}
