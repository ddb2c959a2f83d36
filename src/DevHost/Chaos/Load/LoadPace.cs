namespace Baton.DevHost.Chaos.Load;

/// <summary>How fast one writer goes and what it draws: from a seed of its own, so that the same seed gives the same load, as far as the machine lets it.</summary>
internal sealed class LoadPace(int seed)
{
    private const int LongestPauseMs = 30;
    private const int RetryMs = 50;
    private readonly Random _random = new(seed);

    /// <summary>A number from 0 to below <paramref name="below"/>.</summary>
    public int Draw(int below) => _random.Next(below);

    /// <summary>The pause before an attempt: short and drawn before the first, of one length before a repeat.</summary>
    public Task BetweenAsync(int attempt, CancellationToken cancellationToken) => Task.Delay(attempt == 0 ? _random.Next(LongestPauseMs) : RetryMs, cancellationToken);
}
