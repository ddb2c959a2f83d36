using System.Diagnostics;
using System.Text;
using Baton.Core.Cluster;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.Functions.Tests.Failover;

/// <summary>A failover of ten thousand channels costs as many calls as one of one.</summary>
public sealed class ManyChannelsTests(AzuriteFixture azurite, ITestOutputHelper output) : IClassFixture<AzuriteFixture>
{
    private const int Channels = 10_000;

    [Theory]
    [InlineData(1)]
    [InlineData(Channels)]
    public async Task However_many_channels_are_one_read_one_conditional_write_one_call_per_new_leader_and_one_small_message(int channels)
    {
        await using var plane = await StartAsync(channels);

        var began = Stopwatch.GetTimestamp();
        var outputs = await plane.HandleAsync(UrgentQueue.Report("n1"));
        output.WriteLine($"failover of {channels} channels: {Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms in all");

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        var state = await plane.StateAsync();
        var leaders = state.Channels.Values.Select(c => c.Leader).ToHashSet(StringComparer.Ordinal);
        Assert.All(plane.Nodes, n => Assert.Equal(leaders.Contains(n.NodeId) ? 1 : 0, n.Calls.Count));
        var told = plane.Nodes.SelectMany(n => n.Calls).SelectMany(c => c.Many!.Select(m => (m.Channel, m.Term, c.NodeId))).ToList();
        Assert.Equal(channels, told.Count);
        Assert.All(told, t => Assert.Equal((t.NodeId, t.Term), (state.Channels[t.Channel].Leader, state.Channels[t.Channel].Term)));
        Assert.InRange(told.Count(t => t.NodeId == "n2"), (channels / 2) - 1, (channels / 2) + 1);
        Assert.InRange(Encoding.UTF8.GetByteCount(outputs.Reconcile!), 1, 2_000);
        foreach (var step in UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Failover!.Steps)
        {
            output.WriteLine($"  {step.Name}: {step.ElapsedMs} ms");
        }
    }

    [Fact]
    public async Task After_a_lost_race_they_are_two_reads_and_two_writes_and_the_leaders_hear_only_of_the_plan_that_won()
    {
        await using var plane = await StartAsync(Channels);
        await using var other = await ControlPlane.StartAsync(plane.Account);
        var raced = false;
        plane.Storage.Before = async call =>
        {
            if (call == "PUT ClusterState" && !raced)
            {
                raced = true;
                Assert.Equal(200, (await other.JoinAsync("n4", new Uri("http://127.0.0.1:9/"))).Status);
            }
        };

        await plane.HandleAsync(UrgentQueue.Report("n1"));

        Assert.Equal(["GET ClusterState", "PUT ClusterState", "GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        var state = await plane.StateAsync();
        Assert.True(state.Nodes.ContainsKey("n4"));
        Assert.DoesNotContain(state.Channels.Values, c => c.Leader == "n1");
        Assert.All(plane.Nodes.Skip(1).SelectMany(n => Assert.Single(n.Calls).Many!.Select(m => (n.NodeId, m))), t => Assert.Equal(t.NodeId, state.Channels[t.m.Channel].Leader));
    }

    // n1 leads everything.
    private async Task<ControlPlane> StartAsync(int channels)
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        foreach (var nodeId in (string[])["n1", "n2", "n3"])
        {
            await plane.AddNodeAsync(nodeId);
        }

        IReadOnlyList<ReplicaState> replicas = [new("n2", ReplicaMode.Sync, ReplicaProgress.InSync, 12_345), new("n3", ReplicaMode.Sync, ReplicaProgress.InSync, 12_345)];
        await plane.States.UpdateAsync(
            s => s with
            {
                Version = s.Version + 1,
                Channels = Enumerable.Range(0, channels).ToDictionary(i => $"channel-{i:D5}", i => new ChannelState("n1", 1 + (i % 7), 3, replicas, i), StringComparer.Ordinal),
            },
            default);
        plane.ClearCalls();
        return plane;
    }
}
