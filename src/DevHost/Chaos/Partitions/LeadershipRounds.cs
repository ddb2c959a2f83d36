using System.Globalization;
using Baton.Core.Cluster;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Partitions;

/// <summary>
/// Leaders of partitions killed by SIGKILL one after the other under load, in turn the coordinator and whoever leads most beside it, and what becomes of the partitions: each must have another leader that takes
/// writes.
/// </summary>
/// <param name="cluster">The cluster; all its running nodes are to be live.</param>
/// <param name="channels">The partitions.</param>
/// <param name="copies">Copies of each that are waited for after a kill, the leader's counted.</param>
/// <param name="load">Writes to them.</param>
/// <param name="patience">How long a partition may be without a leader, and anything else may take.</param>
public sealed class LeadershipRounds(LocalCluster cluster, IReadOnlyList<string> channels, int copies, PartitionLoad load, TimeSpan patience)
{
    /// <summary>What a node logs that has given up a leadership which it was given.</summary>
    private const string CannotLead = "This node cannot lead channel";

    private int _couldNotLeadBefore;

    /// <summary>Leaders killed.</summary>
    public int Kills { get; private set; }

    /// <summary>Partitions that needed another leader.</summary>
    public int Elections { get; private set; }

    /// <summary>Those that had none which took writes in time.</summary>
    public int FailedElections { get; private set; }

    /// <summary>The longest that a partition was without an acknowledged write, from the SIGKILL to the first under another leader.</summary>
    public TimeSpan LongestAway { get; private set; }

    /// <summary>The most partitions that a node led when it was killed.</summary>
    public int MostLed { get; private set; }

    /// <summary>Kills one leader, and starts it again once its partitions have gone on.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        if (Kills == 0)
        {
            _couldNotLeadBefore = await LoggedAsync(cancellationToken);
        }

        var topology = await cluster.Client.TopologyAsync(cancellationToken);
        var partitions = topology.Channels.Where(c => channels.Contains(c.Name, StringComparer.Ordinal)).ToList();
        var coordinator = topology.Channels.Single(c => c.Name == MetadataChannel.Name).Leader!;
        var others = partitions.Where(c => c.Leader != coordinator).GroupBy(c => c.Leader!, StringComparer.Ordinal).OrderByDescending(g => g.Count()).FirstOrDefault()?.Key;
        var victim = Kills % 2 == 1 && others is not null ? others : coordinator;
        var led = partitions.Where(c => c.Leader == victim).ToList();
        Kills++;
        Elections += led.Count;
        MostLed = Math.Max(MostLed, led.Count);
        var killed = DateTimeOffset.UtcNow;
        await cluster.KillNodeAsync(cluster.NodeIndex(victim));
        foreach (var channel in led)
        {
            try
            {
                var first = await load.Acknowledgements.FirstAboveAsync(channel.Name, channel.Term).WaitAsync(patience, cancellationToken);
                LongestAway = first.At - killed > LongestAway ? first.At - killed : LongestAway;
            }
            catch (TimeoutException)
            {
                FailedElections++;
            }
        }

        await cluster.StartNodeAsync(cluster.NodeIndex(victim), cancellationToken);
        await cluster.Client.WaitForNodesAsync(cluster.RunningNodes.Count, patience, cancellationToken);
        await Topics.InSyncAsync(cluster, channels, copies - 1, patience, cancellationToken);
        await load.MoreAsync(1, patience, cancellationToken);
    }

    /// <summary>How often a node has said that it cannot lead what it was given, since the first kill.</summary>
    public async Task<int> CannotLeadAsync(CancellationToken cancellationToken) => await LoggedAsync(cancellationToken) - _couldNotLeadBefore;

    /// <summary>What must be 0, by name.</summary>
    public async Task<IReadOnlyList<(string What, int Count)>> MustBeZeroAsync(CancellationToken cancellationToken) =>
    [
        (string.Create(CultureInfo.InvariantCulture, $"partitions whose leader could not be elected, of {Elections}"), FailedElections),
        ("leaderships that a node was given and could not take", await CannotLeadAsync(cancellationToken)),
        ("answers to clients that a node is not the leader", load.Counts.NotLeader),
        ("answers to clients that there is no leader in time", load.Counts.Unavailable),
        ("other answers to clients that were no success", load.Counts.Others),
    ];

    private async Task<int> LoggedAsync(CancellationToken cancellationToken)
    {
        var count = 0;
        for (var node = 0; node < cluster.NodeCount; node++)
        {
            var path = cluster.LogOf(cluster.NodeId(node));
            if (File.Exists(path))
            {
                await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                using var reader = new StreamReader(file);
                while (await reader.ReadLineAsync(cancellationToken) is { } line)
                {
                    count += line.Contains(CannotLead, StringComparison.Ordinal) ? 1 : 0;
                }
            }
        }

        return count;
    }
}
