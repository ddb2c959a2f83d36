using System.Collections.Concurrent;
using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Failover;

/// <summary>Follows the route as a gateway does, and notes when each version could be read.</summary>
internal sealed class RouteWatch : IAsyncDisposable
{
    private const int WaitMs = 20_000;
    private readonly CancellationTokenSource _stop;
    private readonly ConcurrentQueue<(RouteView Route, DateTimeOffset At)> _seen = new();
    private readonly Task _following;

    private RouteWatch(ClusterClient client, CancellationTokenSource stop)
    {
        _stop = stop;
        _following = FollowAsync(client, stop.Token);
    }

    public static RouteWatch Start(ClusterClient client, CancellationToken cancellationToken) => new(client, CancellationTokenSource.CreateLinkedTokenSource(cancellationToken));

    /// <summary>When a channel was first seen led at a term above <paramref name="term"/>; null where it was not.</summary>
    public DateTimeOffset? FirstAbove(string channel, long term) =>
        _seen.Where(s => s.Route.Channels.TryGetValue(channel, out var entry) && entry.Term > term).Select(s => (DateTimeOffset?)s.At).FirstOrDefault();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _following;
        _stop.Dispose();
    }

    private async Task FollowAsync(ClusterClient client, CancellationToken stop)
    {
        long? version = null;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if ((version is { } known ? await client.RouteAfterAsync(known, WaitMs, stop) : await client.RouteAsync(stop)) is { } route)
                {
                    _seen.Enqueue((route, DateTimeOffset.UtcNow));
                    version = route.Version;
                }
            }
            catch (Exception e) when (e is HttpRequestException or ApiAnswerException or OperationCanceledException)
            {
                await Task.Delay(50, CancellationToken.None);
            }
        }
    }
}
