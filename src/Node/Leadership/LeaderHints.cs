using Baton.Core.Api;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Leadership;

/// <summary>
/// Who leads the channels that this node does not, for <c>NotLeader</c> answers. A hint costs its caller nothing: the answer carries what is
/// known and a refresh, one at a time and not more than one a second, runs behind it.
/// </summary>
internal sealed partial class LeaderHints(ControlPlaneClient controlPlane, IOptions<NodeSettings> node, TimeProvider time, ILogger<LeaderHints> log)
{
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private RouteView? _route;
    private DateTimeOffset _askedAt = DateTimeOffset.MinValue;
    private Task _refresh = Task.CompletedTask;

    /// <summary>Is called with each route that was read.</summary>
    public Action<RouteView>? RouteRead { get; set; }

    /// <summary>The leader of <paramref name="channel"/> as last heard, unless that is this node: it has just said that it does not lead.</summary>
    public LeaderHint? Find(string channel)
    {
        RouteView? route;
        lock (_lock)
        {
            route = _route;
            if (_refresh.IsCompleted && time.GetUtcNow() - _askedAt >= FreshFor)
            {
                _askedAt = time.GetUtcNow();
                _refresh = RefreshAsync();
            }
        }

        return route is not null && route.Channels.TryGetValue(channel, out var entry) && !string.Equals(entry.NodeId, node.Value.Id, StringComparison.Ordinal)
            ? new LeaderHint(entry.NodeId, entry.Endpoint, entry.Term)
            : null;
    }

    private async Task RefreshAsync()
    {
        try
        {
            var route = await controlPlane.RouteAsync(CancellationToken.None);
            lock (_lock)
            {
                _route = route;
            }

            RouteRead?.Invoke(route);
        }
        catch (ControlPlaneException e)
        {
            LogNoRoute(log, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "No route for leader hints: {Reason}")]
    private static partial void LogNoRoute(ILogger log, string reason);
}
