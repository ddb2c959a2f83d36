using Baton.DevHost.Orchestrations;
using Baton.Testing;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>What clients do to instances: start, hold, end.</summary>
public sealed class InstanceLifeTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    private readonly EngineHub _hub = new(azurite.NewAccount());
    private readonly ScriptedApp _app = new ScriptedApp().Activity<int>("AddOne", n => n + 1);

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Fact]
    public async Task Terminate_ends_an_instance_even_while_it_is_suspended()
    {
        _app.Orchestrator("Waiting", async context => await context.WaitForExternalEvent<string>("go"));
        var engine = await _hub.StartEngineAsync(_app);
        var id = await engine.StartAsync("Waiting");
        await engine.Instances.SuspendAsync(id, "hold", CancellationToken.None);
        await engine.UntilAsync(id, status => status.RuntimeStatus == "Suspended");

        await engine.Instances.TerminateAsync(id, "not wanted any more", CancellationToken.None);

        var status = await engine.EndOfAsync(id);
        Assert.Equal(("Terminated", "not wanted any more"), (status.RuntimeStatus, status.Output));
        var refused = await Assert.ThrowsAsync<InstanceRequestException>(() => engine.Instances.RaiseEventAsync(id, "go", null, CancellationToken.None));
        Assert.Equal(410, refused.Status);
    }

    [Fact]
    public async Task A_suspended_instance_keeps_its_events_until_it_is_resumed()
    {
        _app.Orchestrator("Waiting", async context => await context.CallActivityAsync<int>("AddOne", await context.WaitForExternalEvent<int>("go")));
        var engine = await _hub.StartEngineAsync(_app);
        var id = await engine.StartAsync("Waiting");
        await engine.UntilAsync(id, status => status.RuntimeStatus == "Running");
        await engine.Instances.SuspendAsync(id, null, CancellationToken.None);
        await engine.Instances.RaiseEventAsync(id, "go", "41", CancellationToken.None);
        await engine.UntilAsync(id, status => status.RuntimeStatus == "Suspended");
        Assert.Equal(0, _app.Calls("AddOne"));

        await engine.Instances.ResumeAsync(id, null, CancellationToken.None);

        Assert.Equal("42", (await engine.EndOfAsync(id)).Output);
    }

    [Fact]
    public async Task A_start_is_refused_while_the_id_runs_and_replaces_it_when_it_has_ended()
    {
        _app.Orchestrator("Waiting", async context => $"{context.GetInput<int>()} {await context.WaitForExternalEvent<string>("go")}");
        var engine = await _hub.StartEngineAsync(_app);
        await engine.StartAsync("Waiting", "one", "1");

        var refused = await Assert.ThrowsAsync<InstanceRequestException>(() => engine.StartAsync("Waiting", "one", "2"));
        Assert.Equal(409, refused.Status);
        await engine.Instances.RaiseEventAsync("one", "go", "\"a\"", CancellationToken.None);
        Assert.Equal("\"1 a\"", (await engine.EndOfAsync("one")).Output);

        await engine.StartAsync("Waiting", "one", "3");
        Assert.Null((await engine.Instances.GetAsync("one", showInput: false, CancellationToken.None))!.Output);
        await engine.Instances.RaiseEventAsync("one", "go", "\"b\"", CancellationToken.None);
        Assert.Equal("\"3 b\"", (await engine.EndOfAsync("one")).Output);
        await engine.CompletedOnceAsync("one");
    }

    [Fact]
    public async Task No_more_instances_are_started_than_memory_is_set_aside_for()
    {
        _app.Orchestrator("Waiting", async context => await context.WaitForExternalEvent<string>("go"));
        var engine = await _hub.StartEngineAsync(_app, options: _hub.Options with { MaxLiveInstances = 2 });
        await engine.StartAsync("Waiting");
        var id = await engine.StartAsync("Waiting");

        Assert.Equal(429, (await Assert.ThrowsAsync<InstanceRequestException>(() => engine.StartAsync("Waiting"))).Status);

        await engine.Instances.RaiseEventAsync(id, "go", "\"\"", CancellationToken.None);
        await engine.EndOfAsync(id);
        await engine.StartAsync("Waiting");
    }
}
