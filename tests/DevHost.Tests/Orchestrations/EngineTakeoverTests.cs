using Azure;
using Baton.DevHost.Orchestrations;
using Baton.Durable;
using Baton.Testing;
using Xunit.Abstractions;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>An engine that is gone at any step loses nothing: the next one ends the work with the same result.</summary>
public sealed class EngineTakeoverTests(AzuriteFixture azurite, ITestOutputHelper output) : IClassFixture<AzuriteFixture>
{
    private const string Work = "{\"generation\":0}";
    private const string ExpectedOutput = "\"17 from child, go\"";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_engine_that_dies_at_any_call_to_storage_is_succeeded(bool losesAnswer)
    {
        var account = azurite.NewAccount();
        var steps = new List<string>();
        for (var calls = 0; ; calls++)
        {
            await using var hub = new EngineHub(account) { Options = new OrchestrationEngineOptions { HubName = $"Hub{calls}", MaxConcurrentActivityFunctions = 2, MaxConcurrentOrchestratorFunctions = 2 } };
            var storage = new DyingStorage(calls, losesAnswer).Begin();
            var finished = await RunUntilDeadAsync(hub, storage);
            if (finished)
            {
                break;
            }

            steps.Add($"{calls}: {await storage.Died}");
            var engine = await hub.StartEngineAsync(App());
            if (await engine.Instances.GetAsync("root", showInput: false, CancellationToken.None) is null)
            {
                await engine.StartAsync("Root", "root", Work);
            }

            try
            {
                await RaiseAsync(engine);
            }
            catch (InstanceRequestException e) when (e.Status == 410)
            {
                // The last step that was lost came after its end.
            }

            var status = await engine.EndOfAsync("root");
            Assert.True(status.Output == ExpectedOutput, $"After {steps[^1]}: {status.RuntimeStatus} {status.Output}");
            var history = await engine.CompletedOnceAsync("root");
            Assert.Single(history, e => e.EventTypeCase == EventType.EventRaised && e.EventRaised.Name == "said");
            Assert.Equal("Completed", (await engine.EndOfAsync("child")).RuntimeStatus);
        }

        output.WriteLine(string.Join(Environment.NewLine, steps));
        Assert.True(steps.Count > 20, $"Only {steps.Count} steps were tried.");
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 1)]
    [InlineData(true, 4)]
    public async Task An_engine_lives_through_the_loss_of_any_call_to_storage(bool losesAnswer, int failures)
    {
        var account = azurite.NewAccount();

        // Several failures in a row reach into one another: beginning at every third call, each call is still among them. BATON_TESTS=all begins at every one.
        var step = failures > 3 ? Sampled.Count(3, all: 1) : 1;
        for (var calls = 0; ; calls += step)
        {
            await using var hub = new EngineHub(account) { Options = new OrchestrationEngineOptions { HubName = $"Hub{calls}", MaxConcurrentActivityFunctions = 2 } };
            var storage = new DyingStorage(calls, losesAnswer, failures);
            var engine = await hub.StartEngineAsync(App(), storage);
            storage.Begin();
            await InsistAsync(() => engine.StartAsync("Root", "root", Work), 409);
            await InsistAsync(() => RaiseAsync(engine), 410);
            InstanceStatus? status = null;
            await InsistAsync(async () => status = await engine.EndOfAsync("root"), 0);

            storage.Heal();
            var lost = storage.Died.IsCompleted ? await storage.Died : null;
            Assert.True(status!.Output == ExpectedOutput, $"After {calls} ({lost}): {status.RuntimeStatus} {status.Output}");
            var history = await engine.CompletedOnceAsync("root");
            Assert.Single(history, e => e.EventTypeCase == EventType.EventRaised && e.EventRaised.Name == "said");
            Assert.False(engine.Ended.IsCompleted);
            if (lost is null)
            {
                Assert.True(calls > 20, $"Only {calls} calls were lost.");
                return;
            }
        }
    }

    [Fact]
    public async Task An_engine_whose_hub_is_taken_stops_and_its_work_goes_on()
    {
        await using var hub = new EngineHub(azurite.NewAccount()) { Options = new OrchestrationEngineOptions { HubName = "Taken", LeaseRenewal = TimeSpan.FromMilliseconds(50) } };
        var first = await hub.StartEngineAsync(App());
        await first.StartAsync("Root", "root", Work);
        await first.UntilAsync("root", status => status.CustomStatus == "\"waits\"");

        var second = await hub.StartEngineAsync(App());

        await Assert.ThrowsAnyAsync<Exception>(() => first.Ended.WaitAsync(EngineHub.Patience));
        Assert.Equal(503, (await Assert.ThrowsAsync<InstanceRequestException>(() => RaiseAsync(first))).Status);
        await RaiseAsync(second);
        Assert.Equal(ExpectedOutput, (await second.EndOfAsync("root")).Output);
        await second.CompletedOnceAsync("root");
    }

    [Fact]
    public async Task An_engine_that_does_not_know_that_it_lost_the_hub_cannot_spoil_it()
    {
        await using var hub = new EngineHub(azurite.NewAccount());
        var release = new TaskCompletionSource();
        var slow = App().Activity<int>("Add", async (n, _) =>
        {
            await release.Task;
            return n + 100;
        });
        var first = await hub.StartEngineAsync(slow, options: hub.Options with { LeaseRenewal = TimeSpan.FromSeconds(10) });
        await first.StartAsync("Root", "root", Work);
        await first.UntilAsync("root", status => status.RuntimeStatus == "Running");

        var second = await hub.StartEngineAsync(App());
        await second.UntilAsync("root", status => status.CustomStatus == "\"waits\"");
        release.SetResult();

        await Assert.ThrowsAnyAsync<Exception>(() => first.Ended.WaitAsync(EngineHub.Patience));
        await RaiseAsync(second);
        Assert.Equal(ExpectedOutput, (await second.EndOfAsync("root")).Output);
        await second.CompletedOnceAsync("root");
    }

    [Fact]
    public async Task A_stopped_engine_hands_its_hub_on_in_an_orderly_way()
    {
        await using var hub = new EngineHub(azurite.NewAccount());
        var started = new TaskCompletionSource();
        var hanging = App().Activity<int>("Add", async (_, ct) =>
        {
            started.TrySetResult();
            await Task.Delay(Timeout.Infinite, ct);
            return null;
        });
        var first = await hub.StartEngineAsync(hanging);
        await first.StartAsync("Root", "root", Work);
        await started.Task.WaitAsync(EngineHub.Patience);
        await first.StopAsync(CancellationToken.None);
        await first.Ended;

        var second = await hub.StartEngineAsync(App());

        await RaiseAsync(second);
        Assert.Equal(ExpectedOutput, (await second.EndOfAsync("root")).Output);
    }

    private static Task RaiseAsync(OrchestrationEngine engine) => engine.Instances.RaiseEventAsync("root", "go", "\"go\"", CancellationToken.None);

    /// <summary>Works until storage fails: then this engine is left as it is, and nothing of it is stopped in an orderly way.</summary>
    private static async Task<bool> RunUntilDeadAsync(EngineHub hub, DyingStorage storage)
    {
        var engine = hub.Engine(App(), storage);
        var work = WorkAsync(engine);
        await Task.WhenAny(work, storage.Died).WaitAsync(EngineHub.Patience);
        if (!work.IsFaulted && !storage.Died.IsCompleted)
        {
            return true;
        }

        // The client may hear of it first: a call beside the fatal one fails at once, the fatal one when its effect is done.
        await storage.Died.WaitAsync(EngineHub.Patience);
        return false;
    }

    private static async Task WorkAsync(OrchestrationEngine engine)
    {
        await engine.StartAsync(CancellationToken.None);
        await engine.StartAsync("Root", "root", Work);
        await RaiseAsync(engine);
        await engine.EndOfAsync("root");
    }

    /// <summary>Does as a client would whose call got no answer: again, and <paramref name="done"/> says that it had been done.</summary>
    private static async Task InsistAsync(Func<Task> act, int done)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await act();
                return;
            }
            catch (InstanceRequestException e) when (e.Status == done)
            {
                return;
            }
            catch (RequestFailedException) when (attempt < 10)
            {
                // The test cut it.
            }
        }
    }

    /// <summary>
    /// A bit of everything: a sequence, a fan-out, a timer, a child that sends an event back, an event from outside, a second
    /// generation that does it, and an input, an event and results too large for the instance row.
    /// </summary>
    private static ScriptedApp App() => new ScriptedApp()
        .Activity<int>("Add", n => n + 1)
        .Activity<int>("Bulk", n => Noise(n))
        .Orchestrator("Root", async context =>
        {
            if (context.GetInput<RootInput>()!.Generation == 0)
            {
                context.ContinueAsNew(new RootInput(await context.CallActivityAsync<int>("Add", 0), Noise(1)));
                return null;
            }

            await context.CallActivityAsync<string>("Bulk", 2);
            var sum = (await Task.WhenAll(Enumerable.Range(1, 4).Select(n => context.CallActivityAsync<int>("Add", n)))).Sum();
            await context.CreateTimer(TimeSpan.FromMilliseconds(5), CancellationToken.None);
            sum += await context.CallSubOrchestratorAsync<int>("Child", context.InstanceId, new SubOrchestrationOptions(instanceId: "child"));
            var said = await context.WaitForExternalEvent<string>("said");
            context.SetCustomStatus("waits");
            return $"{sum} {said[..10]}, {await context.WaitForExternalEvent<string>("go")}";
        })
        .Orchestrator("Child", async context =>
        {
            context.SendEvent(context.GetInput<string>()!, "said", "from child" + Noise(3));
            return await context.CallActivityAsync<int>("Add", 2);
        });

    // Does not compress below what the instance row takes.
    private static string Noise(int seed)
    {
        var bytes = new byte[36 * 1024];
        for (var (i, state) = (0, (uint)seed); i < bytes.Length; i++)
        {
            state = (state * 1664525) + 1013904223;
            bytes[i] = (byte)(state >> 24);
        }

        return Convert.ToBase64String(bytes);
    }

    private sealed record RootInput(int Generation, string? Noise = null);
}
