using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>Nodes that get SIGTERM under load: real processes, the real control plane, real storage calls.</summary>
public sealed class StoppedNodeTests
{
    private static readonly TimeSpan Patience = OneCluster.Patience;

    /// <summary>One after the other each node is stopped while it leads; the first is started again in between, and the last has nobody to hand over to.</summary>
    [Fact]
    public async Task A_node_that_gets_SIGTERM_hands_its_channels_over_before_it_ends_and_no_acknowledged_write_is_lost_or_doubled()
    {
        var folder = Directory.CreateTempSubdirectory("baton-stop-").FullName;
        await using (var machine = await LocalMachine.StartAsync(folder, ["b"], keepData: false, CancellationToken.None))
        {
            // Longer than the test waits: a node that ends has not run into it.
            var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Node__DrainTimeoutMs"] = "600000" };
            var cluster = await machine.StartClusterAsync("b", o => o with { Gateway = false, Channels = 4, NodeSettings = settings }, CancellationToken.None);
            var producers = cluster.Channels.SelectMany(c => Enumerable.Range(1, 2).Select(i => (Channel: c, Producer: new ProducerUnderTest(cluster.Client, c, $"{c}-p{i}")))).ToList();
            using var stop = new CancellationTokenSource();
            var writing = Task.WhenAll(producers.Select(p => Task.Run(() => p.Producer.WriteAsync(stop.Token))));
            await MoreAsync(producers);

            await StopAsync(cluster, index: 0, folder);
            await MoreAsync(producers);

            await cluster.StartNodeAsync(0, CancellationToken.None);
            await cluster.Client.WaitForNodesAsync(2, Patience, CancellationToken.None);
            await StopAsync(cluster, index: 1, folder);
            await MoreAsync(producers);

            await stop.CancelAsync();
            await writing.WaitAsync(Patience);
            foreach (var channel in cluster.Channels)
            {
                var messages = await cluster.Client.ReadAllAsync(channel, Isolation.Committed, CancellationToken.None);
                Assert.All(producers.Where(p => p.Channel == channel), p => p.Producer.AssertIn(messages));
            }

            Assert.Equal(0, await cluster.StopNodeAsync(0, CancellationToken.None).WaitAsync(Patience));

            // The four of the clients, and that of the metadata.
            Assert.Contains("0 channels taken over by others, 5 left behind", await LogAsync(folder, cluster.NodeId(0)), StringComparison.Ordinal);
        }

        Directory.Delete(folder, recursive: true);
    }

    private static async Task StopAsync(LocalCluster cluster, int index, string folder)
    {
        var (leaves, stays) = (cluster.NodeId(index), cluster.NodeId(1 - index));
        var led = (await cluster.Client.TopologyAsync(CancellationToken.None)).Channels.Where(c => c.Leader == leaves).ToList();
        Assert.NotEmpty(led);

        Assert.Equal(0, await cluster.StopNodeAsync(index, CancellationToken.None).WaitAsync(Patience));

        // What it says last: each log had a segment of its new leader when it ended.
        Assert.Contains($"Node {leaves} leaves: {led.Count} channels taken over by others, 0 left behind", await LogAsync(folder, leaves), StringComparison.Ordinal);
        var after = await cluster.Client.TopologyAsync(CancellationToken.None);
        Assert.All(led, c => Assert.Equal((stays, c.Term + 1), (after.Channels.Single(a => a.Name == c.Name).Leader, after.Channels.Single(a => a.Name == c.Name).Term)));
        await ClusterClient.UntilAsync(
            "the timeline has it",
            async () => (await cluster.Client.GetAsync<object>("api/timeline", CancellationToken.None)).Text.Contains($"Node {leaves} leaves (it is stopping): {led.Count} channels have new leaders", StringComparison.Ordinal),
            Patience,
            CancellationToken.None);
    }

    /// <summary>Until every producer has had more acknowledged.</summary>
    private static Task MoreAsync(IReadOnlyList<(string Channel, ProducerUnderTest Producer)> producers)
    {
        var before = producers.Select(p => p.Producer.Acknowledged).ToList();
        return ClusterClient.UntilAsync(
            "writes go on everywhere", () => Task.FromResult(producers.Zip(before).All(p => p.First.Producer.Acknowledged >= p.Second + 10)), Patience, CancellationToken.None);
    }

    private static async Task<string> LogAsync(string folder, string nodeId)
    {
        await using var file = new FileStream(Path.Combine(folder, "logs", nodeId + ".log"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        return await reader.ReadToEndAsync();
    }
}
