using Baton.DevHost.Clusters;

namespace Baton.Bench.Recovery;

/// <summary>Leaders killed by SIGKILL: how soon the replicas that are left may lead again, and how soon all of them when the node is back.</summary>
internal static class ReadyAgain
{
    private const int Nodes = 3;
    private const int Channels = 3;

    // A sweep comes every two seconds, and one more notices the end of its sessions; behind each are a session of nothing to fetch or a pass of reconciliation.
    private const double LeftMedianMs = 5_000;
    private const double LeftWorstMs = 15_000;

    // Before that the node must join, and a pass give it the copies back that it lost as a leader.
    private const double AllMedianMs = 10_000;
    private const double AllWorstMs = 30_000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    public static async Task MeasureAsync(LocalMachine machine, int failovers, Budgets budgets, Action<string> say, CancellationToken cancellationToken)
    {
        var cluster = await machine.StartClusterAsync("a", o => o with { Nodes = Nodes, Channels = Channels, ReplicationFactor = Nodes }, cancellationToken);
        var client = cluster.Client;
        var (left, all) = (new Samples(), new Samples());
        await ReadyAsync(_ => true, Nodes - 1);
        for (var i = 0; i < failovers; i++)
        {
            var channel = (await client.TopologyAsync(cancellationToken)).PChannels[i % Channels];
            var killed = cluster.NodeIndex(channel.Leader!);
            await cluster.KillNodeAsync(killed);
            await ClusterClient.UntilAsync(
                $"{channel.Name} has another leader", async () => (await client.TopologyAsync(cancellationToken)).PChannels.All(c => c.Leader != cluster.NodeId(killed)), Patience, cancellationToken);
            await left.TimeAsync(() => ReadyAsync(n => n != cluster.NodeId(killed), Nodes - 2));
            await cluster.StartNodeAsync(killed, cancellationToken);
            await all.TimeAsync(() => ReadyAsync(_ => true, Nodes - 1));
            say(FormattableString.Invariant($"{cluster.NodeId(killed)} killed: the replicas that were left were ready {left.Last:0} ms after the failover, all {all.Last:0} ms after the node's return"));
        }

        budgets.Add("failover → replicas of live nodes ready to lead", left, LeftMedianMs, LeftWorstMs);
        budgets.Add("node listens again → all replicas ready to lead", all, AllMedianMs, AllWorstMs);

        Task ReadyAsync(Func<string, bool> counts, int replicas) =>
            ClusterClient.UntilAsync("the replicas are ready", () => SessionLog.AreReadyAsync(client, counts, replicas, cancellationToken), Patience, cancellationToken);
    }
}
