using System.Diagnostics;

namespace Baton.Bench.Metadata;

/// <summary>Many clients at the leader at once, each waiting for an answer before its next request.</summary>
internal static class ManyClients
{
    /// <summary>Commands, so many in a request.</summary>
    public static Task<ManyClientsFigures> MeasureAsync(DelayedCluster cluster, int leader, CatalogueContent content, int perRequest, TimeSpan duration, CancellationToken cancellationToken) =>
        MeasureAsync(
            cluster, leader, perRequest, (client, i) => new CommandBody(client, CatalogueContent.Topic, [.. Enumerable.Repeat(content.Groups[i], perRequest)]).Next, duration, cancellationToken);

    /// <summary>Requests that the leader answers at once and that change nothing: what clients and node can do together on this machine at this moment.</summary>
    public static Task<ManyClientsFigures> BareAsync(DelayedCluster cluster, int leader, TimeSpan duration, CancellationToken cancellationToken) =>
        MeasureAsync(
            cluster,
            leader,
            1,
            (client, _) =>
            {
                var request = client.Request("GET", "/health", []);
                return () => request;
            },
            duration,
            cancellationToken);

    private static async Task<ManyClientsFigures> MeasureAsync(
        DelayedCluster cluster, int leader, int perRequest, Func<LeanClient, int, Func<ReadOnlyMemory<byte>>> requestsOf, TimeSpan duration, CancellationToken cancellationToken)
    {
        // What is counted is a node that has run for a while: it compiles its code a second time, and better, in its first seconds under load.
        await RunAsync(duration);
        return await RunAsync(duration);

        async Task<ManyClientsFigures> RunAsync(TimeSpan time)
        {
            var (atLeader, atOthers, atStorage, here) = (
                new ProcessorTime(cluster.Cluster.NodeProcessId(leader)),
                new ProcessorTime([.. Enumerable.Range(0, DelayedCluster.Nodes).Where(i => i != leader).Select(cluster.Cluster.NodeProcessId)]),
                new ProcessorTime(cluster.StorageProcessId),
                new ProcessorTime(Environment.ProcessId));
            var clients = Enumerable.Range(0, CatalogueContent.Clients).Select(_ => cluster.Client(leader)).ToList();
            try
            {
                var clock = Stopwatch.StartNew();
                var each = await Task.WhenAll(clients.Select((client, i) => Task.Run(
                    async () =>
                    {
                        var next = requestsOf(client, i);
                        var requests = new Samples();
                        while (clock.Elapsed < time)
                        {
                            var began = Stopwatch.GetTimestamp();
                            await client.SendAsync(next(), cancellationToken);
                            requests.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                        }

                        return requests;
                    },
                    cancellationToken)));
                var elapsed = clock.Elapsed;
                var all = new Samples();
                foreach (var requests in each)
                {
                    all.AddAll(requests);
                }

                double commands = all.Count * perRequest;
                return new ManyClientsFigures(
                    commands / elapsed.TotalSeconds, all, atLeader.MicrosecondsEach(commands), atOthers.MicrosecondsEach(commands), atStorage.MicrosecondsEach(commands), here.MicrosecondsEach(commands));
            }
            finally
            {
                clients.ForEach(c => c.Dispose());
            }
        }
    }
}

/// <param name="PerSecond">Commands acknowledged a second.</param>
/// <param name="Requests">How long requests took.</param>
/// <param name="LeaderMicroseconds">Processor time of the leader for each command.</param>
/// <param name="FollowerMicroseconds">Of both followers together.</param>
/// <param name="StorageMicroseconds">Of the storage.</param>
/// <param name="ClientMicroseconds">Of this process: clients, and what comes through the links.</param>
internal sealed record ManyClientsFigures(double PerSecond, Samples Requests, double LeaderMicroseconds, double FollowerMicroseconds, double StorageMicroseconds, double ClientMicroseconds);
