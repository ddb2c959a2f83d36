using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Replicas;
using Baton.Node.Replicas.Feed;
using Baton.Node.Settings;
using Baton.Node.Tests.Harness;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Baton.Node.Tests.Replicas;

/// <summary>What comes while a step waits for the activity before it.</summary>
public sealed class FollowerRaceTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Theory]
    [InlineData(7L)]
    [InlineData(null)]
    public async Task An_assignment_that_comes_while_a_session_connects_is_neither_lost_nor_undone(long? term)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        using var http = new HttpClient();
        using var held = new HeldLog(" was Disconnected and is ");
        using var follower = new Follower(scene.Channel, Around(scene, scene.OpenStore(), http, held));
        var first = new Assignment(scene.Channel, Assignments.Replica, 5, null);
        follower.Assign(first);
        await held.Reached.WaitAsync(TimeSpan.FromSeconds(120));

        // It waits for the activity, which is held fast, when the assignment changes.
        var connecting = follower.ConnectAsync(new ReplicaConnectRequest(1, 6, null), CancellationToken.None);
        Assert.False(connecting.IsCompleted);
        follower.Assign(term is { } newer ? first with { Term = newer } : null);
        held.LetGo();
        if (term is null)
        {
            await connecting;
            await Eventually.HoldsAsync(() => !follower.Assigned, "it follows no more");
        }
        else
        {
            Assert.Equal(ApiErrorCode.Conflict, (await Assert.ThrowsAsync<ApiException>(() => connecting)).Error.Code);
            Assert.Equal(term, follower.KnownTerm);
        }

        await follower.CloseAsync();
    }

    [Fact]
    public async Task An_order_that_ends_while_another_step_stops_it_has_ended()
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        await using var leader = await scene.LeadAsync(settings: [("Node:SnapshotEveryRecords", "100"), ("Wal:MaxSegmentBlocks", "3"), ("Wal:RetainMs", "0"), ("Wal:SnapshotsKept", "1")]);
        var last = (await leader.AppendAsync(scene.Channel, "a")).LastLsn;
        using var http = new HttpClient();
        using var held = new HeldLog(" must be rebuilt");
        var store = scene.OpenStore();
        using var follower = new Follower(scene.Channel, Around(scene, store, http, held));
        follower.Assign(new Assignment(scene.Channel, Assignments.Replica, 1, null));
        await Eventually.HoldsAsync(() => follower.Status().LastLsn >= last, "it has what there is");
        await follower.ConnectAsync(new ReplicaConnectRequest(1, 1, null), CancellationToken.None);
        await Eventually.HoldsAsync(
            async () =>
            {
                last = (await leader.AppendAsync(scene.Channel, [.. Enumerable.Range(0, 40).Select(i => $"m{i}")])).LastLsn;
                return await store.ReadManifestAsync(scene.Channel, CancellationToken.None) is { } manifest && manifest.FirstLsn > follower.Status().LastLsn + 1;
            },
            "what the replica needs next is gone");

        // A read at the end has the store know it.
        await foreach (var _ in store.ReadBatchesAsync(scene.Channel, last + 1_000, last + 1_000, CancellationToken.None))
        {
        }

        var catchingUp = follower.CatchUpAsync(new ReplicaCatchUpRequest(1, last, 60_000), CancellationToken.None);
        await held.Reached.WaitAsync(TimeSpan.FromSeconds(120));
        var looking = follower.PositionAsync(1, 1, CancellationToken.None);
        held.LetGo();
        Assert.Equal(1, (await looking).Lsn);
        var answer = await catchingUp.WaitAsync(TimeSpan.FromSeconds(120));
        Assert.Equal((false, FollowState.NeedsRebuild), (answer.Done, answer.State));
        await follower.CloseAsync();
    }

    private static FollowerSurroundings Around(ReplicaScene scene, WalStore store, HttpClient http, ILogger log)
    {
        var settings = Options.Create(new FollowSettings());
        var client = new FeedClient(http, Options.Create(new NodeSettings()), Options.Create(new ClusterSettings()), settings, TimeProvider.System);
        return new FollowerSurroundings(store, client, new ReplicaLogOptions { Folder = scene.Folder }, settings.Value, TimeProvider.System, log);
    }

    /// <summary>Keeps whoever first logs a text in that call.</summary>
    private sealed class HeldLog(string text) : ILogger, IDisposable
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _go = new();

        public Task Reached => _reached.Task;

        public void LetGo() => _go.Set();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception).Contains(text, StringComparison.Ordinal) && _reached.TrySetResult())
            {
                _go.Wait(TimeSpan.FromSeconds(120));
            }
        }

        public void Dispose()
        {
            _go.Set();
            _go.Dispose();
        }
    }
}
