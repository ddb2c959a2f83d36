using System.Text;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.DevHost.Clusters;
using Baton.DevHost.FunctionsHost;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>
/// Real processes that die in every way, under load through the gateway. The clients repeat nothing: an answer that is no success is an error, and there must be
/// none. Afterwards every acknowledged write is in the log where it was acknowledged, once, in its writer's order.
/// </summary>
public sealed partial class FailoverTests(FailoverCluster fixture, ITestOutputHelper output) : IClassFixture<FailoverCluster>
{
    /// <summary>Before the report is taken; after it was taken and before anything was decided; after the decision was written and before its message was settled.</summary>
    public static TheoryData<string> CrashPoints => [.. Sampled.Every(2, ["NodeFailed:before:1", "UrgentFailover:before:1", "UrgentFailover:after:1"])];

    private LocalCluster Cluster => fixture.Cluster;

    private string Channel => Cluster.Channels[0];

    [Fact]
    public Task TRAP2_A_leader_killed_by_SIGKILL_costs_its_clients_no_error_and_no_write() => fixture.UnderLoadAsync(output, async load =>
    {
        var (leader, channel) = await fixture.LeaderAsync(Channel);

        await Cluster.KillNodeAsync(leader);

        var first = await load.Acknowledgements.FirstAboveAsync(Channel, channel.Term).WaitAsync(FailoverCluster.Patience);
        Assert.Equal(Channel, first.Channel);
        await fixture.MovedAwayAsync(leader);
        await TimelineSaysAsync($"Node {Cluster.NodeId(leader)} is gone");
    });

    [Fact]
    public Task A_leader_and_its_sync_replica_killed_at_once_leave_the_channel_to_the_other_copy() => fixture.UnderLoadAsync(output, async _ =>
    {
        var (leader, channel) = await fixture.LeaderAsync(Channel);
        var replica = Cluster.NodeIndex((channel.Replicas.FirstOrDefault(r => r.Mode == ReplicaMode.Sync) ?? channel.Replicas[0]).NodeId);

        await Task.WhenAll(Cluster.KillNodeAsync(leader), Cluster.KillNodeAsync(replica));

        await fixture.MovedAwayAsync(leader, replica);
    });

    [Fact]
    public Task TRAP9_TRAP11_Two_nodes_killed_one_after_the_other_while_the_first_failover_runs_are_two_failovers() => fixture.UnderLoadAsync(output, async _ =>
    {
        var (leader, channel) = await fixture.LeaderAsync(Channel);

        await Cluster.KillNodeAsync(leader);
        await fixture.MovedAwayAsync(leader);
        var (second, after) = await fixture.LeaderAsync(Channel);
        await Cluster.KillNodeAsync(second);

        await fixture.MovedAwayAsync(leader, second);
        Assert.True((await fixture.LeaderAsync(Channel)).Channel.Term > after.Term && after.Term > channel.Term);
    });

    [Fact]
    public Task TRAP11_Two_nodes_killed_within_a_hundred_milliseconds_leave_everything_to_the_others() => fixture.UnderLoadAsync(output, async _ =>
    {
        var topology = await fixture.Client.TopologyAsync(CancellationToken.None);
        var (leader, channel) = await fixture.LeaderAsync(Channel);
        var other = Cluster.NodeIndex(topology.PChannels.Select(c => c.Leader!).FirstOrDefault(l => Cluster.NodeIndex(l) != leader) ?? channel.Replicas[0].NodeId);

        var first = Cluster.KillNodeAsync(leader);
        await Cluster.KillNodeAsync(other);
        await first;

        await fixture.MovedAwayAsync(leader, other);
    });

