using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.Core.Wal;
using Baton.DevHost.Clusters;
using Baton.Storage;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>A replica's recovery as the control plane shows it.</summary>
public sealed record RecoveryOfReplica(string Channel, string ReplicaId, ReplicaEndpoint Endpoint, long Epoch, ReplicaProgress State, RecoverySession? Session);

/// <summary>An entry of the recoveries' log.</summary>
public sealed record RecoveryLogged(DateTimeOffset At, long Number, string Channel, string Replica, long SessionId, string Event, string Detail);

/// <summary>
/// One cluster of real processes for all scenarios of recovery: three nodes, each of which leads or follows every channel. Logs are short: what is beyond a few megabytes is deleted behind a snapshot.
/// A scenario finds every replica in sync, whatever the one before left.
/// </summary>
public sealed class RecoveryCluster() : OneCluster("recovery")
{
    public const int Nodes = 3;

    /// <summary>A channel has a snapshot after so many records, and not before.</summary>
    public const int SnapshotEvery = 100;

    private const int BatchBytes = 1024 * 1024;
    private WalStore? _logs;
    private int _copies;

    public ClusterClient Client => Cluster.Client;

    /// <summary>The channels' logs in the storage.</summary>
    public WalStore Logs => _logs ?? throw new InvalidOperationException("The fixture has not started.");

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        _logs = new WalStore(
            BatonStorage.Open(new StorageOptions { ConnectionString = Cluster.StorageConnectionString }), new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
    }

    /// <summary>The folder of a node's replicas, which is its own while it runs.</summary>
    public string ReplicaFolder(int node) => Path.Combine(Folder, "replicas", Cluster.NodeId(node));

    /// <summary>Starts every node that does not run, and waits until every replica is in sync at its channel's present term and in its node's present life, and nothing of a log is kept for a session.</summary>
    public async Task WholeAsync()
    {
        await Task.WhenAll(Enumerable.Range(0, Nodes).Where(i => !Cluster.IsNodeRunning(i)).Select(StartNodeAsync));
        await Client.WaitForNodesAsync(Nodes, Patience, CancellationToken.None);
        await Client.WaitUntilServingAsync(Cluster.Channels, Patience, CancellationToken.None);
        foreach (var channel in Cluster.Channels)
        {
            await InSyncAsync(channel);
        }
    }

    /// <summary>Starts a node that was killed, and waits until it has joined: what is said of it from now on is not said of its life before.</summary>
    public async Task StartNodeAsync(int node)
    {
        var before = await IncarnationAsync(node);
        await Cluster.StartNodeAsync(node, CancellationToken.None);
        await RejoinedAsync(node, before);
    }

    /// <summary>Which life of the node the topology knows.</summary>
    public async Task<long> IncarnationAsync(int node) => (await Client.TopologyAsync(CancellationToken.None)).Nodes.Single(n => n.NodeId == Cluster.NodeId(node)).Incarnation;

    /// <summary>Waits until a node has joined in another life than <paramref name="before"/>.</summary>
    public Task RejoinedAsync(int node, long before) =>
        ClusterClient.UntilAsync($"{Cluster.NodeId(node)} has joined again", async () => await IncarnationAsync(node) != before, Patience, CancellationToken.None);

    /// <summary>Waits until every replica of a channel says that it has everything through <paramref name="lsn"/>.</summary>
    public Task FollowedAsync(string channel, long lsn) => ClusterClient.UntilAsync(
        $"every replica of {channel} has LSN {lsn}",
        async () => (await NodesAsync(channel)).View.Replicas is { Count: Nodes - 1 } replicas && replicas.All(r => r.FlushedLsn >= lsn),
        Patience,
        CancellationToken.None);

