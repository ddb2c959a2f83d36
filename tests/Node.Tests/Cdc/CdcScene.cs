using System.Text;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Cdc;

/// <summary>Two clusters of real nodes: a, whose channel replicates to that of b. Between them a door.</summary>
internal sealed class CdcScene : IAsyncDisposable
{
    private readonly NodeFixture _fixture;
    private readonly List<TestNode> _nodes = [];
    private long _broadcasts = 1_000;

    private CdcScene(NodeFixture fixture, ScriptedControlPlane sourcePlane, ScriptedControlPlane targetPlane, TargetDoor door)
    {
        (_fixture, SourcePlane, TargetPlane, Door) = (fixture, sourcePlane, targetPlane, door);
        ClusterA = new ReplicateCluster("a", "http://a.example", [SourceChannel], "token-of-a");
        ClusterB = new ReplicateCluster("b", targetPlane.Address.ToString(), [TargetChannel], TestNode.ControlSecret);
    }

    public ScriptedControlPlane SourcePlane { get; }

    public ScriptedControlPlane TargetPlane { get; }

    public TargetDoor Door { get; }

    public string SourceChannel { get; } = NodeFixture.NewChannel();

    public string TargetChannel { get; } = NodeFixture.NewChannel();

    public ReplicateCluster ClusterA { get; }

    public ReplicateCluster ClusterB { get; }

    /// <summary>The leaders.</summary>
    public TestNode Source { get; private set; } = null!;

    public TestNode Target { get; private set; } = null!;

    public ReplicateConfiguration ToB => new([ClusterA, ClusterB], new ReplicateTopology([new ReplicateEdge("a", "b")]));

    public ReplicateConfiguration AloneA => new([ClusterA]);

    public ReplicateConfiguration AloneB => new([ClusterB]);

    /// <summary>LSN of the configuration that made the direction.</summary>
    public long ConfigLsn { get; private set; }

    public static async Task<CdcScene> SetAsync(NodeFixture fixture, params (string Key, string Value)[] settings)
    {
        var scene = new CdcScene(fixture, await ScriptedControlPlane.StartAsync(), await ScriptedControlPlane.StartAsync(), await TargetDoor.OpenAsync());
        await scene.LeadSourceAsync(1, settings);
        await scene.LeadTargetAsync(1);
        return scene;
    }

    /// <summary>A node leads the source channel at this term.</summary>
    public async Task LeadSourceAsync(long term, params (string Key, string Value)[] settings)
    {
        Source = await TestNode.LeadingAsync(
            _fixture, SourcePlane, SourceChannel, term, $"a-{term}", [("Cluster:Id", "a"), ("Cdc:RetryDelayMs", "10"), ("Cdc:RetryMaxDelayMs", "200"), .. settings]);
        _nodes.Add(Source);
    }

    /// <summary>A node leads the target channel at this term, behind the door.</summary>
    public async Task LeadTargetAsync(long term)
    {
        Target = await TestNode.LeadingAsync(_fixture, TargetPlane, TargetChannel, term, $"b-{term}", ("Cluster:Id", "b"));
        _nodes.Add(Target);
        Door.Behind = Target.Client.BaseAddress;
        TargetPlane.Route = new RouteView(term, new Dictionary<string, RouteEntry>(StringComparer.Ordinal) { [TargetChannel] = new(Door.Address, $"b-{term}", term) });
    }

    /// <summary>The target is configured, then the source, and the task is given out.</summary>
    public async Task ReplicateAsync()
    {
        await ConfigureTargetAsync(ToB);
        await ConfigureAndRunAsync();
    }

    /// <summary>The source is configured, and the task is given out.</summary>
    public async Task ConfigureAndRunAsync()
    {
        ConfigLsn = (await ConfigureSourceAsync(ToB)).Ack.Lsn;
        Run(TaskAs(CdcTaskState.Running));
    }

    public CdcTaskView TaskAs(CdcTaskState state) =>
        new(SourceChannel, "b", TargetChannel, TargetPlane.Address.ToString(), TestNode.ControlSecret, 1, ConfigLsn, ConfigLsn, state, DateTimeOffset.UnixEpoch);

