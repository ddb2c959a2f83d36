using Baton.DevHost.Orchestrations;
using Baton.DevHost.Tests.FunctionsHost;
using Baton.DevHost.Tests.Orchestrations;
using Baton.Storage.Tables;
using Baton.Testing;

namespace Baton.DevHost.Tests.RandomOrchestrations;

public sealed class LateCommitTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    // The first engine has added a page of history, and its commit is on its way. The second takes the instance up, finds a page that nobody counts, and
    // deletes it. Then the commit arrives.
    [Fact]
    public async Task A_commit_that_arrives_after_its_page_was_taken_for_left_over_is_refused()
    {
        var account = azurite.NewAccount();
        var table = new TableServiceClient(account).GetTableClient("TestHubInstances");
        await using var hub = new EngineHub(account);
        var isArmed = false;
        var storage = new HeldStorage((call, _) => Volatile.Read(ref isArmed) && call.StartsWith("PUT", StringComparison.Ordinal) && call.Contains("RowKey", StringComparison.Ordinal));
        var open = new TaskCompletionSource();
        var first = await hub.StartEngineAsync(App(() => Volatile.Write(ref isArmed, true), Task.CompletedTask), storage.Policy, hub.Options with { LeaseRenewal = TimeSpan.FromSeconds(10) });
        await first.StartAsync("Root", "root");
        await storage.Held.WaitAsync(EngineHub.Patience);
        var rows = await table.QueryAsync<TableEntity>().CountAsync();

        var second = await hub.StartEngineAsync(App(static () => { }, open.Task));
        await HostUnderTest.UntilAsync("the page was deleted", async () => await table.QueryAsync<TableEntity>().CountAsync() < rows);
        storage.Release();
        await Assert.ThrowsAsync<HubLostException>(() => first.Ended.WaitAsync(EngineHub.Patience));
        open.SetResult();

        Assert.Equal("\"done\"", (await second.EndOfAsync("root")).Output);
        Assert.False(second.Ended.IsCompleted, "The second engine has stopped by itself.");
    }

    private static ScriptedApp App(Action begun, Task open) => new ScriptedApp()
        .Activity<int>("Bulk", async (_, ct) =>
        {
            begun();
            await open.WaitAsync(ct);
            var noise = new byte[60_000];
            new Random(1).NextBytes(noise);
            return Convert.ToBase64String(noise);
        })
        .Orchestrator("Root", async context =>
        {
            await context.CallActivityAsync<string>("Bulk", 0);
            return "done";
        });
}
