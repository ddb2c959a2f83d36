using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.DevHost.Chaos.Checks;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos;

/// <summary>Two clusters of real processes on one storage service, each with an account of its own, and what an operator does with them. Either may be the primary.</summary>
public sealed class TwoClusters : IAsyncDisposable
{
    /// <summary>How long anything may take that does come to an end: far longer than it takes, so that a slow machine is no failure.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private const int LongestWaitMs = 60_000;
    private static readonly string[] ClusterIds = ["a", "b"];
    private static readonly TimeSpan BetweenReads = TimeSpan.FromMilliseconds(200);
    private readonly LocalMachine _machine;

    private TwoClusters(LocalMachine machine, LocalCluster a, LocalCluster b)
    {
        _machine = machine;
        A = a;
        B = b;
    }

    /// <summary>Cluster a.</summary>
    public LocalCluster A { get; }

    /// <summary>Cluster b.</summary>
    public LocalCluster B { get; }

    /// <summary>Starts both.</summary>
    /// <param name="folder">Where their logs and secrets go; the storage is kept in memory.</param>
    /// <param name="configure">Changes the options of each.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<TwoClusters> StartAsync(string folder, Func<LocalClusterOptions, LocalClusterOptions> configure, CancellationToken cancellationToken)
    {
        var machine = await LocalMachine.StartAsync(folder, ClusterIds, keepData: false, cancellationToken);
        try
        {
            var clusters = await Task.WhenAll(ClusterIds.Select(id => machine.StartClusterAsync(id, configure, cancellationToken)));
            return new TwoClusters(machine, clusters[0], clusters[1]);
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sets up replication from one to the other, by the same normal update to both: to the future secondary first.</summary>
    public async Task ReplicateAsync(LocalCluster from, LocalCluster to, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        var configuration = new ReplicateConfiguration([from.Entry, to.Entry], new([new(from.ClusterId, to.ClusterId)]));
        foreach (var cluster in new[] { to, from })
        {
            await AppliedAsync(cluster, new UpdateReplicateConfigurationRequest(configuration, WaitMs: LongestWaitMs), cancellationToken);
        }
    }

    /// <summary>The force update that promotes a cluster: its own entry, without the token, as an operator reads and sends it.</summary>
    public static UpdateReplicateConfigurationRequest ForceUpdate(LocalCluster cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return new(new ReplicateConfiguration([cluster.Entry with { Token = null }]), ForceUpdate: true, WaitMs: LongestWaitMs);
    }

    /// <summary>Sends an update until it is in force. A control plane that is away, or one whose lock is held, is asked again.</summary>
    public static async Task<UpdateReplicateConfigurationResponse> AppliedAsync(LocalCluster cluster, UpdateReplicateConfigurationRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        UpdateReplicateConfigurationResponse? applied = null;
        await ClusterClient.UntilAsync(
            $"cluster {cluster.ClusterId} has taken the configuration",
            async () =>
            {
                var answer = await cluster.Client.UpdateReplicateConfigurationAsync(request, cancellationToken);
                applied = answer.Status == 200 ? answer.Value : null;
                return answer.Status switch
                {
                    200 => true,
                    >= 400 and < 500 and not 409 and not 429 => throw new InvalidOperationException($"Cluster {cluster.ClusterId} refuses the configuration: {answer.Status} {answer.Problem?.Detail ?? answer.Text}"),
                    _ => throw new ApiAnswerException($"HTTP {answer.Status}: {answer.Problem?.Detail ?? answer.Text}", answer.Status),
                };
            },
            Patience,
            cancellationToken);
        return applied!;
    }

    /// <summary>Starts everything of a cluster that was killed.</summary>
    public static async Task StartAgainAsync(LocalCluster cluster, int nodes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        await cluster.StartControlPlaneAsync(null, cancellationToken);
        await Task.WhenAll(Enumerable.Range(0, nodes).Select(i => cluster.StartNodeAsync(i, cancellationToken)));
        await cluster.Client.WaitForNodesAsync(nodes, Patience, cancellationToken);
        await cluster.Client.WaitUntilServingAsync(cluster.Channels, Patience, cancellationToken);
    }

    /// <summary>Every channel of a cluster as its committed readers see it.</summary>
    public static async Task<IReadOnlyDictionary<string, IReadOnlyList<ReadMessage>>> VisibleAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        var visible = new Dictionary<string, IReadOnlyList<ReadMessage>>(StringComparer.Ordinal);
        foreach (var channel in cluster.Channels)
        {
            await ClusterClient.UntilAsync(
                $"{channel} is read", async () => (visible[channel] = await cluster.Client.ReadAllAsync(channel, Isolation.Committed, cancellationToken)) is not null, Patience, cancellationToken);
        }

        return visible;
    }

    /// <summary>The pairs of channels between which a cluster ships, or shipped, read from both sides.</summary>
    /// <param name="source">The cluster that ships.</param>
    /// <param name="target">The one that takes over. Its logs are read first, so that everything in them can be in the source's.</param>
    /// <param name="tasks">The source's CDC tasks, which know where the shipping began.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<IReadOnlyList<ReplicatedChannel>> PairsAsync(LocalCluster source, LocalCluster target, CdcTasksView tasks, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        var there = await VisibleAsync(target, cancellationToken);
        var here = await VisibleAsync(source, cancellationToken);
        return
        [
            .. tasks.Tasks.Where(t => t.TargetCluster == target.ClusterId)
                .Select(t => new ReplicatedChannel(source.ClusterId, t.Channel, here[t.Channel], t.TargetChannel, there[t.TargetChannel], t.StartLsn)),
        ];
    }

