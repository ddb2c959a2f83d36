using System.Collections.Concurrent;
using System.Text.Json;
using Baton.DevHost.Orchestrations;
using Baton.Testing;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Much at once: bounds hold, nothing is lost, nothing waits for itself.</summary>
public sealed class ManyMessagesTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    private readonly EngineHub _hub = new(azurite.NewAccount());

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Fact]
    public async Task Thousands_of_events_for_a_busy_instance_all_arrive()
    {
        var events = Sampled.Count(1_500, all: 5_000);
        var (busy, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        var app = new ScriptedApp().Orchestrator("Collecting", async context =>
        {
            var sum = 0L;
            for (var i = 0; i < events; i++)
            {
                sum += await context.WaitForExternalEvent<int>("n");
            }

            return sum;
        });
        app.BeforeTurn = Hold;
        var engine = await _hub.StartEngineAsync(app);
        await engine.StartAsync("Collecting", "one");
        await busy.Task.WaitAsync(EngineHub.Patience);
        await Parallel.ForEachAsync(Enumerable.Range(0, events), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (n, ct) =>
            await engine.Instances.RaiseEventAsync("one", "n", JsonSerializer.Serialize(n), ct));
        release.SetResult();

        Assert.Equal(JsonSerializer.Serialize((long)events * (events - 1) / 2), (await engine.EndOfAsync("one")).Output);
        Assert.InRange(app.Calls("Collecting"), 2, 20);

        Task Hold(string name)
        {
            busy.TrySetResult();
            return release.Task;
        }
    }

    [Fact]
    public async Task Events_beyond_the_bound_are_refused_while_a_terminate_is_taken()
    {
        var (busy, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        var app = new ScriptedApp().Orchestrator("Waiting", async context =>
        {
            return await context.WaitForExternalEvent<string>("go");
        });
        app.BeforeTurn = Hold;
        var engine = await _hub.StartEngineAsync(app, options: _hub.Options with { MaxWaitingEvents = 2 });
        await engine.StartAsync("Waiting", "one");
        await busy.Task.WaitAsync(EngineHub.Patience);
        await engine.Instances.RaiseEventAsync("one", "a", null, CancellationToken.None);
        await engine.Instances.RaiseEventAsync("one", "b", null, CancellationToken.None);

        var refused = await Assert.ThrowsAsync<InstanceRequestException>(() => engine.Instances.RaiseEventAsync("one", "c", null, CancellationToken.None));
        await engine.Instances.TerminateAsync("one", "enough", CancellationToken.None);
        release.SetResult();

        Assert.Equal(429, refused.Status);
        Assert.Equal("Terminated", (await engine.EndOfAsync("one")).RuntimeStatus);

        Task Hold(string name)
        {
            busy.TrySetResult();
            return release.Task;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task More_activities_than_the_queue_holds_all_run_and_no_instance_starves(int queued)
    {
        var app = Fanning(40);
        var engine = await _hub.StartEngineAsync(app, options: _hub.Options with { MaxQueuedActivities = queued, MaxConcurrentActivityFunctions = 2 });

        var ends = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => engine.RunAsync("Fan")));

        Assert.All(ends, end => Assert.Equal("40", end.Output));
        Assert.Equal(240, app.Calls("One"));
    }

    [Fact]
    public async Task An_instance_whose_activities_find_no_room_still_hears_of_other_things()
    {
        var (started, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        var app = Fanning(50).Activity<int>("One", async (_, ct) =>
        {
            started.TrySetResult();
            await release.Task.WaitAsync(ct);
            return 1;
        });
        var engine = await _hub.StartEngineAsync(app, options: _hub.Options with { MaxQueuedActivities = 2, MaxConcurrentActivityFunctions = 1, MaxConcurrentOrchestratorFunctions = 1 });
        await engine.StartAsync("Fan", "one");
        await started.Task.WaitAsync(EngineHub.Patience);

        await engine.Instances.TerminateAsync("one", "enough", CancellationToken.None);

        Assert.Equal("Terminated", (await engine.EndOfAsync("one")).RuntimeStatus);
        release.SetResult();
        await _hub.UntilNothingIsOpenAsync();
        Assert.Equal(50, app.Calls("One"));
    }

    [Fact]
    public async Task An_engine_takes_up_more_open_activities_than_its_queue_holds()
    {
        var started = new TaskCompletionSource();
        var first = await _hub.StartEngineAsync(Fanning(60).Activity<int>("One", async (_, ct) =>
        {
            started.TrySetResult();
            await Task.Delay(Timeout.Infinite, ct);
            return 1;
        }));
        await first.StartAsync("Fan", "one");
        await first.StartAsync("Fan", "two");
        await started.Task.WaitAsync(EngineHub.Patience);
        await first.UntilAsync("two", status => status.RuntimeStatus == "Running");
        await first.DisposeAsync();

        var app = Fanning(60);
        var second = await _hub.StartEngineAsync(app, options: _hub.Options with { MaxQueuedActivities = 3, MaxConcurrentActivityFunctions = 2, MaxConcurrentOrchestratorFunctions = 1 });

        Assert.Equal("60", (await second.EndOfAsync("one")).Output);
        Assert.Equal("60", (await second.EndOfAsync("two")).Output);
        Assert.Equal(120, app.Calls("One"));
    }

    [Fact]
    public async Task What_came_during_a_turn_is_taken_by_the_next_one_together()
    {
        var app = Fanning(2_000);
        var engine = await _hub.StartEngineAsync(app);

        Assert.Equal("2000", (await engine.RunAsync("Fan")).Output);

        Assert.InRange(app.Calls("Fan"), 2, 200);
    }

    [Fact]
    public async Task A_turn_encodes_what_is_new_and_sends_the_rest_as_it_was_sent_before()
    {
        var requests = new ConcurrentQueue<OrchestratorRequest>();
        var next = 0;
        var app = new ScriptedApp().Activity<int>("Nothing", _ => null).RawOrchestrator("Steps", request =>
        {
            requests.Enqueue(RawAnswers.Request(request));
            return next < 5 ? RawAnswers.Of(RawAnswers.Task("Nothing", next++)) : RawAnswers.Of(RawAnswers.Complete(next, OrchestrationStatus.Completed));
        });
        var engine = await _hub.StartEngineAsync(app);

        var end = await engine.RunAsync("Steps");

        var history = await engine.Instances.HistoryAsync(end.InstanceId, CancellationToken.None);
        Assert.Equal(6, requests.Count);
        Assert.All(requests, request => Assert.Equal(history.Take(request.PastEvents.Count + request.NewEvents.Count), request.PastEvents.Concat(request.NewEvents)));
    }

    private static ScriptedApp Fanning(int width) => new ScriptedApp()
        .Activity<int>("One", _ => 1)
        .Orchestrator("Fan", async context => (await Task.WhenAll(Enumerable.Range(0, width).Select(n => context.CallActivityAsync<int>("One", n)))).Sum());
}
