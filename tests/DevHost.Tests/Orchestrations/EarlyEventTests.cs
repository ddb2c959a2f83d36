using System.Text.Json;
using Baton.Testing;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Events and versions that reach an instance with its start.</summary>
public sealed class EarlyEventTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    private readonly EngineHub _hub = new(azurite.NewAccount());
    private readonly ScriptedApp _app = new ScriptedApp().Orchestrator("Collecting", async context =>
    {
        var all = new List<string>();
        while (all.Count < 3)
        {
            all.Add(await context.WaitForExternalEvent<string>("n"));
        }

        return all;
    });

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Fact]
    public async Task Events_for_a_pending_instance_are_in_its_first_turn_in_order()
    {
        var (busy, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        _app.RawOrchestrator("Busy", _ =>
        {
            busy.SetResult();
            release.Task.Wait();
            return RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed));
        });
        var engine = await _hub.StartEngineAsync(_app, options: _hub.Options with { MaxConcurrentOrchestratorFunctions = 1 });
        await engine.StartAsync("Busy");
        await busy.Task.WaitAsync(EngineHub.Patience);
        await engine.StartAsync("Collecting", "one");
        foreach (var n in new[] { "a", "b", "c" })
        {
            await engine.Instances.RaiseEventAsync("one", "n", JsonSerializer.Serialize(n), CancellationToken.None);
        }

        Assert.Equal("Pending", (await engine.Instances.GetAsync("one", showInput: false, CancellationToken.None))!.RuntimeStatus);
        release.SetResult();

        Assert.Equal("""["a","b","c"]""", (await engine.EndOfAsync("one")).Output);
        Assert.Equal(1, _app.Calls("Collecting"));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task A_turn_that_starts_a_child_can_send_it_events_whichever_it_asks_for_first(bool isLastTurn, bool childFirst)
    {
        var turns = 0;
        _app.RawOrchestrator("Parent", _ =>
        {
            if (++turns > 1)
            {
                return RawAnswers.Of(RawAnswers.Complete(9, OrchestrationStatus.Completed));
            }

            var child = RawAnswers.Child("Collecting", childFirst ? 0 : 5, "child");
            var sends = new[] { RawAnswers.Send("child", 1, "n", "\"a\""), RawAnswers.Send("child", 2, "n", "\"b\""), RawAnswers.Send("child", 3, "n", "\"c\"") };
            OrchestratorAction[] end = isLastTurn ? [RawAnswers.Complete(6, OrchestrationStatus.Completed)] : [];
            return RawAnswers.Of(childFirst ? [child, .. sends, .. end] : [.. sends, child, .. end]);
        });
        var engine = await _hub.StartEngineAsync(_app);

        await engine.RunAsync("Parent");

        Assert.Equal("""["a","b","c"]""", (await engine.EndOfAsync("child")).Output);
    }

    [Fact]
    public async Task An_event_for_an_instance_that_does_not_exist_is_dropped()
    {
        _app.RawOrchestrator("Sending", _ => RawAnswers.Of(RawAnswers.Send("nobody", 0, "n", "1"), RawAnswers.Complete(1, OrchestrationStatus.Completed)));
        var engine = await _hub.StartEngineAsync(_app);

        Assert.Equal("Completed", (await engine.RunAsync("Sending")).RuntimeStatus);
        await _hub.UntilNothingIsOpenAsync();
        Assert.Null(await engine.Instances.GetAsync("nobody", showInput: false, CancellationToken.None));
    }

    [Theory]
    [InlineData("2.0", "2.0")]
    [InlineData(null, "1.0")]
    public async Task An_instance_is_told_its_version_and_the_default(string? version, string expected)
    {
        var requests = new List<OrchestratorRequest>();
        _app.RawOrchestrator("Versioned", request =>
        {
            requests.Add(RawAnswers.Request(request));
            var next = RawAnswers.Complete(0, requests.Count == 1 ? OrchestrationStatus.ContinuedAsNew : OrchestrationStatus.Completed);
            next.CompleteOrchestration.NewVersion = requests.Count == 1 ? "3.0" : null;
            return RawAnswers.Of(next);
        });
        var engine = await _hub.StartEngineAsync(_app, options: _hub.Options with { DefaultVersion = "1.0" });

        await engine.EndOfAsync(await engine.Instances.StartAsync("Versioned", null, null, version, CancellationToken.None));

        Assert.Equal([expected, "3.0"], requests.Select(r => r.NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Version));
        Assert.All(requests, request => Assert.Equal("1.0", request.Properties["defaultVersion"].StringValue));
    }

    [Fact]
    public async Task A_child_has_the_version_that_its_parent_gave_it()
    {
        string? told = null;
        _app.RawOrchestrator("Child", request =>
            {
                told = RawAnswers.Request(request).NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Version;
                return RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed));
            })
            .RawOrchestrator("Parent", request =>
            {
                var child = RawAnswers.Child("Child", 0, "child");
                child.CreateSubOrchestration.Version = "7";
                return RawAnswers.Request(request).PastEvents.Count == 0 ? RawAnswers.Of(child) : RawAnswers.Of(RawAnswers.Complete(1, OrchestrationStatus.Completed));
            });
        var engine = await _hub.StartEngineAsync(_app);

        await engine.RunAsync("Parent");

        Assert.Equal("7", told);
    }

    [Fact]
    public async Task Timers_that_fell_due_while_no_engine_ran_fire_at_once()
    {
        var first = await _hub.StartEngineAsync(Timers(TimeSpan.FromMilliseconds(1)));
        await first.StartAsync("Timers", "one");
        await first.UntilAsync("one", status => status.CustomStatus is not null);
        await first.DisposeAsync();

        var second = await _hub.StartEngineAsync(Timers(TimeSpan.FromMilliseconds(1)));

        Assert.Equal("Completed", (await second.EndOfAsync("one")).RuntimeStatus);
        await second.CompletedOnceAsync("one");
    }

    /// <summary>A thousand timers, due soon.</summary>
    private static ScriptedApp Timers(TimeSpan due) => new ScriptedApp().Orchestrator("Timers", async context =>
    {
        context.SetCustomStatus("waits");
        await Task.WhenAll(Enumerable.Range(0, 1_000).Select(n => context.CreateTimer(due + TimeSpan.FromMilliseconds(n % 7), CancellationToken.None)));
        return null;
    });
}
