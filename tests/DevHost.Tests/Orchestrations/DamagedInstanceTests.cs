using Azure;
using Baton.DevHost.Orchestrations;
using Baton.Durable;
using Baton.Storage.Tables;
using Baton.Testing;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Rows that cannot be read end their instance, and nothing else.</summary>
public sealed class DamagedInstanceTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    private readonly EngineHub _hub = new(azurite.NewAccount());
    private readonly ScriptedApp _app = new ScriptedApp()
        .Activity<string>("Echo", text => text)
        .Orchestrator("Waiting", async context =>
        {
            await context.CallActivityAsync<string>("Echo", context.GetInput<string>());
            context.SetCustomStatus("waits");
            return await context.WaitForExternalEvent<string>("go");
        })
        .Orchestrator("Parent", async context =>
        {
            try
            {
                return await context.CallSubOrchestratorAsync<string>("Waiting", context.GetInput<string>(), new SubOrchestrationOptions(instanceId: "hurt"));
            }
            catch (TaskFailedException e)
            {
                return e.FailureDetails.ErrorMessage;
            }
        });

    public static TheoryData<string, string> Damages => new()
    {
        { "a page that is no history", "page" },
        { "a page in an unknown encoding", "encoding" },
        { "a missing page", "missing" },
        { "an end of history that is cut", "tail" },
        { "a message that is no event", "message" },
        { "an instance row without a status", "row" },
    };

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task A_damaged_instance_fails_at_start_up_and_the_others_go_on(string what, string damage)
    {
        Assert.NotEmpty(what);
        var first = await _hub.StartEngineAsync(_app);
        await StartAsync(first);
        await first.DisposeAsync();
        await DamageAsync(damage);

        var second = await _hub.StartEngineAsync(_app);

        var hurt = await second.EndOfAsync("hurt");
        Assert.Equal("Failed", hurt.RuntimeStatus);
        Assert.Contains("damaged", hurt.Output, StringComparison.Ordinal);
        await second.Instances.RaiseEventAsync("sound", "go", "\"on\"", CancellationToken.None);
        Assert.Equal("\"on\"", (await second.EndOfAsync("sound")).Output);
        Assert.False(second.Ended.IsCompleted);
        await second.Instances.PurgeAsync("hurt", CancellationToken.None);
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task An_instance_damaged_under_a_running_engine_fails_when_it_is_next_read(string what, string damage)
    {
        Assert.NotEmpty(what);
        var engine = await _hub.StartEngineAsync(_app, options: _hub.Options with { MaxCachedHistoryBytes = 0 });
        await StartAsync(engine);
        await DamageAsync(damage);

        try
        {
            await engine.Instances.RaiseEventAsync("hurt", "go", "\"on\"", CancellationToken.None);
        }
        catch (InstanceRequestException e) when (e.Status == 410)
        {
            // Giving it the event was reason enough to look.
        }

        await engine.Instances.RaiseEventAsync("sound", "go", "\"on\"", CancellationToken.None);

        var hurt = await engine.EndOfAsync("hurt");
        Assert.Equal("Failed", hurt.RuntimeStatus);
        Assert.Contains("damaged", hurt.Output, StringComparison.Ordinal);
        Assert.Equal("\"on\"", (await engine.EndOfAsync("sound")).Output);
        Assert.False(engine.Ended.IsCompleted);
    }

    [Fact]
    public async Task The_parent_of_a_damaged_instance_sees_a_failed_task()
    {
        var first = await _hub.StartEngineAsync(_app);
        await first.StartAsync("Parent", "parent", $"\"{Text}\"");
        await first.UntilAsync("hurt", status => status.CustomStatus == "\"waits\"");
        await first.DisposeAsync();
        await DamageAsync("page");

        var second = await _hub.StartEngineAsync(_app);

        Assert.Contains("damaged", (await second.EndOfAsync("parent")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_value_shows_where_it_is_asked_for()
    {
        var engine = await _hub.StartEngineAsync(_app);
        await StartAsync(engine);
        await foreach (var row in _hub.Table.QueryAsync<TableEntity>("PartitionKey eq 'hurt'"))
        {
            if (row.RowKey.StartsWith("v-", StringComparison.Ordinal))
            {
                await _hub.Table.DeleteEntityAsync("hurt", row.RowKey);
            }
        }

        var (all, _) = await engine.Instances.ListAsync(new(), 10, showInput: true, continuation: null, CancellationToken.None);

        Assert.Equal(["hurt", "sound"], all.Select(i => i.InstanceId));
        Assert.Contains("is missing", all[0].Output, StringComparison.Ordinal);
    }

    // Large enough for pages of its own and for a row of the input's own.
    private static readonly string Text = Noise();

    private static string Noise()
    {
        var bytes = new byte[40_000];
        for (var (i, state) = (0, 1u); i < bytes.Length; i++)
        {
            state = (state * 1664525) + 1013904223;
            bytes[i] = (byte)(state >> 24);
        }

        return Convert.ToHexStringLower(bytes);
    }

    private static async Task StartAsync(OrchestrationEngine engine)
    {
        await engine.StartAsync("Waiting", "hurt", $"\"{Text}\"");
        await engine.StartAsync("Waiting", "sound", $"\"{Text}\"");
        await engine.UntilAsync("hurt", status => status.CustomStatus == "\"waits\"");
        await engine.UntilAsync("sound", status => status.CustomStatus == "\"waits\"");
    }

    private async Task DamageAsync(string damage)
    {
        var rows = await _hub.Table.QueryAsync<TableEntity>("PartitionKey eq 'hurt'").ToListAsync();
        var page = rows.First(row => row.RowKey.StartsWith("h-", StringComparison.Ordinal));
        var instance = rows.Single(row => row.RowKey == "i");
        switch (damage)
        {
            case "page":
                page["D0"] = new byte[] { 0, 0xff, 0xff, 0xff };
                await _hub.Table.UpdateEntityAsync(page, ETag.All, TableUpdateMode.Replace);
                break;
            case "encoding":
                page["D0"] = new byte[] { 77, 1, 2 };
                await _hub.Table.UpdateEntityAsync(page, ETag.All, TableUpdateMode.Replace);
                break;
            case "missing":
                await _hub.Table.DeleteEntityAsync("hurt", page.RowKey);
                break;
            case "tail":
                instance["Tail"] = new byte[] { 0x20, 1 };
                await _hub.Table.UpdateEntityAsync(instance, ETag.All, TableUpdateMode.Replace);
                break;
            case "message":
                await _hub.Table.AddEntityAsync(new TableEntity("hurt", "m-0000000000000000001") { ["D0"] = new byte[] { 0, 9 } });
                break;
            default:
                instance["Status"] = "Nonsense";
                await _hub.Table.UpdateEntityAsync(instance, ETag.All, TableUpdateMode.Replace);
                break;
        }
    }
}
