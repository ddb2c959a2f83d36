using System.Diagnostics;

namespace Baton.Bench.Metadata;

/// <summary>Many clients at the leader at once, each waiting for an answer before its next request.</summary>
internal static class ManyClients
{
    /// <returns>Commands acknowledged a second, and how long requests took.</returns>
    public static async Task<(double PerSecond, Samples Requests)> MeasureAsync(DelayedCluster cluster, int leader, CatalogueContent content, int perRequest, TimeSpan duration, CancellationToken cancellationToken)
    {
        await RunAsync(duration / 3);
        return await RunAsync(duration);

        async Task<(double PerSecond, Samples Requests)> RunAsync(TimeSpan time)
        {
            var clients = content.Groups.Select(_ => cluster.Client(leader)).ToList();
            try
            {
                var clock = Stopwatch.StartNew();
                var each = await Task.WhenAll(clients.Select((client, i) => Task.Run(
                    async () =>
                    {
                        var body = new CommandBody(client, CatalogueContent.Topic, [.. Enumerable.Repeat(content.Groups[i], perRequest)]);
                        var requests = new Samples();
                        while (clock.Elapsed < time)
                        {
                            var began = Stopwatch.GetTimestamp();
                            await client.SendAsync(body.Next(), cancellationToken);
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

                return (all.Count * perRequest / elapsed.TotalSeconds, all);
            }
            finally
            {
                clients.ForEach(c => c.Dispose());
            }
        }
    }
}
