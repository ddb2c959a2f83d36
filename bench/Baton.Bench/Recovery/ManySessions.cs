using System.Globalization;
using System.Text.Json.Nodes;
using Baton.Core.Api;
using Baton.Core.Recovery;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Recovery;

/// <summary>
/// A node that comes back with the copies of many channels, each of them behind: all need a session at once, of one control plane. When a session began and ended is the recovery log's to say.
/// </summary>
internal static class ManySessions
{
    private const int SessionsAtOnce = 100; // the default of Recovery:SessionsAtOnce
    private const int RecordsBehind = 100;
    private const int RecordBytes = 1024;
    private const int AtOnce = 4;

    // Of a session's ten minutes: one that has not been heard of for a tenth of them starves.
    private const double StartMs = 60_000;
    private const double SessionMs = 600_000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(20);

    public static async Task MeasureAsync(LocalMachine machine, int replicas, Budgets budgets, Action<string> say, CancellationToken cancellationToken)
    {
        var cluster = await machine.StartClusterAsync("a", o => o with { Gateway = false, Channels = replicas, ReplicationFactor = 2, StartTimeout = TimeSpan.FromMinutes(10) }, cancellationToken);
        var client = cluster.Client;
        await ClusterClient.UntilAsync("all replicas are ready", () => SessionLog.AreReadyAsync(client, _ => true, 1, cancellationToken), Patience, cancellationToken);
        say($"{replicas} channels with a replica each");

        await cluster.KillNodeAsync(1);
        await ClusterClient.UntilAsync(
            "the other node leads all", async () => (await client.TopologyAsync(cancellationToken)).PChannels.All(c => c.Leader == cluster.NodeId(0)), Patience, cancellationToken);
        await client.WaitUntilServingAsync(cluster.Channels, Patience, cancellationToken);
        var request = new AppendRequest([.. Enumerable.Repeat(new MessageBody(new byte[RecordBytes]), RecordsBehind)]);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(cluster.Channels, parallel, async (channel, ct) => _ = (await client.AppendAsync(channel, request, ct)).Value);
        say($"{cluster.NodeId(1)} is dead and its {replicas} copies are {RecordsBehind} records behind");

        var since = DateTimeOffset.UtcNow;
        await cluster.StartNodeAsync(1, cancellationToken);
        await ClusterClient.UntilAsync("all replicas are ready again", () => SessionLog.AreReadyAsync(client, _ => true, 1, cancellationToken), Patience, cancellationToken);
        var ready = DateTimeOffset.UtcNow;

        var sessions = new List<IReadOnlyList<LoggedEvent>>();
        foreach (var channel in cluster.Channels)
        {
            sessions.AddRange(await SessionLog.SessionsAsync(client, channel, since, cancellationToken));
        }

        Report(budgets, sessions, replicas, ready);
        budgets.AddText("  activities that they took, of all sessions", (await ActivitiesAsync(cluster, since, cancellationToken)).ToString(CultureInfo.InvariantCulture), "");
    }

    private static void Report(Budgets budgets, List<IReadOnlyList<LoggedEvent>> sessions, int replicas, DateTimeOffset ready)
    {
        var complete = sessions.Where(SessionLog.IsComplete).ToList();
        var first = sessions.Min(s => s[0].At);
        var (start, duration, total, state) = (new Samples(), new Samples(), new Samples(), new Samples());
        foreach (var session in complete)
        {
            duration.Add((SessionLog.End(session).At - session[0].At).TotalMilliseconds);
            start.Add((session.First(e => e.Event is RecoveryEvents.Connected or RecoveryEvents.RebuildConnected).At - first).TotalMilliseconds);
        }

        total.Add((sessions.Max(s => SessionLog.End(s).At) - first).TotalMilliseconds);
        state.Add((ready - first).TotalMilliseconds);
        budgets.Add($"{replicas} replicas at once: a session, from being made to its end", duration, worst: SessionMs);
        budgets.Add("  start: first session made → this one's replica answered", start, worst: StartMs);
        budgets.Add("  first session made → last one ended", total);
        budgets.Add("  first session made → all ready in the cluster's state", state);
        budgets.AddCount("  replicas without a session that completed", replicas - complete.DistinctBy(s => s[0].Channel, StringComparer.Ordinal).Count(), 0);
        budgets.AddCount("  sessions that broke their budget", sessions.Count(s => s.Any(e => e.Event == RecoveryEvents.BudgetEscalated)), 0);
        budgets.AddCount("  sessions under way at once", UnderWayAtMost(sessions), SessionsAtOnce);
        budgets.AddText("  sessions that ended otherwise, and were followed by another", (sessions.Count - complete.Count).ToString(CultureInfo.InvariantCulture), "");
    }

    private static int UnderWayAtMost(List<IReadOnlyList<LoggedEvent>> sessions)
    {
        var (underWay, most) = (0, 0);
        foreach (var (_, change) in sessions.SelectMany(s => new[] { (s[0].At, 1), (SessionLog.End(s).At, -1) }).Order())
        {
            underWay += change;
            most = Math.Max(most, underWay);
        }

        return most;
    }

    /// <summary>Activities in the histories of the sessions' operations: what an operation began anew left behind does not count.</summary>
    private static async Task<int> ActivitiesAsync(LocalCluster cluster, DateTimeOffset since, CancellationToken cancellationToken)
    {
        const string path = "runtime/webhooks/durabletask/instances";
        var list = string.Create(CultureInfo.InvariantCulture, $"{path}?instanceIdPrefix=recovery-&showInput=false&top=1000&createdTimeFrom={since.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}");
        var count = 0;
        foreach (var instance in (await GetAsync<JsonArray>(list)))
        {
            var body = await GetAsync<JsonObject>($"{path}/{instance!["instanceId"]}?showInput=false&showHistory=true");
            count += body["historyEvents"]!.AsArray().Count(e => e!["EventType"]!.ToString() == "TaskCompleted");
        }

        return count;

        async Task<T> GetAsync<T>(string what)
            where T : class => (await cluster.Client.ControlPlaneAsync<T>(HttpMethod.Get, what, null, cluster.Secrets.SystemKey, cancellationToken)).Value;
    }
}