    /// <summary>Waits until nothing of a cluster's broadcasts is under way.</summary>
    public static Task BroadcastsCompleteAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return ClusterClient.UntilAsync(
            $"every broadcast of cluster {cluster.ClusterId} is complete",
            async () => (await cluster.Client.BroadcastsAsync(BroadcastState.Pending, cancellationToken)).Count == 0
                && (await cluster.Client.BroadcastsAsync(BroadcastState.Replicated, cancellationToken)).Count == 0,
            Patience,
            cancellationToken);
    }

    /// <summary>Waits until everything visible in the source's channels is in the target's, both at rest.</summary>
    /// <returns>The channels, as they are then.</returns>
    public static async Task<IReadOnlyList<ReplicatedChannel>> CaughtUpAsync(LocalCluster source, LocalCluster target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        await BroadcastsCompleteAsync(source, cancellationToken);
        var tasks = await RunningTasksAsync(source, target, cancellationToken);
        var pairs = await PairsAsync(source, target, tasks, cancellationToken);
        try
        {
            await ClusterClient.UntilAsync(
                $"cluster {target.ClusterId} has caught up",
                async () =>
                {
                    if (pairs.All(p => DeliveryCheck.Complete(p).Count == 0))
                    {
                        return true;
                    }

                    await Task.Delay(BetweenReads, cancellationToken);
                    var there = await VisibleAsync(target, cancellationToken);
                    pairs = [.. pairs.Select(p => p with { Target = there[p.TargetChannel] })];
                    return false;
                },
                Patience,
                cancellationToken);
        }
        catch (TimeoutException)
        {
            // What is missing or wrong is for the caller to find in the pairs.
        }

        return pairs;
    }

    /// <summary>The lock rows of a cluster that are held now: what operations leave behind when they end is nothing.</summary>
    public async Task<IReadOnlyList<HeldLock>> LocksAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return await LockRow.ReadAsync(_machine.Azurite.ConnectionString(cluster.Secrets.Account.Name), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private static async Task<CdcTasksView> RunningTasksAsync(LocalCluster source, LocalCluster target, CancellationToken cancellationToken)
    {
        CdcTasksView? tasks = null;
        await ClusterClient.UntilAsync(
            $"cluster {source.ClusterId} has a running CDC task for each channel",
            async () => (tasks = await source.Client.CdcTasksAsync(cancellationToken)).Tasks.Count(t => t.TargetCluster == target.ClusterId && t.State == CdcTaskState.Running) == source.Channels.Count,
            Patience,
            cancellationToken);
        return tasks!;
    }
}
