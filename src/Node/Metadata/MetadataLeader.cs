using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Channels;
using Baton.Node.Leadership;

namespace Baton.Node.Metadata;

/// <summary>
/// Who leads the metadata, as this node knows: from the answers to its heartbeats, from answers of other nodes, and, once the leader known has not answered, from the route, looked up until it names
/// another or the same one answers again. A term never goes back.
/// </summary>
internal sealed partial class MetadataLeader(ControlPlaneClient controlPlane, PeerReports reports, TimeProvider time, ILogger<MetadataLeader> log)
{
    /// <summary>Between two looks at the route while a leader is missed: adds half of itself to a failover, and costs the control plane a small read each.</summary>
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Looks at the route after which heartbeats alone are left to tell.</summary>
    private const int MaxLooks = 200;

    private readonly Lock _gate = new();
    private readonly DurableProgress _changes = new();
    private readonly TaskCompletionSource _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LeaderHint? _known;
    private long _highestTerm;
    private long _missedTerm;
    private bool _looking;

    /// <summary>The leader; null where none is known.</summary>
    public LeaderHint? Known
    {
        get
        {
            lock (_gate)
            {
                return _known;
            }
        }
    }

    /// <summary>Completes when the control plane has answered this node's first join, whether anybody leads or not: until then there may be no storage to read.</summary>
    public Task Heard => _heard.Task;

    /// <summary>Completes when another leader, or none, or one at a higher term is known. Take it before <see cref="Known"/>.</summary>
    public Task Changed => _changes.Moved;

    /// <summary>Somebody has said who leads. What is of a lower term than what is known is late, and changes nothing.</summary>
    public void Hear(LeaderHint? leader)
    {
        _heard.TrySetResult();
        lock (_gate)
        {
            if (leader is null ? _known is null : leader.Term < _highestTerm || leader == _known)
            {
                return;
            }

            _highestTerm = leader?.Term ?? _highestTerm;

            // Nobody leads now: the control plane has said so. Its next word names somebody at a higher term.
            _known = leader;
        }

        _changes.Pulse();
    }

    /// <summary>The leader did not answer, or says that it leads no more: the route is asked until it names one of a higher term.</summary>
    /// <param name="leader">The leader.</param>
    /// <param name="unreachable">How its connection failed, which is evidence that its node is gone, and is reported; null where it was reached, or was only slow.</param>
    public void Missed(LeaderHint leader, string? unreachable)
    {
        if (unreachable is not null)
        {
            reports.Unreachable(MetadataChannel.Name, leader, unreachable);
        }

        lock (_gate)
        {
            _missedTerm = Math.Max(_missedTerm, leader.Term);
            if (_looking)
            {
                return;
            }

            _looking = true;
        }

        _ = LookAsync();
    }

    // Owned by the flag that it takes back; never fails.
    private async Task LookAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        for (var looks = 0; looks < MaxLooks && StillMissed(); looks++)
        {
            try
            {
                var route = await controlPlane.RouteAsync(CancellationToken.None);
                if (route.Channels.TryGetValue(MetadataChannel.Name, out var entry))
                {
                    Hear(new LeaderHint(entry.NodeId, entry.Endpoint, entry.Term));
                }
            }
            catch (ControlPlaneException e)
            {
                LogNoRoute(log, e.Message);
            }

            await Task.Delay(LookPause, time);
        }

        lock (_gate)
        {
            _looking = false;
        }
    }

    private bool StillMissed()
    {
        lock (_gate)
        {
            return _known is null || _known.Term <= _missedTerm;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The route does not tell who leads the metadata: {Reason}")]
    private static partial void LogNoRoute(ILogger log, string reason);
}
