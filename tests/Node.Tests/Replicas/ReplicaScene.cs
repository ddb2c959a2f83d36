using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Wal;
using Baton.Node.Replicas;
using Baton.Node.Tests.Harness;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Node.Tests.Replicas;

/// <summary>One channel, its control plane, and a folder in which a follower's files stay when the follower goes.</summary>
internal sealed class ReplicaScene : IAsyncDisposable
{
    public const string Follower = "node-f";

    private readonly NodeFixture _fixture;
    private readonly TempFolder _folder = new();

    private ReplicaScene(NodeFixture fixture, ScriptedControlPlane plane) => (_fixture, Plane) = (fixture, plane);

    public ScriptedControlPlane Plane { get; }

    public string Channel { get; } = NodeFixture.NewChannel();

    public string Folder => _folder.Path;

    public static async Task<ReplicaScene> StartAsync(NodeFixture fixture)
    {
        // As a node does before it joins.
        await fixture.OpenStore().PrepareAsync(CancellationToken.None);
        return new ReplicaScene(fixture, await ScriptedControlPlane.StartAsync());
    }

    /// <summary>A node that leads the channel.</summary>
    public Task<TestNode> LeadAsync(long term = 1, string id = "node-1", StorageFault? fault = null, params (string, string)[] settings) => LeadAsync(Channel, term, id, fault, settings);

    public async Task<TestNode> LeadAsync(string channel, long term, string id, StorageFault? fault, params (string, string)[] settings)
    {
        Plane.Assign(id, new Assignment(channel, "leader", term, null));
        var node = fault is null
            ? await TestNode.StartAsync(_fixture, Plane, id, [.. Quick, .. settings])
            : await TestNode.StartAsync(_fixture, Plane, id, fault, [.. Quick, .. settings]);
        await node.LeadsAsync(channel, term);
        return node;
    }

    /// <summary>Has the follower's next assignments say whom to follow.</summary>
    public void AssignFollower(TestNode leader, long term = 1, ReplicaMode mode = ReplicaMode.Sync) => AssignFollower(AddressOf(leader), term, mode);

    public void AssignFollower(Uri? leader, long term = 1, ReplicaMode mode = ReplicaMode.Sync) =>
        Plane.Assign(Follower, new Assignment(Channel, Assignments.Replica, term, leader, mode));

    /// <summary>The node that follows, on this scene's folder.</summary>
    public Task<TestNode> StartFollowerAsync(params (string, string)[] settings) =>
        TestNode.StartAsync(_fixture, Plane, Follower, [.. Quick, ("Replicas:Folder", Folder), .. settings]);

    public static Uri AddressOf(TestNode node) => node.Client.BaseAddress!;

    /// <summary>The follower inside a node.</summary>
    public Follower? Inside(TestNode node) => node.Services.GetRequiredService<ReplicaTable>().Find(Channel);

    /// <summary>Waits until the follower has everything through an LSN, and follows.</summary>
    public Task FollowsAsync(TestNode follower, long lsn) => Eventually.HoldsAsync(
        async () => await follower.StatusAsync(Channel) is { Role: "replica", Following: FollowState.Following } status && status.LastLsn >= lsn,
        () => $"the follower has LSN {lsn} and follows; it is {Inside(follower)?.State} at {Inside(follower)?.Status().LastLsn}");

    public Task IsAsync(TestNode follower, FollowState state) =>
        Eventually.HoldsAsync(async () => (await follower.StatusAsync(Channel)).Following == state, () => $"the follower is {state}; it is {Inside(follower)?.State}");

    /// <summary>The log as the storage has it.</summary>
    public async Task<List<(long Lsn, long Term, uint Crc)>> StoredAsync(long fromLsn = 1)
    {
        List<(long, long, uint)> records = [];
        await foreach (var entry in _fixture.OpenStore().ReadAsync(Channel, fromLsn, long.MaxValue, CancellationToken.None))
        {
            records.Add((entry.Lsn, entry.Term, WalRecordChecksum.Of(entry.Record)));
        }

        return records;
    }

    /// <summary>The follower's files, when the follower is gone.</summary>
    public async Task<List<(long Lsn, long Term, uint Crc)>> OnDiskAsync()
    {
        await using var log = await OpenDiskAsync();
        List<(long, long, uint)> records = [];
        await foreach (var entry in log.ReadAsync(Math.Max(1, log.FirstLsn), long.MaxValue, CancellationToken.None))
        {
            records.Add((entry.Lsn, entry.Term, WalRecordChecksum.Of(entry.Record)));
        }

        return records;
    }

    public Task<ReplicaLog> OpenDiskAsync() =>
        ReplicaLog.OpenAsync(Channel, new ReplicaLogOptions { Folder = Folder }, TimeProvider.System, NullLogger.Instance, CancellationToken.None);

    /// <summary>The bytes of one plain record as a batch.</summary>
    public static byte[] Batch(long lsn, string text) =>
        WalBatchCodec.Encode(lsn, [new WalRecord { Type = WalRecordType.Message, TimeTick = lsn, Payload = System.Text.Encoding.UTF8.GetBytes(text) }]);

    /// <summary>Writes a record into the follower's files, behind everybody's back.</summary>
    public async Task ForgeAsync(long lsn, string text, long term = 1)
    {
        await using var log = await OpenDiskAsync();
        await log.AppendAsync(term, Batch(lsn, text), CancellationToken.None);
    }

    public WalStore OpenStore() => _fixture.OpenStore();

    public async ValueTask DisposeAsync()
    {
        await Plane.DisposeAsync();
        _folder.Dispose();
    }

    /// <summary>Short pauses, so that tests need not wait for what they are not about.</summary>
    private static (string, string)[] Quick => [("Follow:RetryDelayMs", "10"), ("Follow:RetryMaxDelayMs", "100"), ("Follow:FeedIdleMs", "100"), ("Follow:ProgressIntervalMs", "10")];
}