    [Fact]
    public Task TRAP1_A_leader_that_goes_silent_is_replaced_without_its_answer_and_accepts_nothing_when_it_goes_on() => fixture.UnderLoadAsync(output, async load =>
    {
        var (leader, channel) = await fixture.LeaderAsync(Channel);
        var endpoint = (await fixture.Client.TopologyAsync(CancellationToken.None)).Nodes.Single(n => n.NodeId == channel.Leader).Endpoint;

        await Cluster.FreezeNodeAsync(leader, CancellationToken.None);
        try
        {
            await load.Acknowledgements.FirstAboveAsync(Channel, channel.Term).WaitAsync(FailoverCluster.Patience);
        }
        finally
        {
            await Cluster.ThawNodeAsync(leader, CancellationToken.None);
        }

        var late = await fixture.Client.NodeAsync<AppendResponse>(
            endpoint, HttpMethod.Post, $"channels/{Channel}/messages", ClusterClient.Json(new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes("to the old leader"))])), false, CancellationToken.None);
        Assert.True(late.Status is 421 or 503, $"{late.Status} {late.Text}");
        await load.MoreAsync(3, FailoverCluster.Patience, CancellationToken.None);
        var log = await fixture.Client.ReadAllAsync(Channel, Isolation.All, CancellationToken.None);
        Assert.DoesNotContain(log, m => Encoding.UTF8.GetString(m.Payload) == "to the old leader");
        await fixture.Client.WaitForNodesAsync(FailoverCluster.Nodes, FailoverCluster.Patience, CancellationToken.None);
    });

    [Fact]
    public Task A_leader_that_gets_SIGTERM_hands_over_before_it_ends() => fixture.UnderLoadAsync(output, async _ =>
    {
        var (leader, _) = await fixture.LeaderAsync(Channel);

        Assert.Equal(0, await Cluster.StopNodeAsync(leader, CancellationToken.None).WaitAsync(FailoverCluster.Patience));

        await fixture.MovedAwayAsync(leader);
    });

    [Theory]
    [MemberData(nameof(CrashPoints))]
    public Task TRAP10_A_failover_whose_control_plane_is_killed_in_the_middle_of_it_is_finished_by_the_next_one(string crashPoint) => fixture.UnderLoadAsync(output, async _ =>
    {
        var (leader, _) = await fixture.LeaderAsync(Channel);
        await Cluster.CrashControlPlaneAsync(CrashPoint.Parse(crashPoint), CancellationToken.None);

        await Cluster.KillNodeAsync(leader);
        await Cluster.WaitForControlPlaneExitAsync(CancellationToken.None).WaitAsync(FailoverCluster.Patience);
        await Cluster.StartControlPlaneAsync(null, CancellationToken.None);

        await fixture.MovedAwayAsync(leader);
    });

    [Fact]
    public Task TRAP12_Storage_that_answers_503_for_two_seconds_during_a_failover_delays_it_and_nothing_else() => fixture.UnderLoadAsync(output, async _ =>
    {
        var (leader, _) = await fixture.LeaderAsync(Channel);
        var refused = fixture.Storage.Refused;

        fixture.Storage.AnswerBusyFor(TimeSpan.FromSeconds(2));
        await Cluster.KillNodeAsync(leader);

        await fixture.MovedAwayAsync(leader);
        Assert.True(fixture.Storage.Refused > refused);
    });

    [Fact]
    public async Task TRAP13_Everything_started_at_once_after_everything_was_killed_has_one_leader_for_each_channel_and_all_that_was_acknowledged()
    {
        await fixture.WholeAsync();
        await using var before = fixture.StartLoad();
        await before.MoreAsync(3, FailoverCluster.Patience, CancellationToken.None);
        await before.FinishAsync(FailoverCluster.Patience);

        await Cluster.KillEverythingAsync();
        await Task.WhenAll(
            [Cluster.StartGatewayAsync(CancellationToken.None), .. Enumerable.Range(0, FailoverCluster.Nodes).Select(i => Cluster.StartNodeAsync(i, CancellationToken.None)), Cluster.StartControlPlaneAsync(null, CancellationToken.None)]);

        await fixture.UnderLoadAsync(output, async _ => await OneLeaderEachAsync());
        await FailoverCluster.AssertNothingLostAsync(before);
    }

    private async Task OneLeaderEachAsync()
    {
        var topology = await fixture.Client.TopologyAsync(CancellationToken.None);
        foreach (var channel in topology.Channels)
        {
            var leaders = new List<string>();
            foreach (var node in topology.Nodes)
            {
                var status = await fixture.Client.NodeAsync<ChannelStatus>(node.Endpoint, HttpMethod.Get, $"channels/{channel.Name}/status", null, false, CancellationToken.None);
                if (status.Body is { Role: "leader" })
                {
                    leaders.Add(node.NodeId);
                }
            }

            Assert.Equal([channel.Leader!], leaders);
        }
    }

    private Task TimelineSaysAsync(string what) => ClusterClient.UntilAsync(
        $"the timeline says: {what}",
        async () => (await fixture.Client.TimelineAsync(50, CancellationToken.None)).Any(e => e.Summary.Contains(what, StringComparison.Ordinal)),
        FailoverCluster.Patience,
        CancellationToken.None);
}
