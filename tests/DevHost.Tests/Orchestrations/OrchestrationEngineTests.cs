using System.Security.Cryptography;
using System.Text.Json;
using Baton.DevHost.Orchestrations;
using Baton.Durable;
using Baton.Testing;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Orchestrations of the real worker on the engine, state in Azurite.</summary>
public sealed class OrchestrationEngineTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    private readonly EngineHub _hub = new(azurite.NewAccount());
    private readonly ScriptedApp _app = new ScriptedApp().Activity<int>("AddOne", n => n + 1);

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Fact]
    public async Task Activities_run_one_after_the_other()
    {
        _app.Orchestrator("Sequence", async context =>
        {
            var n = context.GetInput<int>();
            for (var i = 0; i < 3; i++)
            {
                n = await context.CallActivityAsync<int>("AddOne", n);
            }

            return n;
        });
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("Sequence", "4");

        Assert.Equal(("Completed", "7", "4"), (status.RuntimeStatus, status.Output, status.Input));
        Assert.Equal(3, _app.Calls("AddOne"));
        await engine.CompletedOnceAsync(status.InstanceId);
    }

    [Fact]
    public async Task A_hundred_activities_fan_out_and_in_within_the_bound_of_concurrency()
    {
        var (running, most) = (0, 0);
        var gate = new Lock();
        _app.Activity<int>("Counted", async (n, ct) =>
        {
            lock (gate)
            {
                most = Math.Max(most, ++running);
            }

            await Task.Delay(1, ct);
            lock (gate)
            {
                running--;
            }

            return n;
        }).Orchestrator("FanOut", async context => (await Task.WhenAll(Enumerable.Range(0, 100).Select(n => context.CallActivityAsync<int>("Counted", n)))).Sum());
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("FanOut");

        Assert.Equal("4950", status.Output);
        Assert.Equal(100, _app.Calls("Counted"));
        Assert.InRange(most, 2, _hub.Options.MaxConcurrentActivityFunctions);
        await engine.CompletedOnceAsync(status.InstanceId);
    }

    [Fact]
    public async Task A_failing_activity_is_retried_by_the_worker_with_timers()
    {
        var calls = 0;
        _app.Activity<int>("Flaky", n => Interlocked.Increment(ref calls) < 3 ? throw new TimeoutException("not yet") : n)
            .Orchestrator("Retrying", async context =>
                await context.CallActivityAsync<int>("Flaky", 5, TaskOptions.FromRetryPolicy(new RetryPolicy(5, TimeSpan.FromMilliseconds(5), 2))));
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("Retrying");

        Assert.Equal("5", status.Output);
        var history = await engine.CompletedOnceAsync(status.InstanceId);
        Assert.Equal(3, history.Count(e => e.EventTypeCase == EventType.TaskScheduled));
        Assert.Equal(2, history.Count(e => e.EventTypeCase == EventType.TimerFired));
    }

    [Fact]
    public async Task A_failed_call_of_an_activity_says_no_more_than_that()
    {
        _app.Activity<string>("Crashes", _ => throw new InvocationFailedException())
            .Orchestrator("Catching", context => CaughtAsync(context, "Crashes"));
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("Catching");

        Assert.Equal("Completed", status.RuntimeStatus);
        var failed = (await engine.CompletedOnceAsync(status.InstanceId)).Single(e => e.EventTypeCase == EventType.TaskFailed).TaskFailed.FailureDetails;
        Assert.Equal("Microsoft.Azure.WebJobs.Host.FunctionInvocationException", failed.ErrorType);
        Assert.Equal("Exception while executing function: Functions.Crashes", failed.ErrorMessage);
        Assert.Equal("System.Net.Http.HttpRequestException", failed.InnerFailure.ErrorType);
        Assert.Equal("Response status code does not indicate success: 500 (Internal Server Error).", failed.InnerFailure.ErrorMessage);
    }

    [Fact]
    public async Task An_unknown_activity_fails_without_details()
    {
        _app.Orchestrator("Catching", context => CaughtAsync(context, "NoSuchActivity"));
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("Catching");

        Assert.Equal("Completed", status.RuntimeStatus);
        Assert.Null((await engine.CompletedOnceAsync(status.InstanceId)).Single(e => e.EventTypeCase == EventType.TaskFailed).TaskFailed.FailureDetails);
    }

    [Fact]
    public async Task An_event_reaches_the_waiter_whichever_comes_first()
    {
        _app.Orchestrator("Waiting", async context =>
        {
            var early = await context.WaitForExternalEvent<string>("early");
            context.SetCustomStatus("waits");
            return early + await context.WaitForExternalEvent<string>("late");
        });
        var engine = await _hub.StartEngineAsync(_app);
        var id = await engine.StartAsync("Waiting");

        await engine.Instances.RaiseEventAsync(id, "LATE", "\"b\"", CancellationToken.None);
        await engine.Instances.RaiseEventAsync(id, "unwanted", null, CancellationToken.None);
        await engine.Instances.RaiseEventAsync(id, "early", "\"a\"", CancellationToken.None);
        Assert.Equal("\"ab\"", (await engine.EndOfAsync(id)).Output);

        var second = await engine.StartAsync("Waiting");
        await engine.Instances.RaiseEventAsync(second, "early", "\"c\"", CancellationToken.None);
        await engine.UntilAsync(second, status => status.CustomStatus == "\"waits\"");
        await engine.Instances.RaiseEventAsync(second, "late", "\"d\"", CancellationToken.None);
        Assert.Equal("\"cd\"", (await engine.EndOfAsync(second)).Output);
    }

    [Fact]
    public async Task Events_arrive_in_the_order_in_which_they_were_raised()
    {
        _app.Orchestrator("Collecting", async context =>
        {
            var all = new List<int>();
            while (all.Count < 30)
            {
                all.Add(await context.WaitForExternalEvent<int>("n"));
            }

            return all;
        });
        var engine = await _hub.StartEngineAsync(_app);
        var id = await engine.StartAsync("Collecting");
        for (var n = 0; n < 30; n++)
        {
            await engine.Instances.RaiseEventAsync(id, "n", JsonSerializer.Serialize(n), CancellationToken.None);
        }

        Assert.Equal(JsonSerializer.Serialize(Enumerable.Range(0, 30)), (await engine.EndOfAsync(id)).Output);
    }

    [Fact]
    public async Task Sub_orchestrations_give_their_result_or_their_failure_to_the_parent()
    {
        _app.Orchestrator("Child", async context => context.GetInput<int>() < 0 ? throw new InvalidOperationException("negative") : await context.CallActivityAsync<int>("AddOne", context.GetInput<int>()))
            .Orchestrator("Parent", async context =>
            {
                var sum = (await Task.WhenAll(Enumerable.Range(0, 20).Select(n => context.CallSubOrchestratorAsync<int>("Child", n)))).Sum();
                try
                {
                    await context.CallSubOrchestratorAsync<int>("Child", -1);
                    return "no failure";
                }
                catch (TaskFailedException e)
                {
                    return $"{sum} {e.FailureDetails.ErrorMessage}";
                }
            });
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("Parent");

        Assert.Contains("210 ", status.Output, StringComparison.Ordinal);
        Assert.Contains("negative", status.Output, StringComparison.Ordinal);
        await engine.CompletedOnceAsync(status.InstanceId);
    }

    [Fact]
    public async Task A_sub_orchestration_with_the_id_of_a_running_instance_fails()
    {
        _app.Orchestrator("Waiting", async context => await context.WaitForExternalEvent<string>("go"))
            .Orchestrator("Parent", async context =>
            {
                try
                {
                    return await context.CallSubOrchestratorAsync<string>("Waiting", null, new SubOrchestrationOptions(instanceId: "taken"));
                }
                catch (TaskFailedException e)
                {
                    return e.FailureDetails.ErrorMessage;
                }
            });
        var engine = await _hub.StartEngineAsync(_app);
        await engine.StartAsync("Waiting", "taken");

        Assert.Contains("is running already", (await engine.RunAsync("Parent")).Output, StringComparison.Ordinal);
        Assert.False((await engine.Instances.GetAsync("taken", showInput: false, CancellationToken.None))!.IsFinished);
    }

    [Fact]
    public async Task Continue_as_new_begins_a_fresh_history_and_carries_events_over()
    {
        _app.Orchestrator("Counting", async context =>
        {
            var n = context.GetInput<int>();
            if (n < 5)
            {
                await context.CallActivityAsync<int>("AddOne", n);
                context.ContinueAsNew(n + 1);
                return null;
            }

            return $"{n} {await context.WaitForExternalEvent<string>("end")}";
        });
        var engine = await _hub.StartEngineAsync(_app);
        var id = await engine.StartAsync("Counting", input: "0");
        await engine.Instances.RaiseEventAsync(id, "end", "\"done\"", CancellationToken.None);

        var status = await engine.EndOfAsync(id);

        Assert.Equal(("\"5 done\"", "5"), (status.Output, status.Input));
        Assert.Equal(5, _app.Calls("AddOne"));
        Assert.Single(await engine.CompletedOnceAsync(id), e => e.EventTypeCase == EventType.ExecutionStarted);
    }

    [Fact]
    public async Task Orchestrations_send_events_to_each_other()
    {
        _app.Orchestrator("Pong", async context =>
            {
                var from = await context.WaitForExternalEvent<string>("ping");
                context.SendEvent(from, "pong", "back");
                return null;
            })
            .Orchestrator("Ping", async context =>
            {
                context.SendEvent(context.GetInput<string>()!, "ping", context.InstanceId);
                return await context.WaitForExternalEvent<string>("pong");
            });
        var engine = await _hub.StartEngineAsync(_app);
        var pong = await engine.StartAsync("Pong");

        Assert.Equal("\"back\"", (await engine.RunAsync("Ping", JsonSerializer.Serialize(pong))).Output);
        Assert.Equal("Completed", (await engine.EndOfAsync(pong)).RuntimeStatus);
    }

    [Fact]
    public async Task Large_values_and_long_histories_survive_without_anything_in_memory()
    {
        var text = string.Concat(Enumerable.Repeat("0123456789 replicate ", 50_000));
        _app.Activity<string>("Echo", n => n)
            .Orchestrator("Large", async context =>
            {
                var echoed = await context.CallActivityAsync<string>("Echo", context.GetInput<string>());
                await Task.WhenAll(Enumerable.Range(0, 300).Select(n => context.CallActivityAsync<int>("AddOne", n)));
                return echoed;
            });
        var engine = await _hub.StartEngineAsync(_app, options: _hub.Options with { MaxCachedHistoryBytes = 0 });

        var status = await engine.RunAsync("Large", JsonSerializer.Serialize(text));

        Assert.Equal(text, JsonSerializer.Deserialize<string>(status.Output!));
        Assert.Equal(status.Input, status.Output);
        await engine.CompletedOnceAsync(status.InstanceId);
    }

    [Fact]
    public async Task A_value_that_no_row_can_hold_is_refused_where_it_arises()
    {
        var noise = Convert.ToBase64String(RandomNumberGenerator.GetBytes(2 * 1024 * 1024));
        _app.Activity<string>("Noise", _ => noise)
            .Orchestrator("Waiting", async context => await context.WaitForExternalEvent<string>("go"))
            .Orchestrator("Noisy", _ => Task.FromResult<object?>(noise))
            .Orchestrator("Catching", context => CaughtAsync(context, "Noise"));
        var engine = await _hub.StartEngineAsync(_app);

        Assert.Contains("Keep large data in storage of your own", (await engine.RunAsync("Catching")).Output, StringComparison.Ordinal);
        Assert.Equal("Failed", (await engine.RunAsync("Noisy")).RuntimeStatus);
        Assert.Equal(413, (await Assert.ThrowsAsync<InstanceRequestException>(() => engine.StartAsync("Waiting", input: $"\"{noise}\""))).Status);
        var id = await engine.StartAsync("Waiting");
        Assert.Equal(413, (await Assert.ThrowsAsync<InstanceRequestException>(() => engine.Instances.RaiseEventAsync(id, "go", $"\"{noise}\"", CancellationToken.None))).Status);
    }

    private static async Task<object?> CaughtAsync(TaskOrchestrationContext context, string activity)
    {
        try
        {
            return await context.CallActivityAsync<string>(activity);
        }
        catch (TaskFailedException e)
        {
            return e.FailureDetails.ErrorMessage ?? "no details";
        }
    }
}
