using Baton.DevHost.Clusters;

namespace Baton.Bench.Metadata;

/// <summary>What one client and many clients got at one delay between the nodes.</summary>
internal sealed record DelayFigures(int DelayMs, Samples Commands, Samples Raw, double PerSecond, Samples Requests, Samples Creations);

/// <summary>Everything that was measured of one way to commit.</summary>
internal sealed record ModeFigures(
    IReadOnlyList<DelayFigures> Delays, double BatchedPerSecond, FollowerLagFigures Lag, Samples AtLeader, Samples Forwarded, CopyRecoveryFigures? Recovery)
{
    /// <summary>Injected one-way delays between the nodes, in milliseconds.</summary>
    public static readonly int[] DelaysMs = [0, 5, 20];

    private const int PerRequest = 16;
    private const int Creations = 20;

    /// <param name="machine">Where the cluster runs.</param>
    /// <param name="clusterId">Its id.</param>
    /// <param name="commit">Setting <c>Metadata:Commit</c>.</param>
    /// <param name="duration">How long each row runs.</param>
    /// <param name="commands">Commands of the catalogue that is recovered; 0 leaves that out.</param>
    /// <param name="say">Hears what is done.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<ModeFigures> MeasureAsync(LocalMachine machine, string clusterId, string commit, TimeSpan duration, int commands, Action<string> say, CancellationToken cancellationToken)
    {
        await using var cluster = await DelayedCluster.StartAsync(machine, clusterId, commit, cancellationToken);
        var leader = await cluster.LeaderAsync(cancellationToken);
        var content = await CatalogueContent.CreateAsync(cluster, leader, cancellationToken);
        say($"{commit}: three nodes are up");

        // What is compiled at first use is not what is measured.
        await ManyClients.MeasureAsync(cluster, leader, content, 1, duration, cancellationToken);
        var delays = new List<DelayFigures>();
        foreach (var delay in DelaysMs)
        {
            cluster.Delay(delay);
            var (lone, raw) = await LoneCommands.BesideRawAsync(cluster, leader, content, duration, cancellationToken);
            var (perSecond, requests) = await ManyClients.MeasureAsync(cluster, leader, content, 1, duration, cancellationToken);
            var creations = await LoneCommands.CreationsAsync(cluster, leader, $"created-{delay}", Creations, cancellationToken);
            delays.Add(new DelayFigures(delay, lone, raw, perSecond, requests, creations));
            say(FormattableString.Invariant($"{commit}, {delay} ms: one client p50 {lone.Median:0.00} ms, raw {raw.Median:0.00} ms; {requests.Count} requests of {content.Groups.Count} clients, {perSecond:0}/s"));
        }

        cluster.Delay(0);
        var (batched, _) = await ManyClients.MeasureAsync(cluster, leader, content, PerRequest, duration, cancellationToken);
        var lag = await FollowerLag.MeasureAsync(cluster, leader, content, duration, cancellationToken);
        var (atLeader, forwarded) = await LoneCommands.ForwardedAsync(cluster, leader, content, duration, cancellationToken);
        say(FormattableString.Invariant($"{commit}: {batched:0}/s in requests of {PerRequest}; lag p99 {lag.Lag.Percentile(0.99):0.0} ms; forwarded p50 {forwarded.Median:0.00} ms, at the leader {atLeader.Median:0.00} ms"));
        return new ModeFigures(delays, batched, lag, atLeader, forwarded, commands > 0 ? await CopyRecovery.MeasureAsync(cluster, content, commands, cancellationToken) : null);
    }
}
