namespace Baton.DevHost.Chaos.Clients;

/// <summary>The pauses of one client, from a seed of its own, and when it has had enough.</summary>
internal sealed class ClientPace(int seed, int longestPauseMs)
{
    private readonly Random _random = new(seed);

    /// <summary>A number from 0 to below <paramref name="below"/>.</summary>
    public int Draw(int below) => _random.Next(below);

    /// <summary>Waits before the next request; not at all once the client is told to finish.</summary>
    public async Task PauseAsync(CancellationToken finish)
    {
        if (longestPauseMs > 0)
        {
            await Task.Delay(_random.Next(longestPauseMs), finish).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
