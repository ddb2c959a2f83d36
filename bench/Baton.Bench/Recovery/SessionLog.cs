using System.Globalization;
using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Recovery;

/// <summary>An event as <c>GET /api/recovery/log</c> shows it.</summary>
internal sealed record LoggedEvent(DateTimeOffset At, long Number, string Channel, string Replica, long SessionId, string Event, string Detail);

/// <summary>A replica as <c>GET /api/recovery/replicas</c> shows it.</summary>
internal sealed record RecoveredReplica(string Channel, string ReplicaId, long Epoch, ReplicaProgress State);

/// <summary>What a cluster's recoveries are and were, over HTTP.</summary>
internal static class SessionLog
{
    /// <summary>A channel's sessions that were made since a moment, oldest first; each with its events in order.</summary>
    public static async Task<IReadOnlyList<IReadOnlyList<LoggedEvent>>> SessionsAsync(ClusterClient client, string channel, DateTimeOffset since, CancellationToken cancellationToken) =>
    [
        .. (await client.GetAsync<IReadOnlyList<LoggedEvent>>(string.Create(CultureInfo.InvariantCulture, $"api/recovery/log?channel={channel}&last=1000"), cancellationToken)).Value
            .Where(e => e.SessionId > 0)
            .GroupBy(e => e.SessionId)
            .OrderBy(s => s.Key)
            .Select(s => (IReadOnlyList<LoggedEvent>)[.. s.Reverse()])
            .Where(s => s.Any(e => e.Event == RecoveryEvents.SessionCreated && e.At >= since)),
    ];

    /// <summary>The event that ended a session.</summary>
    public static LoggedEvent End(IReadOnlyList<LoggedEvent> session) => session.LastOrDefault(e => e.Event != RecoveryEvents.PinsReleased) ?? session[^1];

    /// <summary>A session brought its replica in sync.</summary>
    public static bool IsComplete(IReadOnlyList<LoggedEvent> session) => session.Any(e => e.Event is RecoveryEvents.Completed or RecoveryEvents.RebuildCompleted);

    /// <summary>
    /// Every replica that is not on one of these nodes is ready to lead: it completed a session at its channel's present term, and the cluster's state says so.
    /// The state alone would do for none whose leader has just changed.
    /// </summary>
    public static async Task<bool> AreReadyAsync(ClusterClient client, Func<string, bool> counts, int replicasOfEach, CancellationToken cancellationToken)
    {
        var known = (await client.GetAsync<IReadOnlyList<RecoveredReplica>>("api/recovery/replicas", cancellationToken)).Value.ToDictionary(r => (r.Channel, r.ReplicaId));
        return (await client.TopologyAsync(cancellationToken)).PChannels.All(c =>
        {
            var counted = c.Replicas.Where(r => counts(r.NodeId)).ToList();
            return c.Leader is { } leader && counts(leader) && counted.Count >= replicasOfEach && counted.TrueForAll(r =>
                r.State == ReplicaProgress.InSync && known.GetValueOrDefault((c.Name, r.NodeId)) is { State: ReplicaProgress.InSync } k && k.Epoch == c.Term);
        });
    }
}
