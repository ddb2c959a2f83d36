using Baton.Core.Operations;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>Leadership that is moved on request, under the same load and by the same rules.</summary>
public sealed partial class FailoverTests
{
    /// <summary>The same node each time, if it leads again: the cooldown of a suspicion must not hold back the report of a process that did end.</summary>
    [Fact]
    public Task TRAP4_TRAP11_A_leader_that_is_killed_started_and_killed_again_at_once_is_moved_away_from_each_time() => fixture.UnderLoadAsync(output, async _ =>
    {
        var (leader, channel) = await fixture.LeaderAsync(Channel);
        for (var kill = 1; kill <= 3; kill++)
        {
            await Cluster.KillNodeAsync(leader);
            await fixture.MovedAwayAsync(leader);
            await Cluster.StartNodeAsync(leader, CancellationToken.None);
            if (kill < 3)
            {
                await fixture.Client.WaitForNodesAsync(FailoverCluster.Nodes, FailoverCluster.Patience, CancellationToken.None);
                await MovedToAsync(Channel, leader);
            }
        }

        Assert.True((await fixture.LeaderAsync(Channel)).Channel.Term >= channel.Term + 5, "three failovers, two moves back");
    });

    [Fact]
    public Task A_channel_that_is_moved_goes_to_the_node_asked_for_and_its_former_leader_follows_it() => fixture.UnderLoadAsync(output, async _ =>
    {
        var (leader, channel) = await fixture.LeaderAsync(Channel);
        var target = Cluster.NodeIndex(channel.Replicas[0].NodeId);

        await MovedToAsync(Channel, target);

        var after = (await fixture.LeaderAsync(Channel)).Channel;
        Assert.Equal((Cluster.NodeId(target), channel.Term + 1), (after.Leader, after.Term));
        Assert.Contains(after.Replicas, r => r.NodeId == Cluster.NodeId(leader));
    });

    [Fact]
    public Task A_node_that_is_removed_hands_over_ends_and_its_copies_are_made_elsewhere() => fixture.UnderLoadAsync(output, async _ =>
    {
        var (leader, _) = await fixture.LeaderAsync(Channel);

        var accepted = (await fixture.Client.RemoveNodeAsync(Cluster.NodeId(leader), CancellationToken.None)).Value;

        var operation = await fixture.Client.OperationEndedAsync(accepted.OperationId, FailoverCluster.Patience, CancellationToken.None);
        Assert.True(operation.Status == OperationStatus.Succeeded, operation.Error?.Detail);
        Assert.Equal(4, await Cluster.WaitForNodeExitAsync(leader, CancellationToken.None).WaitAsync(FailoverCluster.Patience));
        var topology = await fixture.Client.TopologyAsync(CancellationToken.None);
        Assert.DoesNotContain(topology.Nodes, n => n.NodeId == Cluster.NodeId(leader));
        await ClusterClient.UntilAsync(
            "every channel has three copies on the others",
            async () => (await fixture.Client.TopologyAsync(CancellationToken.None)).PChannels.All(
                c => c.Leader is not null && c.Replicas.Count >= 2 && !c.Replicas.Any(r => r.NodeId == Cluster.NodeId(leader))),
            FailoverCluster.Patience,
            CancellationToken.None);
    });

    private async Task MovedToAsync(string channel, int target)
    {
        var accepted = (await fixture.Client.MoveAsync(channel, Cluster.NodeId(target), CancellationToken.None)).Value;
        var operation = await fixture.Client.OperationEndedAsync(accepted.OperationId, FailoverCluster.Patience, CancellationToken.None);
        Assert.True(operation.Status == OperationStatus.Succeeded, operation.Error?.Detail);
        Assert.Equal(target, (await fixture.LeaderAsync(channel)).Leader);
    }
}
