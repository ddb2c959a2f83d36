using Azure;
using Baton.DevHost.Tests.Orchestrations;
using Baton.Testing;

namespace Baton.DevHost.Tests.RandomOrchestrations;

public sealed class LostStartTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task An_instance_whose_start_got_no_answer_from_storage_runs_when_somebody_asks_for_it()
    {
        await using var hub = new EngineHub(azurite.NewAccount());
        var storage = new DyingStorage(calls: 0, losesAnswer: true, failures: 1);
        var app = new ScriptedApp().Orchestrator("Greet", _ => Task.FromResult<object?>("hello"));
        var engine = await hub.StartEngineAsync(app, storage);

        storage.Begin();
        await Assert.ThrowsAsync<RequestFailedException>(() => engine.StartAsync("Greet", "one"));

        Assert.Equal("\"hello\"", (await engine.UntilAsync("one", status => status.IsFinished)).Output);
    }
}
