using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>Followers of real processes under load, while nodes are killed, come back and leave.</summary>
public sealed class FollowingNodesTests
{
    private static readonly TimeSpan Patience = OneCluster.Patience;

    /// <summary>Each node leads a channel and follows the others': the one that is killed is leader and follower at once.</summary>
    [Fact]
    public async Task Every_assigned_replica_has_what_the_log_has_after_a_node_is_killed_after_it_is_back_and_after_another_has_left()
    {
        var folder = Directory.CreateTempSubdirectory("baton-follow-").FullName;
        await using (var machine = await LocalMachine.StartAsync(folder, ["b"], keepData: false, CancellationToken.None))
        {
            var cluster = await machine.StartClusterAsync("b", o => o with { Gateway = false, Nodes = 3, Channels = 3, ReplicationFactor = 3 }, CancellationToken.None);
            var producers = cluster.Channels.Select(c => (Channel: c, Producer: new ProducerUnderTest(cluster.Client, c, $"{c}-p"))).ToList();
            using var stop = new CancellationTokenSource();
            var writing = Task.WhenAll(producers.Select(p => Task.Run(() => p.Producer.WriteAsync(stop.Token))));
            using var http = new HttpClient();
            await FollowedAsync(cluster, producers, http, copies: 6);

            await cluster.KillNodeAsync(0);
            await ClusterClient.UntilAsync(
                "the killed node leads nothing", async () => (await cluster.Client.TopologyAsync(CancellationToken.None)).PChannels.All(c => c.Leader is not null && c.Leader != cluster.NodeId(0)), Patience, CancellationToken.None);
            await FollowedAsync(cluster, producers, http, copies: 3);

            await cluster.StartNodeAsync(0, CancellationToken.None);
            await cluster.Client.WaitForNodesAsync(3, Patience, CancellationToken.None);
            await ClusterClient.UntilAsync(
                "the copy that the failover has cost is made again",
                async () => (await cluster.Client.TopologyAsync(CancellationToken.None)).PChannels.All(c => c.Replicas.Count == 2),
                Patience,
                CancellationToken.None);
            await FollowedAsync(cluster, producers, http, copies: 6);

            Assert.Equal(0, await cluster.StopNodeAsync(1, CancellationToken.None).WaitAsync(Patience));
            await FollowedAsync(cluster, producers, http, copies: null);

            await stop.CancelAsync();
            await writing.WaitAsync(Patience);
            foreach (var (channel, producer) in producers)
            {
                producer.AssertIn(await cluster.Client.ReadAllAsync(channel, Isolation.Committed, CancellationToken.None));
            }
        }

        Directory.Delete(folder, recursive: true);
    }

    /// <summary>More is acknowledged everywhere, and all of it comes to the live replicas of each channel as its log has it.</summary>
    private static async Task FollowedAsync(LocalCluster cluster, IReadOnlyList<(string Channel, ProducerUnderTest Producer)> producers, HttpClient http, int? copies)
    {
        var before = producers.Select(p => p.Producer.Acknowledged).ToList();
        await ClusterClient.UntilAsync(
            "writes go on everywhere", () => Task.FromResult(producers.Zip(before).All(p => p.First.Producer.Acknowledged >= p.Second + 5)), Patience, CancellationToken.None);
        var live = new Dictionary<string, Uri>(StringComparer.Ordinal);
        List<(string Channel, string NodeId)> replicas = [];
        await ClusterClient.UntilAsync(
            $"live nodes have {copies?.ToString(CultureInfo.InvariantCulture) ?? "some"} copies",
            async () =>
            {
                var topology = await cluster.Client.TopologyAsync(CancellationToken.None);
                live = topology.Nodes.Where(n => !n.Failed).ToDictionary(n => n.NodeId, n => n.Endpoint, StringComparer.Ordinal);
                replicas = [.. topology.Channels.SelectMany(c => c.Replicas.Where(r => live.ContainsKey(r.NodeId)).Select(r => (Channel: c.Name, r.NodeId)))];
                return copies is { } count ? replicas.Count == count : replicas.Count > 0;
            },
            Patience,
            CancellationToken.None);
        foreach (var (channel, nodeId) in replicas)
        {
            IReadOnlyList<ReadMessage> log = [];
            await ClusterClient.UntilAsync($"{channel} is read", async () => (log = await cluster.Client.ReadAllAsync(channel, Isolation.All, CancellationToken.None)).Count > 0, Patience, CancellationToken.None);
            IReadOnlyList<ReadMessage> copy = [];
            await ClusterClient.UntilAsync(
                $"{nodeId} has {channel} up to LSN {log[^1].Lsn}",
                async () => (copy = await ReadCopyAsync(live[nodeId], channel, cluster.Secrets.ClientSecret, http)) is [.., var last] && last.Lsn >= log[^1].Lsn,
                Patience,
                CancellationToken.None);
            Assert.Equal(log.Select(Text), copy.TakeWhile(m => m.Lsn <= log[^1].Lsn).Select(Text));
        }
    }

    private static async Task<IReadOnlyList<ReadMessage>> ReadCopyAsync(Uri node, string channel, string secret, HttpClient http)
    {
        var messages = new List<ReadMessage>();
        var from = 1L;
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(node, string.Create(CultureInfo.InvariantCulture, $"channels/{channel}/messages?from={from}&max=1000&isolation=all&local=true")));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);
            using var response = await http.SendAsync(request);
            var read = (await ApiAnswer<ReadResponse>.ReadAsync(response, CancellationToken.None)).Value;
            messages.AddRange(read.Messages);
            if (read.NextLsn > read.LastLsn || read.NextLsn == from)
            {
                return messages;
            }

            from = read.NextLsn;
        }
    }

    private static string Text(ReadMessage message) => JsonSerializer.Serialize(message, BatonJson.Options);
}
