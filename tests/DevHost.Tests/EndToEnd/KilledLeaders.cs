using Baton.DevHost.Chaos.Partitions;
using Baton.DevHost.Clusters;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>Leaders of partitions killed one after the other under load: each partition must get another, and no client may notice. For longer: <c>bench -- leadership</c>.</summary>
internal static class KilledLeaders
{
    private const int Copies = 2;

    public static async Task AssertReplacedAsync(LocalCluster cluster, int kills, ITestOutputHelper output)
    {
        var channels = await Topics.CreateAsync(cluster, "killed", topics: 3, partitions: 2, Copies, SpreadCluster.Patience, CancellationToken.None);
        await Topics.InSyncAsync(cluster, channels, Copies - 1, SpreadCluster.Patience, CancellationToken.None);
        await using var load = PartitionLoad.Start(cluster, "k", channels, longestPauseMs: 100, CancellationToken.None);
        await load.MoreAsync(1, SpreadCluster.Patience, CancellationToken.None);
        var rounds = new LeadershipRounds(cluster, channels, Copies, load, SpreadCluster.Patience);
        for (var i = 0; i < kills; i++)
        {
            await rounds.KillAsync(CancellationToken.None);
        }

        await load.FinishAsync(SpreadCluster.Patience);
        var findings = await load.FindingsAsync(CancellationToken.None);
        var counts = await rounds.MustBeZeroAsync(CancellationToken.None);
        output.WriteLine($"{rounds.Kills} kills, {rounds.Elections} elections, {load.Recorder.Messages.Count} messages; {string.Join("; ", counts.Select(c => $"{c.What}: {c.Count}"))}");
        Assert.True(rounds.Elections >= kills);
        Assert.All(counts, c => Assert.True(c.Count == 0, $"{c.What}: {c.Count}"));
        Assert.True(findings.Count == 0, $"{findings.Count} findings:\n{string.Join('\n', findings.Take(20))}");
    }
}

/// <summary>Leaders spread over the nodes, which come and go.</summary>
public sealed class SpreadTests(SpreadCluster fixture, ITestOutputHelper output) : IClassFixture<SpreadCluster>
{
    [Fact]
    public Task Every_partition_gets_another_leader_when_leaders_are_killed() => KilledLeaders.AssertReplacedAsync(fixture.Cluster, kills: Sampled.Count(1, 2), output);

    /// <summary>For longer: <c>bench -- rebalance</c>.</summary>
    [Fact]
    public async Task A_node_that_joins_and_one_that_leaves_never_take_a_partition_below_the_copies_that_were_asked_for()
    {
        const int copies = 2;
        var cluster = fixture.Cluster;
        var (absent, leaves) = (Enumerable.Range(0, cluster.NodeCount).First(i => !cluster.IsNodeRunning(i)), cluster.RunningNodes[0]);
        var channels = await Topics.CreateAsync(cluster, "moved", topics: 3, partitions: 2, copies, SpreadCluster.Patience, CancellationToken.None);
        await Topics.InSyncAsync(cluster, channels, copies - 1, SpreadCluster.Patience, CancellationToken.None);
        await using var load = PartitionLoad.Start(cluster, "m", channels, longestPauseMs: 100, CancellationToken.None);
        await load.MoreAsync(1, SpreadCluster.Patience, CancellationToken.None);
        await using var watch = ReplicaWatch.Start(cluster, channels, CancellationToken.None);
        var changes = new RebalanceRounds(cluster, channels, SpreadCluster.Patience);

        var joined = await changes.JoinAsync(absent, CancellationToken.None);
        var left = await changes.LeftAsync(CancellationToken.None);
        output.WriteLine($"joining moved {joined.Leaders} leaderships and {joined.Copies} copies in {joined.Time.TotalSeconds:0.0} s, planned were {joined.PlannedLeaders} and {joined.PlannedCopies}");
        var gone = await changes.LeaveAsync(leaves, copies, CancellationToken.None);
        output.WriteLine($"leaving moved {gone.Leaders} leaderships and {gone.Copies} copies in {gone.Time.TotalSeconds:0.0} s");

        await watch.StopAsync();
        await load.MoreAsync(1, SpreadCluster.Patience, CancellationToken.None);
        await load.FinishAsync(SpreadCluster.Patience);
        output.WriteLine($"fewest live copies in {watch.Looks} looks: {watch.Fewest}, in sync {watch.FewestInSync}; {load.Recorder.Messages.Count} messages");
        Assert.True(joined.Copies > 0);
        Assert.Equal((joined.PlannedLeaders, joined.PlannedCopies, 0), (joined.Leaders, joined.Copies, left));
        Assert.True(watch.Looks > 10 && watch.Fewest >= copies, $"{watch.Fewest} copies: {watch.At}");
        var findings = await load.FindingsAsync(CancellationToken.None);
        Assert.True(findings.Count == 0, $"{findings.Count} findings:\n{string.Join('\n', findings.Take(20))}");
    }
}
