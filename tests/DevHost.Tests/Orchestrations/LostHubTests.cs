using Baton.DevHost.Orchestrations;
using Baton.Storage.Tables;
using Baton.Testing;
using Microsoft.DurableTask.Protobuf;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Two engines on one hub: the one that slept while it lost the hub stops, and changes nothing of what its successor did.</summary>
public sealed class LostHubTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    // It finds out by what it is refused, not by renewing its lease.
    private readonly EngineHub _hub = new(azurite.NewAccount()) { Options = new OrchestrationEngineOptions { HubName = "LostHub", LeaseRenewal = TimeSpan.FromSeconds(10) } };

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Theory]
    [InlineData("a turn")]
    [InlineData("an activity")]
    [InlineData("a commit")]
    [InlineData("a send")]
    public async Task An_engine_that_sleeps_in_the_middle_of_something_changes_nothing_afterwards(string something)
    {
        var (asleep, awake) = (new TaskCompletionSource(), new TaskCompletionSource());
        var storage = something switch
        {
            "a commit" => new HeldStorage((_, body) => body.Contains("\"Completed\"", StringComparison.Ordinal)),
            "a send" => new HeldStorage((_, body) => body.Contains("m-s-", StringComparison.Ordinal)),
            _ => null,
        };
        var sleepy = App(
            inTurn: () => Sleep(something == "a turn"),
            inActivity: () => Sleep(something == "an activity"));
        var first = await _hub.StartEngineAsync(sleepy, storage?.Policy);
        await first.StartAsync("Receiver", "receiver");
        await first.UntilAsync("receiver", status => status.RuntimeStatus == "Running");
        await first.StartAsync("Sender", "sender");
        await (storage?.Held ?? asleep.Task).WaitAsync(EngineHub.Patience);

        var second = await _hub.StartEngineAsync(App());
        Assert.Equal("Completed", (await second.EndOfAsync("sender")).RuntimeStatus);
        await second.UntilAsync("receiver", status => status.CustomStatus == "\"heard\"");
        var before = await RowsAsync();
        storage?.Release();
        awake.TrySetResult();

        await Assert.ThrowsAnyAsync<Exception>(() => first.Ended.WaitAsync(EngineHub.Patience));
        var after = await RowsAsync();
        Assert.Subset(before, after);
        Assert.All(before.Except(after), gone => Assert.Contains(" m-", gone, StringComparison.Ordinal));
        await second.Instances.RaiseEventAsync("receiver", "end", null, CancellationToken.None);
        Assert.Equal("Completed", (await second.EndOfAsync("receiver")).RuntimeStatus);
        Assert.Single(await second.CompletedOnceAsync("receiver"), e => e.EventTypeCase == EventType.EventRaised && e.EventRaised.Name == "news");

        void Sleep(bool here)
        {
            if (here && asleep.TrySetResult())
            {
                awake.Task.Wait();
            }
        }
    }

    [Fact]
    public async Task What_a_client_gives_an_engine_that_has_lost_the_hub_is_refused()
    {
        var first = await _hub.StartEngineAsync(App());
        await first.StartAsync("Receiver", "receiver");
        await first.UntilAsync("receiver", status => status.RuntimeStatus == "Running");
        var second = await _hub.StartEngineAsync(App());
        await second.UntilAsync("receiver", status => status.RuntimeStatus == "Running");

        var raised = await Assert.ThrowsAsync<InstanceRequestException>(() => first.Instances.RaiseEventAsync("receiver", "news", "1", CancellationToken.None));
        var started = await Assert.ThrowsAsync<InstanceRequestException>(() => first.StartAsync("Receiver", "other"));

        Assert.Equal((503, 503), (raised.Status, started.Status));
    }

    /// <summary>The sender asks an activity, then sends the receiver one event and ends.</summary>
    private static ScriptedApp App(Action? inTurn = null, Action? inActivity = null) => new ScriptedApp()
        .Activity<int>("Ask", n =>
        {
            inActivity?.Invoke();
            return n;
        })
        .RawOrchestrator("Sender", request =>
        {
            var told = RawAnswers.Request(request);
            if (told.PastEvents.Count == 0)
            {
                return RawAnswers.Of(RawAnswers.Task("Ask", 0, 1));
            }

            inTurn?.Invoke();
            return RawAnswers.Of(RawAnswers.Send("receiver", 1, "news", "1"), RawAnswers.Complete(2, OrchestrationStatus.Completed));
        })
        .Orchestrator("Receiver", async context =>
        {
            await context.WaitForExternalEvent<int>("news");
            context.SetCustomStatus("heard");
            await context.WaitForExternalEvent<string>("end");
            return null;
        });

    /// <summary>Every row and its version. Only the successor may still be deleting messages that were taken.</summary>
    private async Task<HashSet<string>> RowsAsync() =>
        await _hub.Table.QueryAsync<TableEntity>().Select(row => $"{row.PartitionKey} {row.RowKey} {row.ETag}").ToHashSetAsync();
}
