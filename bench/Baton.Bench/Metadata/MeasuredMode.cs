using System.Globalization;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Metadata;

/// <summary>What one client and many clients got at one delay between the nodes, beside raw appends and bare requests.</summary>
internal sealed record DelayFigures(int DelayMs, Samples Commands, Samples Raw, ManyClientsFigures Many, ManyClientsFigures Bare, Samples Creations);

/// <summary>A cluster with one way to commit, and what has been measured of it. Two of them take turns, so that both see the same machine.</summary>
internal sealed class MeasuredMode : IAsyncDisposable
{
    /// <summary>Injected one-way delays between the nodes, in milliseconds.</summary>
    public static readonly int[] DelaysMs = [0, 5, 20];

    private const int PerRequest = 16;
    private const int CreationsEach = 20;
    private readonly DelayedCluster _cluster;
    private readonly string _commit;
    private readonly CatalogueContent _content;
    private readonly List<DelayFigures> _delays = [];
    private int _creations;

    private MeasuredMode(DelayedCluster cluster, string commit, CatalogueContent content) => (_cluster, _commit, _content) = (cluster, commit, content);

    public IReadOnlyList<DelayFigures> Delays => _delays;

    public ManyClientsFigures? Batched { get; private set; }

    public FollowerLagFigures? Lag { get; private set; }

    public Samples AtLeader { get; private set; } = new();

    public Samples Forwarded { get; private set; } = new();

    public CopyRecoveryFigures? Recovery { get; private set; }

    /// <param name="machine">Where the cluster runs.</param>
    /// <param name="clusterId">Its id.</param>
    /// <param name="commit">Setting <c>Metadata:Commit</c>.</param>
    /// <param name="warmUp">How long many clients write before anything is measured: what is compiled at first use is not what is measured.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<MeasuredMode> StartAsync(LocalMachine machine, string clusterId, string commit, TimeSpan warmUp, CancellationToken cancellationToken)
    {
        var cluster = await DelayedCluster.StartAsync(machine, clusterId, commit, cancellationToken);
        try
        {
            var leader = await cluster.LeaderAsync(cancellationToken);
            var content = await CatalogueContent.CreateAsync(cluster, leader, cancellationToken);
            await ManyClients.MeasureAsync(cluster, leader, content, 1, warmUp, cancellationToken);
            return new MeasuredMode(cluster, commit, content);
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>One client, many clients and new topics at a delay between the nodes, which it leaves behind at none.</summary>
    public async Task DelayAsync(int delayMs, TimeSpan duration, Action<string> say, CancellationToken cancellationToken)
    {
        _cluster.Delay(delayMs);
        var (lone, raw) = await _cluster.AtLeaderAsync(leader => LoneCommands.BesideRawAsync(_cluster, leader, _content, duration, cancellationToken), cancellationToken);
        var many = await _cluster.AtLeaderAsync(leader => ManyClients.MeasureAsync(_cluster, leader, _content, 1, duration, cancellationToken), cancellationToken);
        var bare = await _cluster.AtLeaderAsync(leader => ManyClients.BareAsync(_cluster, leader, duration / 3, cancellationToken), cancellationToken);
        var creations = await _cluster.AtLeaderAsync(
            leader => LoneCommands.CreationsAsync(_cluster, leader, string.Create(CultureInfo.InvariantCulture, $"created-{delayMs}-{_creations++}"), CreationsEach, cancellationToken), cancellationToken);
        _cluster.Delay(0);
        _delays.Add(new DelayFigures(delayMs, lone, raw, many, bare, creations));
        say(FormattableString.Invariant($"{_commit}, {delayMs} ms: one client p50 {lone.Median:0.00} ms, raw {raw.Median:0.00} ms; {_content.Groups.Count} clients {many.PerSecond:0}/s, bare {bare.PerSecond:0}/s"));
    }

    /// <summary>Several commands a request, followers, and requests at a follower, with no delay.</summary>
    public async Task StillAsync(TimeSpan duration, Action<string> say, CancellationToken cancellationToken)
    {
        Batched = await _cluster.AtLeaderAsync(leader => ManyClients.MeasureAsync(_cluster, leader, _content, PerRequest, duration, cancellationToken), cancellationToken);
        Lag = await _cluster.AtLeaderAsync(leader => FollowerLag.MeasureAsync(_cluster, leader, _content, duration, cancellationToken), cancellationToken);
        (AtLeader, Forwarded) = await _cluster.AtLeaderAsync(leader => LoneCommands.ForwardedAsync(_cluster, leader, _content, duration, cancellationToken), cancellationToken);
        say(FormattableString.Invariant($"{_commit}: {Batched.PerSecond:0}/s in requests of {PerRequest}; lag p99 {Lag.Lag.Percentile(0.99):0.0} ms; forwarded p50 {Forwarded.Median:0.00} ms, at the leader {AtLeader.Median:0.00} ms"));
    }

    /// <summary>A catalogue of so many commands, recovered. It kills two nodes: the last that is measured.</summary>
    public async Task RecoverAsync(int commands, Action<string> say, CancellationToken cancellationToken)
    {
        Recovery = await CopyRecovery.MeasureAsync(_cluster, _content, commands, cancellationToken);
        say(FormattableString.Invariant($"{_commit}: a node has its copy of {commands} commands back in {Recovery.RecoveredMs:0} ms"));
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();
}
