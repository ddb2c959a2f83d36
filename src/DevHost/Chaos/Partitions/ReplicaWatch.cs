using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Partitions;

/// <summary>Looks at the topology again and again, and keeps the fewest copies that any of the channels had on live nodes. What lies between two looks is not seen.</summary>
public sealed class ReplicaWatch : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private readonly CancellationTokenSource _stop;
    private readonly Task _watching;

    private ReplicaWatch(LocalCluster cluster, IReadOnlyCollection<string> channels, CancellationTokenSource stop)
    {
        _stop = stop;
        _watching = WatchAsync(cluster, channels.ToHashSet(StringComparer.Ordinal), stop.Token);
    }

    /// <summary>Looks so far.</summary>
    public int Looks { get; private set; }

    /// <summary>The fewest copies on live nodes, the leader's counted.</summary>
    public int Fewest { get; private set; } = int.MaxValue;

    /// <summary>The fewest of them that were in sync, the leader's counted.</summary>
    public int FewestInSync { get; private set; } = int.MaxValue;

    /// <summary>The topology and channel of the look that had the fewest.</summary>
    public string At { get; private set; } = "";

    /// <summary>Begins to look.</summary>
    public static ReplicaWatch Start(LocalCluster cluster, IReadOnlyCollection<string> channels, CancellationToken cancellationToken) => new(cluster, channels, CancellationTokenSource.CreateLinkedTokenSource(cancellationToken));

    /// <summary>A channel's copies on live nodes, its leader's counted.</summary>
    public static int Live(TopologyView topology, ChannelView channel, bool inSync)
    {
        ArgumentNullException.ThrowIfNull(topology);
        ArgumentNullException.ThrowIfNull(channel);
        var live = topology.Nodes.Where(n => !n.Failed).Select(n => n.NodeId).ToHashSet(StringComparer.Ordinal);
        return channel.Replicas.Where(r => !inSync || r.State == ReplicaProgress.InSync).Select(r => r.NodeId).Append(channel.Leader).OfType<string>().Distinct(StringComparer.Ordinal).Count(live.Contains);
    }

    /// <summary>Ends looking.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _watching;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task WatchAsync(LocalCluster cluster, HashSet<string> channels, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var topology = await cluster.Client.TopologyAsync(stop);
                foreach (var channel in topology.Channels.Where(c => channels.Contains(c.Name)))
                {
                    Take(topology, channel);
                }

                Looks++;
            }
            catch (Exception e) when (e is HttpRequestException or ApiAnswerException or OperationCanceledException)
            {
                // Not seen: the next look is soon.
            }

            await Task.Delay(Pause, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Take(TopologyView topology, ChannelView channel)
    {
        FewestInSync = Math.Min(FewestInSync, Live(topology, channel, inSync: true));
        if (Live(topology, channel, inSync: false) is var live && live < Fewest)
        {
            (Fewest, At) = (live, $"version {topology.Version}, {channel.Name}: led by {channel.Leader}, {string.Join(", ", channel.Replicas.Select(r => $"{r.NodeId} {r.State}"))}");
        }
    }
}
