using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>
/// One client's requests, to whichever node it happens to know, leader or not. Through the gateway each is sent once, without a stamp: whatever is no success is an error. Straight to a node, which may be killed at any moment, it has
/// the client's stamp, and is sent to the next node where this one is gone, until it is answered.
/// </summary>
/// <param name="cluster">Where to.</param>
/// <param name="counts">Hears of what is no success.</param>
/// <param name="id">The client, and its producer id.</param>
/// <param name="node">The node that it begins with, or the next that runs; null: the gateway.</param>
internal sealed class AnyNodeSender(LocalCluster cluster, SendCounts counts, string id, int? node)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    // Longer than anything that a load lives through: nodes are killed one at a time.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private int _node = Running(cluster, node ?? 0);
    private long _sequence;

    /// <summary>Sends a request until it is answered with something else than that there is no leader at present, or the time is over.</summary>
    /// <param name="path">The path, without a slash before it.</param>
    /// <param name="body">What to send, as JSON.</param>
    /// <param name="what">What is asked for, for errors.</param>
    /// <param name="abort">Gives up.</param>
    /// <returns>The body of a success, or null: it is noted why.</returns>
    public async Task<T?> PostAsync<T>(string path, object body, string what, CancellationToken abort)
        where T : class
    {
        var stamp = node is null ? null : string.Create(CultureInfo.InvariantCulture, $"{id};{++_sequence}");
        var clock = Stopwatch.StartNew();
        for (var tries = 1; ; tries++)
        {
            try
            {
                var answer = await cluster.Client.StampedAsync<T>(node is null ? cluster.Gateway : cluster.NodeAddress(_node), HttpMethod.Post, path, ClusterClient.Json(body), stamp, abort);
                if (answer is { Status: 200, Body: { } success })
                {
                    return success;
                }

                var problem = $"HTTP {answer.Status} {answer.Problem?.Detail ?? answer.Text}";
                var isLast = node is null || clock.Elapsed > Patience;
                switch (answer.Status)
                {
                    case 421:
                        counts.AddNotLeader(Text(problem));
                        return null;
                    case 503:
                        counts.AddUnavailable(isLast ? Text(problem) : null);
                        if (isLast)
                        {
                            return null;
                        }

                        break;
                    default:
                        // What this very client sent before stands in its own way: the repeat was not known as one.
                        counts.AddError(Text(tries > 1 && answer.Status is 404 or 409 ? $"{problem}, to try {tries} of one stamp" : problem));
                        return null;
                }
            }
            catch (Exception e) when (!abort.IsCancellationRequested && e is HttpRequestException or IOException)
            {
                if (node is null || clock.Elapsed > Patience)
                {
                    counts.AddError(Text($"{e.Message} at try {tries}"));
                    return null;
                }

                counts.AddCut();
                _node = Running(cluster, _node + 1);
            }
            catch (Exception e) when (!abort.IsCancellationRequested && e is OperationCanceledException or JsonException)
            {
                counts.AddError(Text($"no answer that can be read: {e.Message}"));
                return null;
            }

            await Task.Delay(Pause, abort);
        }

        string Text(string problem) => $"{DateTimeOffset.UtcNow:HH:mm:ss.fff} {id} ({(node is null ? "gateway" : cluster.NodeId(_node))}): {what}: {problem}";
    }

    // The next of those that run, or whichever it is.
    private static int Running(LocalCluster cluster, int from) =>
        Enumerable.Range(from, cluster.NodeCount).Select(i => i % cluster.NodeCount).FirstOrDefault(cluster.IsNodeRunning, from % cluster.NodeCount);
}
