using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Baton.Bench.Metadata;

/// <summary>How long after the leader's answer each follower's own copy has the command, at a steady pace of commands.</summary>
internal static class FollowerLag
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan BesidePace = TimeSpan.FromMilliseconds(5);

    public static async Task<FollowerLagFigures> MeasureAsync(DelayedCluster cluster, int leader, CatalogueContent content, TimeSpan duration, CancellationToken cancellationToken)
    {
        using var writer = cluster.Client(leader);
        using var beside = cluster.Client(leader);
        var followers = Enumerable.Range(0, DelayedCluster.Nodes).Where(i => i != leader).Select(i => (Id: cluster.Cluster.NodeId(i), Client: cluster.Client(i))).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var others = PacedAsync(beside, new CommandBody(beside, CatalogueContent.Topic, [content.Groups[1]]), stop.Token);
        try
        {
            var body = new CommandBody(writer, CatalogueContent.Topic, [content.Groups[0]]);
            var (lag, forwarded) = (new Samples(), 0);
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < duration;)
            {
                var lsn = LeanClient.Number((await writer.SendAsync(body.Next(), cancellationToken)).Span, "\"lastLsn\":"u8);
                var answered = Stopwatch.GetTimestamp();
                var each = await Task.WhenAll(followers.Select(f => SeenAsync(f.Client, f.Id, lsn, answered, cancellationToken)));
                foreach (var (ms, own) in each)
                {
                    lag.Add(ms);
                    forwarded += own ? 0 : 1;
                }

                await Task.Delay(Pace, cancellationToken);
            }

            return new FollowerLagFigures(lag, forwarded);
        }
        finally
        {
            await stop.CancelAsync();
            await others;
            followers.ForEach(f => f.Client.Dispose());
        }
    }

    private static async Task<(double Ms, bool Own)> SeenAsync(LeanClient follower, string id, long lsn, long answered, CancellationToken cancellationToken)
    {
        var request = follower.Request("GET", string.Create(CultureInfo.InvariantCulture, $"/metadata/topics/{CatalogueContent.Topic}?local=true&minLsn={lsn}"), []);
        var answer = await follower.SendAsync(request, cancellationToken);
        var ms = Stopwatch.GetElapsedTime(answered).TotalMilliseconds;
        return (ms, answer.Span.IndexOf(Encoding.ASCII.GetBytes($"\"nodeId\":\"{id}\"")) >= 0);
    }

    private static async Task PacedAsync(LeanClient client, CommandBody body, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await client.SendAsync(body.Next(), stop);
                await Task.Delay(BesidePace, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // It has been measured.
        }
    }
}

/// <param name="Lag">From the leader's answer to a follower's own answer with that LSN, the request for it included.</param>
/// <param name="Forwarded">Answers that were the leader's after all, because the follower did not have it in time.</param>
internal sealed record FollowerLagFigures(Samples Lag, int Forwarded);
