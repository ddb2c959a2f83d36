using System.Collections.Concurrent;
using Baton.Testing;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Activities whose orchestration is over run at least once, as all others.</summary>
public sealed class DetachedActivityTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    private readonly EngineHub _hub = new(azurite.NewAccount());

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Theory]
    [InlineData(OrchestrationStatus.Completed)]
    [InlineData(OrchestrationStatus.Failed)]
    [InlineData(OrchestrationStatus.ContinuedAsNew)]
    public async Task Activities_of_the_last_turn_survive_the_death_of_the_engine(OrchestrationStatus end)
    {
        var held = new TaskCompletionSource();
        var dead = App(end).Activity<int>("Work", async (_, ct) =>
        {
            held.TrySetResult();
            await Task.Delay(Timeout.Infinite, ct);
            return null;
        });
        var first = await _hub.StartEngineAsync(dead, options: _hub.Options with { MaxConcurrentActivityFunctions = 1 });
        await first.StartAsync("Leaving", "one");
        await held.Task.WaitAsync(EngineHub.Patience);
        await first.DisposeAsync();

        var done = new ConcurrentBag<int>();
        var second = await _hub.StartEngineAsync(App(end).Activity<int>("Work", n =>
        {
            done.Add(n);
            return null;
        }));

        await EngineHub.UntilAsync(() => done.Distinct().Count() == 3);
        await second.EndOfAsync("one");
    }

    [Fact]
    public async Task What_has_run_is_not_run_by_the_next_engine_and_its_instance_can_be_purged()
    {
        var app = App(OrchestrationStatus.Completed).Activity<int>("Work", _ => null);
        var first = await _hub.StartEngineAsync(app);
        await first.StartAsync("Leaving", "one");
        await first.EndOfAsync("one");
        await _hub.UntilNothingIsOpenAsync();
        await first.DisposeAsync();

        var second = await _hub.StartEngineAsync(app);

        Assert.Equal(3, app.Calls("Work"));
        await second.Instances.PurgeAsync("one", CancellationToken.None);
        Assert.Null(await second.Instances.GetAsync("one", showInput: true, CancellationToken.None));
    }

    [Fact]
    public async Task An_activity_that_still_waits_when_its_instance_is_terminated_runs_after_a_restart_too()
    {
        var held = new TaskCompletionSource();
        var dead = new ScriptedApp().RawOrchestrator("Fan", Fan).Activity<int>("Work", async (_, ct) =>
        {
            held.TrySetResult();
            await Task.Delay(Timeout.Infinite, ct);
            return null;
        });
        var first = await _hub.StartEngineAsync(dead, options: _hub.Options with { MaxConcurrentActivityFunctions = 1, MaxQueuedActivities = 1 });
        await first.StartAsync("Fan", "one");
        await held.Task.WaitAsync(EngineHub.Patience);
        await first.Instances.TerminateAsync("one", "enough", CancellationToken.None);
        Assert.Equal("Terminated", (await first.EndOfAsync("one")).RuntimeStatus);
        await first.DisposeAsync();

        var done = new ConcurrentBag<int>();
        await _hub.StartEngineAsync(new ScriptedApp().RawOrchestrator("Fan", Fan).Activity<int>("Work", n =>
        {
            done.Add(n);
            return null;
        }));

        await EngineHub.UntilAsync(() => done.Distinct().Count() == 5);
    }

    [Fact]
    public async Task A_new_instance_of_the_same_id_does_not_lose_what_the_one_before_left()
    {
        var (held, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        var app = App(OrchestrationStatus.Completed).Activity<int>("Work", async (_, ct) =>
        {
            held.TrySetResult();
            await release.Task.WaitAsync(ct);
            return null;
        }).RawOrchestrator("Plain", _ => RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed)));
        var first = await _hub.StartEngineAsync(app, options: _hub.Options with { MaxConcurrentActivityFunctions = 1 });
        await first.StartAsync("Leaving", "one");
        await held.Task.WaitAsync(EngineHub.Patience);
        await first.EndOfAsync("one");
        await first.StartAsync("Plain", "one");
        await first.EndOfAsync("one");
        await first.DisposeAsync();

        release.SetResult();
        var calls = app.Calls("Work");
        await _hub.StartEngineAsync(app);

        await EngineHub.UntilAsync(() => app.Calls("Work") == calls + 3);
        await _hub.UntilNothingIsOpenAsync();
    }

    /// <summary>Its last turn, at once the first, leaves three activities behind.</summary>
    private static ScriptedApp App(OrchestrationStatus end) => new ScriptedApp().RawOrchestrator("Leaving", request =>
        RawAnswers.Request(request).NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Input == "\"next\""
            ? RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed))
            : RawAnswers.Of([.. Enumerable.Range(0, 3).Select(n => RawAnswers.Task("Work", n, n)), RawAnswers.Complete(3, end, result: "\"next\"")]));

    private static string Fan(string request)
    {
        var told = RawAnswers.Request(request).NewEvents;
        return told.Any(e => e.ExecutionTerminated is not null) ? RawAnswers.Of(RawAnswers.Complete(9, OrchestrationStatus.Terminated, result: "enough"))
            : told.Any(e => e.ExecutionStarted is not null) ? RawAnswers.Of([.. Enumerable.Range(0, 5).Select(n => RawAnswers.Task("Work", n, n))])
            : RawAnswers.Of();
    }
}