    /// <summary>Waits until all replicas of a channel are in sync, and no pin of a session is left.</summary>
    public async Task InSyncAsync(string channel)
    {
        var (view, known, pins) = ("", "", "");
        try
        {
            await ClusterClient.UntilAsync(
                $"every replica of {channel} is in sync",
                async () =>
                {
                    var topology = await Client.TopologyAsync(CancellationToken.None);
                    var state = topology.Channels.Single(c => c.Name == channel);
                    var replicas = await ReplicasAsync(channel);
                    var held = await PinsAsync(channel);
                    (view, known, pins) = (state.ToString() + string.Join(", ", state.Replicas), string.Join('\n', replicas), string.Join(", ", held));
                    return state is { Leader: not null, Replicas.Count: Nodes - 1 }
                        && state.Replicas.All(r => r.State == ReplicaProgress.InSync && replicas.Any(k => k.ReplicaId == r.NodeId && IsPresent(k, topology) && k is { State: ReplicaProgress.InSync, Session: null }))
                        && held.Count == 0;
                },
                Patience,
                CancellationToken.None);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\n{view}\n{known}\npins: {pins}\n{string.Join('\n', (await LoggedAsync(channel)).TakeLast(60))}", e);
        }
    }

    /// <summary>How the recoveries of a channel's replicas stand.</summary>
    public async Task<IReadOnlyList<RecoveryOfReplica>> ReplicasAsync(string channel) =>
        (await Client.GetAsync<IReadOnlyList<RecoveryOfReplica>>($"api/recovery/replicas?channel={channel}", CancellationToken.None)).Value;

    /// <summary>What was said is said of the channel's present leadership and of the node's present life.</summary>
    public static bool IsPresent(RecoveryOfReplica replica, TopologyView topology)
    {
        ArgumentNullException.ThrowIfNull(replica);
        ArgumentNullException.ThrowIfNull(topology);
        return topology.Channels.Single(c => c.Name == replica.Channel).Term == replica.Epoch
            && topology.Nodes.SingleOrDefault(n => n.NodeId == replica.ReplicaId) is { Failed: false } node
            && node.Incarnation == replica.Endpoint.Version;
    }

    /// <summary>What happened to a channel's replicas, or to one of them, oldest first: the last thousand events.</summary>
    public async Task<IReadOnlyList<RecoveryLogged>> LoggedAsync(string channel, int? node = null)
    {
        var of = node is { } index ? $"&replica={Cluster.NodeId(index)}" : "";
        return [.. (await Client.GetAsync<IReadOnlyList<RecoveryLogged>>($"api/recovery/log?channel={channel}{of}&last=1000", CancellationToken.None)).Value.Reverse()];
    }

    /// <summary>The events of the sessions of a replica that began after session <paramref name="after"/>.</summary>
    public async Task<IReadOnlyList<RecoveryLogged>> LoggedAfterAsync(long after, string channel, int node) => [.. (await LoggedAsync(channel, node)).Where(e => e.SessionId > after)];

    /// <summary>The last session that a replica has had.</summary>
    public async Task<long> LastSessionAsync(string channel, int node) => (await LoggedAsync(channel, node)).Max(e => e.SessionId);

    /// <summary>What is kept of a log for sessions.</summary>
    public async Task<IReadOnlyList<WalPin>> PinsAsync(string channel) => [.. (await ManifestAsync(channel)).Pins.Where(p => p.Id.StartsWith("recovery-", StringComparison.Ordinal))];

    public async Task<WalManifest> ManifestAsync(string channel) => await Logs.ReadManifestAsync(channel, CancellationToken.None) ?? throw new InvalidOperationException($"Channel {channel} has no log.");

    /// <summary>The nodes that lead and that follow a channel.</summary>
    public async Task<(int Leader, IReadOnlyList<int> Replicas, ChannelView View)> NodesAsync(string channel)
    {
        var view = (await Client.TopologyAsync(CancellationToken.None)).Channels.Single(c => c.Name == channel);
        return (Cluster.NodeIndex(view.Leader ?? throw new ApiAnswerException($"Channel {channel} has no leader.", 503)), [.. view.Replicas.Select(r => Cluster.NodeIndex(r.NodeId))], view);
    }

