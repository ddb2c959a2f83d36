using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Replicas;
using Baton.Node.Replicas.Feed;
using Baton.Node.Settings;
using Baton.Node.Tests.Harness;
using Baton.Storage.Replicas;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Baton.Node.Tests.Replicas;

/// <summary>What comes while a step waits for the activity before it.</summary>
[Collection(NodeGroup.Name)]
public sealed class FollowerRaceTests(NodeFixture fixture)
{
    [Theory]
    [InlineData(7L)]
    [InlineData(null)]
    public async Task An_assignment_that_comes_while_a_session_connects_is_neither_lost_nor_undone(long? term)
    {
        await using var scene = await ReplicaScene.StartAsync(fixture);
        using var http = new HttpClient();
        using var held = new HeldLog();
        var settings = Options.Create(new FollowSettings());
        var client = new FeedClient(http, Options.Create(new NodeSettings()), Options.Create(new ClusterSettings()), settings, TimeProvider.System);
        var around = new FollowerSurroundings(scene.OpenStore(), client, new ReplicaLogOptions { Folder = scene.Folder }, settings.Value, TimeProvider.System, held);
        using var follower = new Follower(scene.Channel, around);
        var first = new Assignment(scene.Channel, Assignments.Replica, 5, null);
        follower.Assign(first);
        await held.Reached.WaitAsync(TimeSpan.FromSeconds(30));

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

    /// <summary>Keeps whoever first logs a change of state in that call.</summary>
    private sealed class HeldLog : ILogger, IDisposable
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
            if (formatter(state, exception).Contains(" was Disconnected and is ", StringComparison.Ordinal) && _reached.TrySetResult())
            {
                _go.Wait(TimeSpan.FromSeconds(30));
            }
        }

        public void Dispose()
        {
            _go.Set();
            _go.Dispose();
        }
    }
}
