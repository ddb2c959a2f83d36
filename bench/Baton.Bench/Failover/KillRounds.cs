using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.DevHost.Chaos.Clients;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Failover;

/// <summary>Leaders of a cluster under load, killed, frozen, moved from and removed one after the other, and what its clients notice.</summary>
internal sealed class KillRounds(LocalCluster cluster, ClientLoad load, RouteWatch route, int seed, Action<string> say, CancellationToken cancellationToken)
{
    public const int Nodes = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly Random _random = new(seed);

    public Samples Total { get; } = new();

    public Samples Detection { get; } = new();

    public Samples Queue { get; } = new();

    public Samples Decision { get; } = new();

    public Samples Redirect { get; } = new();

    public Samples Readable { get; } = new();

    public Samples Stall { get; } = new();

    public Samples Silent { get; } = new();

    public Samples Move { get; } = new();

    public Samples Removal { get; } = new();

    public int Kills { get; private set; }

    /// <summary>SIGKILL to a leader; started again when its channels are served elsewhere.</summary>
    public async Task KillAsync()
    {
        var (index, led) = await DrawAsync();
        var killed = DateTimeOffset.UtcNow;
        var dying = cluster.KillNodeAsync(index);
        var first = await FirstAsync(led);
        await dying;
        var times = await FailoverTimes.OfAsync(cluster.Client, cluster.NodeId(index), killed, cancellationToken);
        Kills++;
        Total.Add((first.At - killed).TotalMilliseconds);
        Detection.Add((times.ObservedAt - killed).TotalMilliseconds);
        Queue.Add((times.StartedAt - times.ObservedAt).TotalMilliseconds);
        Decision.Add((times.WrittenAt - times.ObservedAt).TotalMilliseconds);
        Redirect.Add((first.At - times.WrittenAt).TotalMilliseconds);
        if (route.FirstAbove(first.Channel, led.Single(c => c.Name == first.Channel).Term) is { } readable)
        {
            Readable.Add((readable - times.StartedAt).TotalMilliseconds);
        }

        say(string.Create(
            CultureInfo.InvariantCulture,
            $"{times.Summary.Split(':')[0]}: detection {(times.ObservedAt - killed).TotalMilliseconds:0}, decision {(times.WrittenAt - times.ObservedAt).TotalMilliseconds:0}, redirect {(first.At - times.WrittenAt).TotalMilliseconds:0} ms"));
        await load.MoreAsync(2, Patience, cancellationToken);
        Stall.Add(load.Acknowledgements.LongestGap(killed).Gap.TotalMilliseconds);
        await cluster.StartNodeAsync(index, cancellationToken);
        await WholeAsync();
    }

    /// <summary>SIGSTOP to a leader, and SIGCONT when its channels are served elsewhere.</summary>
    public async Task FreezeAsync()
    {
        var (index, led) = await DrawAsync();
        var frozen = DateTimeOffset.UtcNow;
        await cluster.FreezeNodeAsync(index, cancellationToken);
        try
        {
            Silent.Add(((await FirstAsync(led)).At - frozen).TotalMilliseconds);
        }
        finally
        {
            await cluster.ThawNodeAsync(index, cancellationToken);
        }

        await WholeAsync();
    }

    /// <summary>A planned switchover of one channel.</summary>
    public async Task MoveAsync()
    {
        var (_, led) = await DrawAsync();
        var channel = led[0];
        var began = DateTimeOffset.UtcNow;
        var accepted = (await cluster.Client.MoveAsync(channel.Name, channel.Replicas[_random.Next(channel.Replicas.Count)].NodeId, cancellationToken)).Value;
        await EndedAsync(accepted);
        await load.MoreAsync(2, Patience, cancellationToken);
        Move.Add(load.Acknowledgements.LongestGap(began).Gap.TotalMilliseconds);
    }

    /// <summary>A node that leads is removed, and let in again when it has ended.</summary>
    public async Task RemoveAsync()
    {
        var (index, _) = await DrawAsync();
        var began = DateTimeOffset.UtcNow;
        await EndedAsync((await cluster.Client.RemoveNodeAsync(cluster.NodeId(index), cancellationToken)).Value);
        await cluster.WaitForNodeExitAsync(index, cancellationToken).WaitAsync(Patience, cancellationToken);
        await load.MoreAsync(2, Patience, cancellationToken);
        Removal.Add(load.Acknowledgements.LongestGap(began).Gap.TotalMilliseconds);
        await cluster.StartNodeAsync(index, cancellationToken);
        await WholeAsync();
    }

    /// <summary>Every node lives, every channel is served and has its copies back.</summary>
    private async Task WholeAsync()
    {
        await cluster.Client.WaitForNodesAsync(Nodes, Patience, cancellationToken);
        await cluster.Client.WaitUntilServingAsync(cluster.Channels, Patience, cancellationToken);
        await ClusterClient.UntilAsync(
            "every channel has its copies, and all are in sync",
            async () => (await cluster.Client.TopologyAsync(cancellationToken)).PChannels.All(c => c.Leader is not null && c.Replicas.Count >= Nodes - 1 && c.Replicas.All(r => r.State == ReplicaProgress.InSync)),
            Patience,
            cancellationToken);
        await load.MoreAsync(2, Patience, cancellationToken);
    }

    private async Task<(int Index, IReadOnlyList<ChannelView> Led)> DrawAsync()
    {
        var topology = await cluster.Client.TopologyAsync(cancellationToken);
        var leader = topology.PChannels[_random.Next(topology.PChannels.Count)].Leader!;
        return (cluster.NodeIndex(leader), [.. topology.PChannels.Where(c => c.Leader == leader)]);
    }

    // Of the channels that the node led: the one that is written to first.
    private async Task<Acknowledgement> FirstAsync(IReadOnlyList<ChannelView> led) =>
        await await Task.WhenAny(led.Select(c => load.Acknowledgements.FirstAboveAsync(c.Name, c.Term))).WaitAsync(Patience, cancellationToken);

    private async Task EndedAsync(OperationAccepted accepted)
    {
        var operation = await cluster.Client.OperationEndedAsync(accepted.OperationId, Patience, cancellationToken);
        if (operation.Status != Core.Operations.OperationStatus.Succeeded)
        {
            throw new InvalidOperationException($"{operation.Kind} {operation.Id}: {operation.Status} {operation.Error?.Detail}");
        }
    }
}
