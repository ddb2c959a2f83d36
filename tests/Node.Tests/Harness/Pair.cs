using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Node.Tests.Harness;

/// <summary>Cluster a replicates to this cluster, b; the one channel of each corresponds to the other's.</summary>
internal sealed record Pair(string Channel)
{
    public const string Source = "a";

    private static readonly ReplicateCluster[] NoClusters = [];

    public string SourceChannel => $"src-{Channel}"[..14];

    public ReplicateConfiguration Replicating { get; init; } = new(NoClusters);

    /// <summary>The other way round: cluster a replicates from this cluster.</summary>
    public ReplicateConfiguration Replicated => Replicating with { Topology = new ReplicateTopology([new ReplicateEdge(TestNode.ClusterId, Source)]) };

    /// <summary>This cluster alone: what a forced promotion makes.</summary>
    public ReplicateConfiguration Alone => new([ClusterB()]);

    public static Pair Of(string channel)
    {
        var pair = new Pair(channel);
        return pair with
        {
            Replicating = new ReplicateConfiguration(
                [new ReplicateCluster(Source, "http://a.example", [pair.SourceChannel], "token-of-a"), pair.ClusterB()],
                new ReplicateTopology([new ReplicateEdge(Source, TestNode.ClusterId)])),
        };
    }

    /// <summary>Appends a change of configuration by order, as the control plane does.</summary>
    public Task<HttpResponseMessage> ChangeAsync(TestNode node, long broadcastId, ReplicateConfiguration configuration, bool forced = false, bool ignored = false) =>
        node.PostAsync(
            $"channels/{Channel}/control",
            new ControlRequest(
                broadcastId,
                VChannels.Control(Channel),
                new BroadcastMessage(
                    BroadcastMessage.AlterReplicateConfigKind,
                    [VChannels.Control(Channel)],
                    [new ResourceKey(ResourceDomain.Cluster, "")],
                    null,
                    new AlterReplicateConfig(configuration, forced, ignored))),
            node.Control);

    /// <summary>Makes the channel secondary of cluster a.</summary>
    public Task<ControlResponse> FollowAsync(TestNode node, long broadcastId = 1) => TestNode.OkAsync<ControlResponse>(ChangeAsync(node, broadcastId, Replicating));

    /// <summary>Promotes the channel.</summary>
    public Task<HttpResponseMessage> ForceAsync(TestNode node, long broadcastId = 100) => ChangeAsync(node, broadcastId, Alone, forced: true);

    /// <summary>Sends records as CDC does.</summary>
    public Task<HttpResponseMessage> ReplicateAsync(TestNode node, params ReadMessage[] records) => ReplicateFromAsync(node, Source, records);

    public Task<HttpResponseMessage> ReplicateFromAsync(TestNode node, string cluster, params ReadMessage[] records) =>
        node.PostAsync($"channels/{Channel}/replicate", new ReplicateRequest(cluster, SourceChannel, records), node.Control);

    public static ReadMessage Plain(long lsn, long tick, string text) => new(lsn, tick, WalRecordType.Message, null, null, Encoding.UTF8.GetBytes(text));

    public static ReadMessage Begin(long lsn, long tick, long txnId) => new(lsn, tick, WalRecordType.TxnBegin, null, null, [], txnId, 0);

    public static ReadMessage Body(long lsn, long tick, long txnId, string text) => new(lsn, tick, WalRecordType.TxnBody, null, null, Encoding.UTF8.GetBytes(text), txnId);

    public static ReadMessage Commit(long lsn, long tick, long txnId) => new(lsn, tick, WalRecordType.TxnCommit, null, null, [], txnId);

    /// <summary>A broadcast's record in the source's names.</summary>
    public ReadMessage Broadcast(long lsn, long tick, long broadcastId, int payloadBytes = 1) => new(
        lsn,
        tick,
        WalRecordType.Broadcast,
        $"{SourceChannel}_v1",
        null,
        JsonSerializer.SerializeToUtf8Bytes(new BroadcastMessage("drop", [$"{SourceChannel}_v1", $"{SourceChannel}_v2"], [], new byte[payloadBytes]), BatonJson.Options),
        BroadcastId: broadcastId);

    private ReplicateCluster ClusterB() => new(TestNode.ClusterId, "http://b.example", [Channel]);
}
