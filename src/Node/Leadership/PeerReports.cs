using System.Globalization;
using Baton.Core.Api;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Leadership;

/// <summary>
/// Tells the control plane of leaders that this node found unreachable, as a gateway does: it is evidence, and makes the failover begin at once. Against a node's present start only, which the route names: a late
/// report must not fail over one that has come back. One report about a node at a time, and a second of pause behind it, however many requests meet the same.
/// </summary>
internal sealed partial class PeerReports(ControlPlaneClient controlPlane, IOptions<NodeSettings> node, TimeProvider time, ILogger<PeerReports> log)
{
    private const int MaxReasonLength = 500;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly HashSet<string> _underWay = new(StringComparer.Ordinal);

    /// <summary>The leader of <paramref name="channel"/> cannot be reached. Returns at once.</summary>
    public void Unreachable(string channel, LeaderHint leader, string reason)
    {
        lock (_gate)
        {
            if (!_underWay.Add(leader.NodeId))
            {
                return;
            }
        }

        _ = ReportAsync(channel, leader, reason);
    }

    // Owned by its entry, which it takes back; never fails.
    private async Task ReportAsync(string channel, LeaderHint leader, string reason)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var route = await controlPlane.RouteAsync(CancellationToken.None);
            if (route.Channels.TryGetValue(channel, out var entry) && entry.NodeId == leader.NodeId && entry.Term == leader.Term)
            {
                var said = $"the leader of channel {channel} cannot be reached: {reason}";
                var eventId = string.Create(CultureInfo.InvariantCulture, $"peer-{entry.Incarnation ?? 0}-{leader.NodeId}");
                await controlPlane.ReportPeerFailedAsync(
                    leader.NodeId, new NodeFailedRequest(said[..Math.Min(said.Length, MaxReasonLength)], node.Value.Id, eventId[..Math.Min(eventId.Length, Names.MaxLength)], entry.Incarnation), CancellationToken.None);
            }
        }
        catch (ControlPlaneException e)
        {
            LogNotTaken(log, leader.NodeId, e.Message);
        }

        await Task.Delay(Pause, time);
        lock (_gate)
        {
            _underWay.Remove(leader.NodeId);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "That node {NodeId} cannot be reached was not taken: {Reason}")]
    private static partial void LogNotTaken(ILogger log, string nodeId, string reason);
}
