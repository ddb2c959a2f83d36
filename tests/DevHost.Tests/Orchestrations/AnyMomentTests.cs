using System.Collections.Concurrent;
using Baton.DevHost.Orchestrations;
using Baton.Durable;
using Baton.Testing;
using Microsoft.DurableTask.Protobuf;
using Xunit.Abstractions;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>A scenario with a bit of everything, and an engine that dies at each of its calls to storage in turn, before or after the call took effect.</summary>
public sealed class AnyMomentTests(AzuriteFixture azurite, ITestOutputHelper output) : IClassFixture<AzuriteFixture>
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whenever_the_engine_dies_the_next_one_ends_the_work_alike(bool losesAnswer)
    {
        var account = azurite.NewAccount();
        var steps = new List<string>();
        for (var calls = 0; ; calls++)
        {
            var left = new ConcurrentBag<int>();
            await using var hub = new EngineHub(account) { Options = new OrchestrationEngineOptions { HubName = $"Any{calls}", MaxConcurrentActivityFunctions = 2, MaxQueuedActivities = 2 } };
            var storage = new DyingStorage(calls, losesAnswer).Begin();
            var work = DriveAsync(hub.Engine(App(left), storage));
            await Task.WhenAny(work, storage.Died).WaitAsync(EngineHub.Patience);
            var hasDied = storage.Died.IsCompleted || !work.IsCompletedSuccessfully;

            var engine = await hub.StartEngineAsync(App(left));
            await DriveAgainAsync(engine);

            steps.Add($"{calls}: {(hasDied ? await storage.Died.WaitAsync(EngineHub.Patience) : "none")}");
            await CheckAsync(engine, steps[^1]);
            await hub.UntilNothingIsOpenAsync();
            Assert.Equal([1, 2], left.Distinct().Order());
            if (!hasDied)
            {
                break;
            }
        }

        output.WriteLine(string.Join(Environment.NewLine, steps));
        Assert.True(steps.Count > 40, $"Only {steps.Count} steps were tried.");
    }

    private static async Task CheckAsync(OrchestrationEngine engine, string step)
    {
        var root = await engine.EndOfAsync("root");
        Assert.True(root.Output == "\"6, child heard a,b, grandchild failed, go\"", $"After {step}: {root.RuntimeStatus} {root.Output}");
        Assert.Equal("\"last\"", root.CustomStatus);
        var history = await engine.CompletedOnceAsync("root");
        Assert.Single(history, e => e.EventTypeCase == EventType.ExecutionStarted);
        Assert.Equal("Terminated", (await engine.EndOfAsync("sibling")).RuntimeStatus);
        Assert.Equal("Completed", (await engine.EndOfAsync("child")).RuntimeStatus);
        Assert.Equal(2, (await engine.CompletedOnceAsync("child")).Count(e => e.EventTypeCase == EventType.EventRaised));
        Assert.Equal("Failed", (await engine.EndOfAsync("grandchild")).RuntimeStatus);
        Assert.Equal("Completed", (await engine.EndOfAsync("leaver")).RuntimeStatus);
        Assert.False(engine.Ended.IsCompleted);
    }

    private static async Task DriveAsync(OrchestrationEngine engine)
    {
        await engine.StartAsync(CancellationToken.None);
        await engine.StartAsync("Waiting", "sibling");
        await engine.StartAsync("Root", "root", "0");
        await engine.Instances.RaiseEventAsync("root", "go", "\"go\"", CancellationToken.None);
        await engine.Instances.SuspendAsync("root", "hold", CancellationToken.None);
        await engine.Instances.ResumeAsync("root", null, CancellationToken.None);
        await engine.Instances.TerminateAsync("sibling", "enough", CancellationToken.None);
        await engine.EndOfAsync("root");
        await engine.EndOfAsync("sibling");
    }

    /// <summary>A client does again what it got no answer to.</summary>
    private static async Task DriveAgainAsync(OrchestrationEngine engine)
    {
        foreach (var (name, id, input) in new[] { ("Waiting", "sibling", (string?)null), ("Root", "root", "0") })
        {
            if (await engine.Instances.GetAsync(id, showInput: false, CancellationToken.None) is null)
            {
                await engine.StartAsync(name, id, input);
            }
        }

        await UnlessEndedAsync(() => engine.Instances.RaiseEventAsync("root", "go", "\"go\"", CancellationToken.None));
        await UnlessEndedAsync(() => engine.Instances.ResumeAsync("root", null, CancellationToken.None));
        await UnlessEndedAsync(() => engine.Instances.TerminateAsync("sibling", "enough", CancellationToken.None));
    }

    private static async Task UnlessEndedAsync(Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (InstanceRequestException e) when (e.Status == 410)
        {
            // What was lost came after its end.
        }
    }

    private static ScriptedApp App(ConcurrentBag<int> left) => new ScriptedApp()
        .Activity<int>("Same", n => n)
        .Activity<int>("Left", n =>
        {
            left.Add(n);
            return null;
        })
        .Orchestrator("Waiting", async context => await context.WaitForExternalEvent<string>("never"))
        .Orchestrator("Root", async context =>
        {
            if (context.GetInput<int>() == 0)
            {
                await context.CallActivityAsync<int>("Same", 1);
                context.ContinueAsNew(1, preserveUnprocessedEvents: true);
                return null;
            }

            context.SetCustomStatus("first");
            var sum = (await Task.WhenAll(Enumerable.Range(1, 3).Select(n => context.CallActivityAsync<int>("Same", n)))).Sum();
            await context.CreateTimer(TimeSpan.FromMilliseconds(3), CancellationToken.None);
            var child = context.CallSubOrchestratorAsync<string>("Child", null, new SubOrchestrationOptions(instanceId: "child"));
            context.SendEvent("child", "heard", "a");
            context.SendEvent("child", "heard", "b");
            await context.CallSubOrchestratorAsync<string>("Leaver", null, new SubOrchestrationOptions(instanceId: "leaver"));
            context.SetCustomStatus("last");
            return $"{sum}, {await child}, {await context.WaitForExternalEvent<string>("go")}";
        })
        .Orchestrator("Child", async context =>
        {
            var heard = $"{await context.WaitForExternalEvent<string>("heard")},{await context.WaitForExternalEvent<string>("heard")}";
            try
            {
                return await context.CallSubOrchestratorAsync<string>("Grandchild", null, new SubOrchestrationOptions(instanceId: "grandchild"));
            }
            catch (TaskFailedException)
            {
                return $"child heard {heard}, grandchild failed";
            }
        })
        .Orchestrator("Grandchild", _ => throw new InvalidOperationException("no luck"))
        .RawOrchestrator("Leaver", _ => RawAnswers.Of(RawAnswers.Task("Left", 0, 1), RawAnswers.Task("Left", 1, 2), RawAnswers.Complete(2, OrchestrationStatus.Completed)));
}