    /// <summary>These are the tasks from now on.</summary>
    public void Run(params CdcTaskView[] tasks)
    {
        SourcePlane.CdcTasks = tasks;
        SourcePlane.Replication = new ReplicateStanding((SourcePlane.Replication?.Version ?? 0) + 1, Replicates: true);
    }

    public Task<ControlResponse> ConfigureSourceAsync(ReplicateConfiguration configuration, bool ignored = false) =>
        ControlAsync(Source, SourceChannel, new AlterReplicateConfig(configuration, Ignored: ignored));

    public Task<ControlResponse> ConfigureTargetAsync(ReplicateConfiguration configuration, bool forced = false) =>
        ControlAsync(Target, TargetChannel, new AlterReplicateConfig(configuration, forced));

    /// <summary>A broadcast's copy on the channel of one of the two.</summary>
    public static Task<ControlResponse> BroadcastAsync(TestNode node, string channel, long id) => TestNode.OkAsync<ControlResponse>(node.PostAsync(
        $"channels/{channel}/control",
        new ControlRequest(id, channel, new BroadcastMessage("drop", [channel], [new ResourceKey(ResourceDomain.Cluster, "", Shared: true)], null)),
        node.Control));

    public async Task<long> BeginAsync() =>
        (await TestNode.OkAsync<BeginTransactionResponse>(Source.PostAsync($"channels/{SourceChannel}/transactions", new BeginTransactionRequest(600_000)))).TxnId;

    public Task<AppendResponse> AppendToAsync(long txnId, params string[] messages) => TestNode.OkAsync<AppendResponse>(Source.PostAsync(
        $"channels/{SourceChannel}/transactions/{txnId}/messages", new AppendRequest([.. messages.Select(m => new MessageBody(Encoding.UTF8.GetBytes(m)))])));

    public Task<AppendResponse> EndAsync(long txnId, string how) => TestNode.OkAsync<AppendResponse>(Source.PostAsync($"channels/{SourceChannel}/transactions/{txnId}/{how}", new { }));

    /// <summary>What a committed reader sees, but for configurations.</summary>
    public static async Task<string[]> TextsAsync(TestNode node, string channel, long from = 1) =>
        [.. (await node.ReadAsync(channel, from: from)).Messages.Where(m => m.Type is WalRecordType.Message or WalRecordType.TxnBody).Select(m => Encoding.UTF8.GetString(m.Payload))];

    /// <summary>The target shows what the source does, in that order.</summary>
    public async Task AreSameAsync()
    {
        var want = await TextsAsync(Source, SourceChannel, ConfigLsn);
        string[] got = [];
        await Eventually.HoldsAsync(
            async () => (got = await TextsAsync(Target, TargetChannel)).Length >= want.Length,
            () => $"the target has [{string.Join(' ', got)}] of [{string.Join(' ', want)}]; {Progress()}");
        Assert.Equal(want, got);
    }

    /// <summary>How far the source's leader says that it is.</summary>
    public CdcProgress? Progress() => Source.Services.GetService(typeof(Node.Channels.ChannelTable)) is Node.Channels.ChannelTable table
        ? table.Find(SourceChannel)?.Heartbeat().Cdc?.SingleOrDefault()
        : null;

    public Task StandsAsync(CdcPhase phase) => Eventually.HoldsAsync(() => Task.FromResult(Progress()?.Phase == phase), () => $"the task is {phase}: {Progress()}");

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        await Door.DisposeAsync();
        await SourcePlane.DisposeAsync();
        await TargetPlane.DisposeAsync();
    }

    private Task<ControlResponse> ControlAsync(TestNode node, string channel, AlterReplicateConfig change) => TestNode.OkAsync<ControlResponse>(node.PostAsync(
        $"channels/{channel}/control",
        new ControlRequest(
            ++_broadcasts,
            VChannels.Control(channel),
            new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, [VChannels.Control(channel)], [new ResourceKey(ResourceDomain.Cluster, "")], null, change)),
        node.Control));
}
