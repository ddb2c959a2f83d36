namespace Baton.Edge.Retries;

/// <summary>Doubling delays up to a bound, with jitter so that processes that fail together do not come back together.</summary>
public sealed class Backoff(TimeSpan first, TimeSpan most)
{
    private TimeSpan _next = first;

    /// <summary>The delay before the next attempt: between half and all of the present step.</summary>
    public TimeSpan Next()
    {
        var delay = _next * (0.5 + (Random.Shared.NextDouble() / 2));
        _next = _next * 2 < most ? _next * 2 : most;
        return delay;
    }
}
