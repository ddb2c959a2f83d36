using Baton.Edge.Retries;
using Baton.Gateway.ControlPlane;
using Baton.Gateway.Status;

namespace Baton.Gateway.Routing;

/// <summary>
/// Follows the route by one long poll after the other. While the control plane is away the last route stays: nodes serve without it, and so does the gateway.
/// </summary>
internal sealed partial class RouteFollower(ControlPlaneClient controlPlane, RouteTable routes, GatewayMetrics metrics, TimeProvider time, ILogger<RouteFollower> log) : BackgroundService
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    /// <summary>An answer that brings nothing new comes after the wait; one that comes sooner, over and over, must not be asked for over and over.</summary>
    private static readonly TimeSpan TooSoon = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pauses = new Backoff(FirstPause, LongestPause);
        var failing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            var began = time.GetTimestamp();
            string? failure = null;
            try
            {
                if (await PollAsync(stoppingToken) || time.GetElapsedTime(began) >= TooSoon)
                {
                    (pauses, failing) = (new Backoff(FirstPause, LongestPause), false);
                    continue;
                }
            }
            catch (ControlPlaneException e)
            {
                metrics.Polled("failed");
                failure = e.Message;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // A fault of this program's own. Without the route the gateway is of no use, so it is followed on.
                metrics.Polled("failed");
                LogFault(log, e);
            }

            if (failure is not null && !failing)
            {
                LogAway(log, failure, routes.Version);
                failing = true;
            }

            await Task.Delay(pauses.Next(), time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>True where there was a newer route, and it was taken.</summary>
    private async Task<bool> PollAsync(CancellationToken ct)
    {
        var since = routes.Version;
        var route = await controlPlane.RouteAsync(since < 0 ? null : since, Wait, ct);
        if (route is null || !await routes.TakeAsync(route))
        {
            metrics.Polled(route is null ? "unchanged" : "older");
            return false;
        }

        metrics.Polled("changed");
        LogRoute(log, route.Version, route.Channels.Count, route.Offline?.Count ?? 0);
        return true;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Route {Version}: {Channels} channels with a leader, {Offline} without")]
    private static partial void LogRoute(ILogger log, long version, int channels, int offline);

    [LoggerMessage(Level = LogLevel.Error, Message = "Unexpected error while following the route")]
    private static partial void LogFault(ILogger log, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The route cannot be followed: {Reason}. Requests go by version {Version} (-1: none is known yet) until it can")]
    private static partial void LogAway(ILogger log, string reason, long version);
}
