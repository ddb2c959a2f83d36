using System.Diagnostics;
using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Metadata;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Metadata;

/// <summary>A catalogue of many commands: how soon a node has its copy back after it was killed, and how soon the next leader takes commands.</summary>
internal static class CopyRecovery
{
    private const int PerRequest = 1_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static async Task<CopyRecoveryFigures> MeasureAsync(DelayedCluster cluster, CatalogueContent content, int commands, CancellationToken cancellationToken)
    {
        var leader = await cluster.LeaderAsync(cancellationToken);
        var filling = Stopwatch.StartNew();
        await FillAsync(cluster, leader, commands, cancellationToken);
        var filled = filling.Elapsed;

        // Snapshots are taken beside the commands: the last one due is waited for as long as a node that is up would have had.
        var converged = await cluster.Catalogue.ConvergedAsync(Patience, cancellationToken);
        var follower = (leader + 1) % DelayedCluster.Nodes;
        await cluster.Cluster.KillNodeAsync(follower);
        await cluster.Cluster.StartNodeAsync(follower, cancellationToken);
        MetadataStatus? status = null;
        await ClusterClient.UntilAsync(
            "the node that was killed has its copy back",
            async () => (status = await cluster.Catalogue.StatusAsync(follower, hash: false, cancellationToken)) is { RecoveredMs: not null },
            Patience,
            cancellationToken);
        var differing = converged ?? await cluster.Catalogue.ConvergedAsync(Patience, cancellationToken);
        var (failover, opening) = await FailOverAsync(cluster, leader, content, cancellationToken);
        return new CopyRecoveryFigures(commands, filled, status!.RecoveredMs!.Value, status.RecoveredLsn ?? 0, failover, opening, differing);
    }

    private static async Task FillAsync(DelayedCluster cluster, int leader, int commands, CancellationToken cancellationToken)
    {
        using var client = cluster.Client(leader);
        for (var done = 0; done < commands; done += PerRequest)
        {
            // Half of them make the catalogue larger.
            var groups = Enumerable.Range(done, PerRequest / 2).Select(i => string.Create(CultureInfo.InvariantCulture, $"filled-{i}")).ToList();
            await client.SendAsync(
                client.Request("POST", "/metadata/commands", Catalogue.Body([.. groups.Select(g => new CreateConsumerGroup(g)), .. groups.Select(g => new CommitOffset(g, CatalogueContent.Topic, 0, done))])), cancellationToken);
        }
    }

    private static async Task<(TimeSpan Total, double? OpeningMs)> FailOverAsync(DelayedCluster cluster, int leader, CatalogueContent content, CancellationToken cancellationToken)
    {
        using var client = cluster.Client((leader + 2) % DelayedCluster.Nodes);
        var body = new CommandBody(client, CatalogueContent.Topic, [content.Groups[0]]);
        await client.SendAsync(body.Next(), cancellationToken);
        var since = DateTimeOffset.UtcNow;
        var clock = Stopwatch.StartNew();
        var dying = cluster.Cluster.KillNodeAsync(leader);
        await client.SendAsync(body.Next(), cancellationToken);
        var total = clock.Elapsed;
        await dying;
        TimelineView? failover = null;
        await ClusterClient.UntilAsync(
            "the failover is on the timeline",
            async () => (failover = (await cluster.Cluster.Client.TimelineAsync(100, cancellationToken)).FirstOrDefault(
                e => e.Kind == "failover" && e.At >= since && e.Summary.StartsWith($"Node {cluster.Cluster.NodeId(leader)} ", StringComparison.Ordinal))) is not null,
            Patience,
            cancellationToken);
        return (total, failover!.Steps?.FirstOrDefault(s => s.Name == "Open")?.ElapsedMs);
    }
}

/// <param name="Commands">How many there are.</param>
/// <param name="Filling">How long it took to have them acknowledged, a thousand a request.</param>
/// <param name="RecoveredMs">What a node that was killed took to have its copy back, from snapshot and tail.</param>
/// <param name="RecoveredLsn">How far that copy went.</param>
/// <param name="Failover">From SIGKILL of the leader to the next command acknowledged, at another node.</param>
/// <param name="OpeningMs">Of that, the control plane's call to the new leader, which opens the log.</param>
/// <param name="Differing">What is wrong with the copies, if anything.</param>
internal sealed record CopyRecoveryFigures(int Commands, TimeSpan Filling, double RecoveredMs, long RecoveredLsn, TimeSpan Failover, double? OpeningMs, string? Differing);
