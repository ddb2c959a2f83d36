using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Time;
using Baton.Core.Wal;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>
/// Cluster b of real processes, secondary of a cluster a that is already gone: nobody listens at its address. What a sent before it died is delivered to b's
/// replicate endpoint as CDC would have: whole messages, a transaction without its commit, a broadcast on one of its two channels.
/// </summary>
public sealed class PromotableCluster : IAsyncDisposable
{
    public static readonly TimeSpan Patience = OneCluster.Patience;
    private readonly LocalMachine _machine;
    private readonly string _folder;
    private long _lsn = 10;
    private long _tick = TimeTicks.FromInstant(DateTimeOffset.UtcNow);

    private PromotableCluster(LocalMachine machine, LocalCluster cluster, string folder)
    {
        _machine = machine;
        Cluster = cluster;
        _folder = folder;
    }

    public LocalCluster Cluster { get; }

    public ClusterClient Client => Cluster.Client;

    public string LogFolder => Path.Combine(_folder, "logs");

    public ReplicateCluster Self => Cluster.Entry;

    public static ReplicateCluster Gone => new("a", "http://127.0.0.1:9", ["a-ch0", "a-ch1"]);

    public UpdateReplicateConfigurationRequest ForceUpdate => new(new ReplicateConfiguration([Self]), ForceUpdate: true, WaitMs: 60_000);

    /// <summary>Starts the cluster, with two nodes.</summary>
    /// <param name="settings">Further settings of the function app.</param>
    public static Task<PromotableCluster> StartAsync(params (string Name, string Value)[] settings) => StartAsync(nodes: 2, settings);

    /// <summary>Starts the cluster.</summary>
    /// <param name="nodes">How many nodes it has.</param>
    /// <param name="settings">Further settings of the function app.</param>
    public static async Task<PromotableCluster> StartAsync(int nodes, params (string Name, string Value)[] settings)
    {
        var folder = Directory.CreateTempSubdirectory("baton-e2e-").FullName;
        var machine = await LocalMachine.StartAsync(folder, ["b"], keepData: false, CancellationToken.None);
        try
        {
            // The sweep that recovers lost operations is what some tests wait for: every second rather than every ten.
            var appSettings = settings.Append(("OperationSweepSchedule", "*/1 * * * * *")).ToDictionary(s => s.Item1, s => s.Item2, StringComparer.Ordinal);
            var cluster = await machine.StartClusterAsync("b", o => o with { Gateway = false, Nodes = nodes, AppSettings = appSettings }, CancellationToken.None);
            return new PromotableCluster(machine, cluster, folder);
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes b a secondary of a, by the normal update that a primary applies by itself.</summary>
    public async Task BecomeSecondaryAsync()
    {
        var answer = await Client.UpdateReplicateConfigurationAsync(
            new(new ReplicateConfiguration([Gone, Self], new([new("a", "b")])), WaitMs: 60_000), CancellationToken.None);
        Assert.Equal(UpdateOutcome.Applied, answer.Value.Outcome);
        Assert.Equal(ClusterRole.Secondary, (await Client.ReplicateConfigurationAsync(CancellationToken.None)).Role);
    }

    /// <summary>Delivers what a sent before it died.</summary>
    public async Task<HalfDone> LeaveHalfDoneAsync()
    {
        var transaction = Next().Tick;
        var broadcast = Next().Tick;
        var message = new BroadcastMessage("createCollection", ["a-ch0_v1", "a-ch1_v1"], [new(ResourceDomain.Collection, "orders")], [1, 2, 3]);
        var payload = JsonSerializer.SerializeToUtf8Bytes(message, BatonJson.Options);
        var whole = $"whole {broadcast}";
        await DeliverAsync(0, Record(WalRecordType.Message, Text(whole)), Record(WalRecordType.Broadcast, payload) with { VChannel = "a-ch0_v1", BroadcastId = broadcast });
        await DeliverAsync(1, Record(WalRecordType.Message, Text(whole)));
        var begin = Record(WalRecordType.TxnBegin, []) with { TxnId = transaction, KeepaliveMs = 10 };
        var body = Record(WalRecordType.TxnBody, Text("never committed")) with { TxnId = transaction, TimeTick = begin.TimeTick };
        await DeliverAsync(0, begin, body);
        await ClusterClient.UntilAsync("b knows of the broadcast", async () => (await Client.BroadcastAsync(broadcast, CancellationToken.None)).Body is not null, Patience, CancellationToken.None);
        var status = await Client.StatusAsync(Cluster.Channels[0], CancellationToken.None);
        Assert.Equal([transaction], status.OpenTransactions);
        Assert.Equal(["b-ch1_v1"], (await Client.BroadcastAsync(broadcast, CancellationToken.None)).Value.PendingVChannels);
        return new HalfDone(transaction, broadcast, whole);
    }

    /// <summary>Reads back, over HTTP, that everything a promotion promises is so.</summary>
    public async Task AssertPromotedAsync(HalfDone half)
    {
        ArgumentNullException.ThrowIfNull(half);
        var meta = await Client.ReplicateConfigurationAsync(CancellationToken.None);
        Assert.Equal(ClusterRole.Standalone, meta.Role);
        Assert.True(meta.ForceUpdated);
        Assert.NotNull(meta.ForceUpdateTimestamp);
        Assert.Equal(["b"], meta.Configuration!.Clusters!.Select(c => c!.ClusterId));

        var task = (await Client.BroadcastAsync(half.BroadcastId, CancellationToken.None)).Value;
        Assert.Equal(BroadcastState.Tombstone, task.State);
        Assert.Empty(task.PendingVChannels);
        foreach (var channel in Cluster.Channels)
        {
            var seen = await Client.ReadAllAsync(channel, Isolation.Committed, CancellationToken.None);
            Assert.Single(seen, m => m.BroadcastId == half.BroadcastId);
            Assert.Single(seen, m => Encoding.UTF8.GetString(m.Payload) == half.WholeMessage);
            Assert.DoesNotContain(seen, m => m.TxnId == half.TransactionId);
            Assert.Empty((await Client.StatusAsync(channel, CancellationToken.None)).OpenTransactions);
            Assert.Equal(200, (await Client.AppendAsync(channel, new([new MessageBody(Text("after"))]), CancellationToken.None)).Status);
        }
    }

    /// <summary>The forced records of a channel: one for each promotion it went through.</summary>
    public async Task<int> ForcedRecordsAsync(string channel) =>
        (await Client.ReadAllAsync(channel, Isolation.All, CancellationToken.None))
            .Where(m => m.Type == WalRecordType.AlterReplicateConfig)
            .Count(m => JsonSerializer.Deserialize<AlterReplicateConfigRecord>(m.Payload, BatonJson.Options)!.Message.AlterReplicateConfig!.Forced);

    public async ValueTask DisposeAsync()
    {
        await _machine.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private (long Lsn, long Tick) Next() => (++_lsn, _tick += TimeTicks.PerMillisecond);

    private ReadMessage Record(WalRecordType type, byte[] payload)
    {
        var (lsn, tick) = Next();
        return new ReadMessage(lsn, tick, type, null, null, payload);
    }

    private async Task DeliverAsync(int channel, params ReadMessage[] records)
    {
        var answer = await Client.ReplicateAsync(Cluster.Channels[channel], new ReplicateRequest("a", $"a-ch{channel}", records), CancellationToken.None);
        Assert.Equal(records.Length, answer.Value.Appended);
    }
}

/// <summary>What was left half done.</summary>
public sealed record HalfDone(long TransactionId, long BroadcastId, string WholeMessage);
