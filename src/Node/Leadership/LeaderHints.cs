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

    /// <summary>Whether the cluster has the channel, as the control plane says now.</summary>
    /// <exception cref="ApiException">Unavailable: it does not answer.</exception>
    public async Task<bool> IsThereAsync(string channel, CancellationToken ct)
    {
        try
        {
            var route = await ReadAsync(ct);
            return route.Channels.ContainsKey(channel) || route.Offline?.Contains(channel, StringComparer.Ordinal) == true;
        }
        catch (ControlPlaneException e)
        {
            LogNoRoute(log, e.Message);
            throw new ApiException(ApiErrorCode.Unavailable, $"whether there is a channel {channel} cannot be told: the control plane does not answer") { RetryAfterSeconds = 1 };
        }
    }

    /// <summary>The first of <paramref name="channels"/> that the cluster has, as the control plane says now; null where it has none of them, or does not answer.</summary>
    public async Task<string?> FirstThereAsync(IEnumerable<string> channels, CancellationToken ct)
    {
        try
        {
            var route = await ReadAsync(ct);
            var offline = route.Offline?.ToHashSet(StringComparer.Ordinal);
            return channels.FirstOrDefault(c => route.Channels.ContainsKey(c) || offline?.Contains(c) == true);
        }
        catch (ControlPlaneException e)
        {
            LogNoRoute(log, e.Message);
            return null;
        }
    }

    private async Task<RouteView> ReadAsync(CancellationToken ct)
    {
        var route = await controlPlane.RouteAsync(ct);
        lock (_lock)
        {
            _route = _route?.Version > route.Version ? _route : route;
        }

        RouteRead?.Invoke(route);
        return route;
    }

    private async Task RefreshAsync()
    {
        try
        {
            await ReadAsync(CancellationToken.None);
        }
        catch (ControlPlaneException e)
        {
            LogNoRoute(log, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "No route for leader hints: {Reason}")]
    private static partial void LogNoRoute(ILogger log, string reason);
}
