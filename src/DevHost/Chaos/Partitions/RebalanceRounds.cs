using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Operations;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Partitions;

/// <summary>What a change of the nodes has moved.</summary>
/// <param name="PlannedLeaders">Leaderships that the dry run said would move; null where there was none.</param>
/// <param name="PlannedCopies">Copies that it said would move.</param>
/// <param name="Leaders">Channels that have another leader than before.</param>
/// <param name="Copies">Copies, leaders' included, on nodes that had none of that channel before.</param>
/// <param name="Time">From the request to the end of its operation.</param>
public sealed record Moved(int? PlannedLeaders, int? PlannedCopies, int Leaders, int Copies, TimeSpan Time);

/// <summary>Nodes that join and leave a cluster whose channels are evened out each time.</summary>
public sealed class RebalanceRounds(LocalCluster cluster, IReadOnlyList<string> channels, TimeSpan patience)
{
    /// <summary>Starts a node, and has everything evened out over all of them.</summary>
    public async Task<Moved> JoinAsync(int node, CancellationToken cancellationToken)
    {
        var live = cluster.RunningNodes.Count;
        await cluster.StartNodeAsync(node, cancellationToken);
        await cluster.Client.WaitForNodesAsync(live + 1, patience, cancellationToken);
        var before = await HostsAsync(cancellationToken);
        var planned = await PlanAsync(cancellationToken);
        var began = DateTimeOffset.UtcNow;
        var accepted = (await cluster.Client.ControlPlaneAsync<OperationAccepted>(HttpMethod.Post, "api/rebalance", ClusterClient.Json(new RebalanceRequest()), cluster.Secrets.FunctionKey, cancellationToken)).Value;
        await EndedAsync(accepted, cancellationToken);
        return Difference(before, await HostsAsync(cancellationToken), DateTimeOffset.UtcNow - began) with { PlannedLeaders = planned.Leaders.Count, PlannedCopies = planned.Replicas.Count };
    }

    /// <summary>Removes a node, whose process then ends, and waits until its copies are made up for on the others.</summary>
    public async Task<Moved> LeaveAsync(int node, int copiesOfEach, CancellationToken cancellationToken)
    {
        var before = await HostsAsync(cancellationToken);
        var began = DateTimeOffset.UtcNow;
        await EndedAsync((await cluster.Client.RemoveNodeAsync(cluster.NodeId(node), cancellationToken)).Value, cancellationToken);
        var time = DateTimeOffset.UtcNow - began;
        await cluster.WaitForNodeExitAsync(node, cancellationToken).WaitAsync(patience, cancellationToken);
        await Topics.InSyncAsync(cluster, channels, copiesOfEach - 1, patience, cancellationToken);
        return Difference(before, await HostsAsync(cancellationToken), time);
    }

    /// <summary>How many moves a rebalance would make now.</summary>
    public async Task<int> LeftAsync(CancellationToken cancellationToken)
    {
        var planned = await PlanAsync(cancellationToken);
        return planned.Leaders.Count + planned.Replicas.Count;
    }

    private async Task<RebalanceMoves> PlanAsync(CancellationToken cancellationToken) =>
        (await cluster.Client.ControlPlaneAsync<RebalanceView>(HttpMethod.Post, "api/rebalance", ClusterClient.Json(new RebalanceRequest(DryRun: true)), cluster.Secrets.FunctionKey, cancellationToken)).Value.Moves;

    private async Task<Dictionary<string, (string? Leader, HashSet<string> All)>> HostsAsync(CancellationToken cancellationToken) =>
        (await cluster.Client.TopologyAsync(cancellationToken)).Channels.ToDictionary(
            c => c.Name, c => (c.Leader, c.Replicas.Select(r => r.NodeId).Append(c.Leader).OfType<string>().ToHashSet(StringComparer.Ordinal)), StringComparer.Ordinal);

    private static Moved Difference(Dictionary<string, (string? Leader, HashSet<string> All)> before, Dictionary<string, (string? Leader, HashSet<string> All)> after, TimeSpan time) =>
        new(null, null, after.Count(c => c.Value.Leader != before[c.Key].Leader), after.Sum(c => c.Value.All.Except(before[c.Key].All, StringComparer.Ordinal).Count()), time);

    private async Task EndedAsync(OperationAccepted accepted, CancellationToken cancellationToken)
    {
        var operation = await cluster.Client.OperationEndedAsync(accepted.OperationId, patience, cancellationToken);
        if (operation.Status != OperationStatus.Succeeded)
        {
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{operation.Kind} {operation.Id}: {operation.Status} {operation.Error?.Detail}"));
        }
    }
}