    /// <summary>Has records acknowledged by whoever leads the channel.</summary>
    /// <returns>The last one's LSN.</returns>
    public async Task<long> WriteAsync(string channel, int records, int bytes = 100)
    {
        var last = 0L;
        foreach (var batch in Enumerable.Range(0, records).Chunk(Math.Max(1, Math.Min(1000, BatchBytes / bytes))))
        {
            var request = new AppendRequest([.. batch.Select(i => new MessageBody(Payload(i, bytes)))]);
            await ClusterClient.UntilAsync(
                $"{channel} takes {batch.Length} records",
                async () => (last = (await Client.AppendAsync(channel, request, CancellationToken.None)).Body?.LastLsn ?? 0) > 0,
                Patience,
                CancellationToken.None);
        }

        return last;
    }

    /// <summary>Compares all that a replica has on its disk with the log, record by record, as far as both have it. It may run meanwhile; its files are copied.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="node">The replica's node.</param>
    /// <param name="through">It must have everything through this LSN.</param>
    /// <returns>The first LSN compared.</returns>
    public async Task<long> AssertCopyAsync(string channel, int node, long through)
    {
        var folder = Path.Combine(Folder, "copies", Interlocked.Increment(ref _copies).ToString(CultureInfo.InvariantCulture));
        CopyFiles(Path.Combine(ReplicaFolder(node), channel), Path.Combine(folder, channel));
        await using var copy = await ReplicaLog.OpenAsync(channel, new ReplicaLogOptions { Folder = folder }, TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        Assert.True(copy.LastLsn >= through, $"{Cluster.NodeId(node)} has {channel} to LSN {copy.LastLsn}, not to {through}.");

        var from = Math.Max(copy.FirstLsn, (await ManifestAsync(channel)).FirstLsn);
        await using var ofReplica = copy.ReadAsync(from, copy.LastLsn, CancellationToken.None).GetAsyncEnumerator();
        await using var ofLog = Logs.ReadAsync(channel, from, copy.LastLsn, CancellationToken.None).GetAsyncEnumerator();
        for (var lsn = from; lsn <= copy.LastLsn; lsn++)
        {
            Assert.True(await ofReplica.MoveNextAsync(), $"{Cluster.NodeId(node)} has no LSN {lsn} of {channel}.");
            Assert.True(await ofLog.MoveNextAsync(), $"{Cluster.NodeId(node)} has LSN {lsn} of {channel}, the log has not.");
            Assert.True(Bytes(ofReplica.Current).AsSpan().SequenceEqual(Bytes(ofLog.Current)), $"{Cluster.NodeId(node)} has another LSN {lsn} of {channel} than the log: {ofReplica.Current} and {ofLog.Current}.");
        }

        return from;
    }

    protected override LocalClusterOptions Options(LocalClusterOptions options) => options with
    {
        Gateway = false,
        Nodes = Nodes,
        Channels = 3,
        ReplicationFactor = Nodes,
        NodeSettings = Settings(
            ("Node__SnapshotEveryRecords", SnapshotEvery.ToString(CultureInfo.InvariantCulture)), ("Wal__MaxSegmentBytes", "524288"), ("Wal__RetainBytes", "4194304")),
    };

    private static byte[] Payload(int index, int bytes)
    {
        var payload = new byte[bytes];
        new Random(index).NextBytes(payload);
        return payload;
    }

    // Term and place are in it too.
    private static byte[] Bytes(WalEntry entry) => [.. BitConverter.GetBytes(entry.Term), .. WalBatchCodec.Encode(entry.Lsn, [entry.Record])];

    private static void CopyFiles(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from).Where(f => Path.GetFileName(f) != "lock"))
        {
            // Read beside the node, which has it open: a batch that is being written is torn in the copy, and left out when that is opened.
            using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var target = File.Create(Path.Combine(to, Path.GetFileName(file)));
            source.CopyTo(target);
        }
    }
}
