using System.IO.Compression;
using System.Text;
using Azure;
using Baton.DevHost.Orchestrations;
using Baton.Storage.Tables;
using Baton.Testing;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Corners in which an engine lost, doubled or hung something once.</summary>
public sealed class CornerTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    private readonly EngineHub _hub = new(azurite.NewAccount()) { Options = new OrchestrationEngineOptions { HubName = "Corners", LeaseRenewal = TimeSpan.FromSeconds(10) } };

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Fact]
    public async Task Parents_do_not_hold_the_runner_that_their_finishing_children_need()
    {
        ScriptedApp App() => new ScriptedApp()
            .RawOrchestrator("Parent", r => RawAnswers.Request(r) is var q && q.PastEvents.Count == 0
                ? RawAnswers.Of(RawAnswers.Child("Child", 0, q.InstanceId + "c"))
                : RawAnswers.Of(RawAnswers.Complete(1, OrchestrationStatus.Completed)))
            .RawOrchestrator("Child", _ => RawAnswers.Of(RawAnswers.Send("sink", 0, "news", "1"), RawAnswers.Complete(1, OrchestrationStatus.Completed)))
            .Orchestrator("Sink", async c => { await c.WaitForExternalEvent<string>("end"); return null; });
        var first = await _hub.StartEngineAsync(App(), new ScriptedStorage(async (_, body, next, _) =>
        {
            if (body.Contains("m-s-", StringComparison.Ordinal))
            {
                throw ScriptedStorage.Cut();
            }

            await next();
        }), _hub.Options with { MaxConcurrentOrchestratorFunctions = 20 });
        await first.StartAsync("Sink", "sink");
        for (var n = 0; n < 10; n++)
        {
            await first.StartAsync("Parent", $"p{n}");
        }

        await UntilRowsAsync("Status eq 'Completed' and Open eq true", count => count == 10);
        await first.DisposeAsync();
        var second = await _hub.StartEngineAsync(App(), options: _hub.Options with { MaxConcurrentOrchestratorFunctions = 1 });
        for (var n = 0; n < 10; n++)
        {
            var status = await second.Instances.WaitForCompletionAsync($"p{n}", EngineHub.Patience, CancellationToken.None);
            Assert.True(status!.IsFinished, $"p{n} is {status.RuntimeStatus}");
        }
    }

    private static string Big(int limit)
    {
        // The longest JSON text whose encoded form (1 + brotli) still fits.
        var random = new Random(7);
        const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        var all = new string([.. Enumerable.Range(0, 1_400_000).Select(_ => Alphabet[random.Next(64)])]);
        var (low, high) = (800_000, 1_400_000);
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (Size(Json(all, middle)) <= limit)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return Json(all, low);

        static string Json(string all, int length) => "\"" + all[..length] + "\"";
        static int Size(string text)
        {
            using var output = new MemoryStream();
            output.WriteByte(1);
            using (var brotli = new BrotliStream(output, CompressionLevel.Fastest, leaveOpen: true))
            {
                brotli.Write(Encoding.UTF8.GetBytes(text));
            }

            return (int)output.Length;
        }
    }

    [Fact]
    public async Task An_input_at_the_bound_runs()
    {
        var engine = await _hub.StartEngineAsync(new ScriptedApp().RawOrchestrator("Plain", _ => RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed))));
        await engine.StartAsync("Plain", "big", Big(15 * 60 * 1024));
        var status = await engine.Instances.WaitForCompletionAsync("big", EngineHub.Patience, CancellationToken.None);
        Assert.False(engine.Ended.IsCompleted, engine.Ended.Exception?.ToString());
        Assert.True(status!.IsFinished, status.RuntimeStatus);
    }

    [Fact]
    public async Task A_childs_output_at_the_bound_reaches_its_parent()
    {
        var big = Big(15 * 60 * 1024 - 12);
        var engine = await _hub.StartEngineAsync(new ScriptedApp()
            .RawOrchestrator("Parent", r => RawAnswers.Request(r).PastEvents.Count == 0 ? RawAnswers.Of(RawAnswers.Child("Plain", 0, "c")) : RawAnswers.Of(RawAnswers.Complete(1, OrchestrationStatus.Completed)))
            .RawOrchestrator("Plain", _ => RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed, result: big))));
        await engine.StartAsync("Parent", "p");
        var status = await engine.Instances.WaitForCompletionAsync("p", EngineHub.Patience, CancellationToken.None);
        var child = await engine.Instances.GetAsync("c", false, CancellationToken.None);
        Assert.False(engine.Ended.IsCompleted, child!.RuntimeStatus + engine.Ended.Exception);
        Assert.True(status!.IsFinished, status.RuntimeStatus + " child " + child!.RuntimeStatus);
    }

    [Fact]
    public async Task The_event_of_a_straggler_arrives_once()
    {
        ScriptedApp App() => new ScriptedApp()
            .RawOrchestrator("Sender", _ => RawAnswers.Of(RawAnswers.Send("receiver", 0, "news", "1"), RawAnswers.Complete(1, OrchestrationStatus.Completed)))
            .RawOrchestrator("Receiver", r => RawAnswers.Request(r).NewEvents.Any(e => e.EventRaised?.Name == "end") ? RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed)) : RawAnswers.Of());
        var dead = 0;
        var delivered = new TaskCompletionSource();
        var first = await _hub.StartEngineAsync(App(), new ScriptedStorage(async (_, body, next, _) =>
        {
            if (Volatile.Read(ref dead) == 1)
            {
                throw ScriptedStorage.Cut();
            }

            var isSend = body.Contains("m-s-", StringComparison.Ordinal) && Interlocked.Exchange(ref dead, 1) == 0;
            await next();
            if (isSend)
            {
                delivered.TrySetResult();
            }
        }));
        var second = await _hub.StartEngineAsync(App());
        Assert.Equal(503, (await Assert.ThrowsAsync<InstanceRequestException>(() => first.StartAsync("Receiver", "receiver"))).Status);
        await first.UntilAsync("receiver", s => s.RuntimeStatus == "Running");
        Assert.Equal(503, (await Assert.ThrowsAsync<InstanceRequestException>(() => first.StartAsync("Sender", "sender"))).Status);
        await delivered.Task.WaitAsync(EngineHub.Patience);
        await first.DisposeAsync();

        // A client asks the second engine after the receiver; it takes it up, and its turn takes the event.
        await second.Instances.GetAsync("receiver", false, CancellationToken.None);
        using var patience = new CancellationTokenSource(EngineHub.Patience);
        while (!(await second.Instances.HistoryAsync("receiver", patience.Token)).Any(e => e.EventRaised is not null))
        {
            await Task.Delay(20, patience.Token);
        }

        await second.UntilAsync("sender", status => status.IsFinished);
        await UntilRowsAsync("PartitionKey eq 'sender' and Open eq true", count => count == 0);
        await second.Instances.RaiseEventAsync("receiver", "end", null, CancellationToken.None);
        await second.EndOfAsync("receiver");
        Assert.Single(await second.Instances.HistoryAsync("receiver", CancellationToken.None), e => e.EventRaised?.Name == "news");
    }

    [Fact]
    public async Task A_last_turn_that_starts_its_own_id_ends()
    {
        var engine = await _hub.StartEngineAsync(new ScriptedApp()
            .RawOrchestrator("First", _ => RawAnswers.Of(RawAnswers.Child("Plain", 0, "one"), RawAnswers.Complete(1, OrchestrationStatus.Completed)))
            .RawOrchestrator("Plain", _ => RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed))));
        await engine.StartAsync("First", "one");
        await engine.UntilAsync("one", s => s.IsFinished);
        using var p = new CancellationTokenSource(EngineHub.Patience);
        await engine.Instances.StartAsync("Plain", "one", null, p.Token);
    }

    [Theory]
    [InlineData("a/b")]
    [InlineData("a#b")]
    [InlineData("a\nb")]
    [InlineData("")]
    [InlineData("LONG")]
    public async Task An_event_for_an_id_that_no_instance_can_have_is_dropped(string id)
    {
        id = id == "LONG" ? new string('x', 2000) : id;
        var engine = await _hub.StartEngineAsync(new ScriptedApp()
            .RawOrchestrator("Sender", r => RawAnswers.Request(r).PastEvents.Count == 0 ? RawAnswers.Of(RawAnswers.Send(id, 0, "news", "1")) : RawAnswers.Of(RawAnswers.Complete(1, OrchestrationStatus.Completed))));
        await engine.StartAsync("Sender", "one");
        await engine.UntilAsync("one", s => s.RuntimeStatus == "Running");
        await engine.Instances.TerminateAsync("one", null, CancellationToken.None);
        var status = await engine.Instances.WaitForCompletionAsync("one", EngineHub.Patience, CancellationToken.None);
        Assert.True(status!.IsFinished, status.RuntimeStatus);
    }

    [Fact]
    public async Task A_late_purge_does_not_delete_the_next_instance()
    {
        var storage = new HeldStorage((call, _) => call.StartsWith("DELETE", StringComparison.Ordinal));
        var app = new ScriptedApp()
            .RawOrchestrator("Plain", _ => RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed)))
            .Orchestrator("Waiter", async context => await context.WaitForExternalEvent<string>("end"));
        var first = await _hub.StartEngineAsync(app, storage.Policy);
        await first.StartAsync("Plain", "one");
        await first.EndOfAsync("one");
        await _hub.UntilNothingIsOpenAsync();
        var purge = first.Instances.PurgeAsync("one", CancellationToken.None);
        await storage.Held.WaitAsync(EngineHub.Patience);

        var second = await _hub.StartEngineAsync(app);
        await second.StartAsync("Waiter", "one");
        await second.UntilAsync("one", status => status.RuntimeStatus == "Running");
        storage.Release();

        Assert.Equal(503, (await Assert.ThrowsAsync<InstanceRequestException>(() => purge)).Status);
        Assert.True(await _hub.Table.QueryAsync<TableEntity>("PartitionKey eq 'one' and RowKey eq 'i'").AnyAsync(), "The new instance's row is gone.");
    }

    [Theory]
    [InlineData("event")]
    [InlineData("start")]
    [InlineData("replace")]
    public async Task What_a_client_gave_up_but_the_table_has_is_done(string what)
    {
        using var client = new CancellationTokenSource();
        var armed = 0;
        var app = new ScriptedApp()
            .RawOrchestrator("Plain", _ => RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed)))
            .Orchestrator("Waiter", async c => { await c.WaitForExternalEvent<string>("end"); return null; });
        var engine = await _hub.StartEngineAsync(app, new ScriptedStorage(async (call, body, next, ct) =>
        {
            await next();
            var isIt = what switch
            {
                "event" => body.Contains("LastMessage", StringComparison.Ordinal),
                _ => body.Contains("\"Pending\"", StringComparison.Ordinal) && !call.StartsWith("GET", StringComparison.Ordinal),
            };
            if (Volatile.Read(ref armed) == 1 && isIt && (what != "replace" || !call.StartsWith("POST", StringComparison.Ordinal)) && Interlocked.Exchange(ref armed, 2) == 1)
            {
                await client.CancelAsync();
                ct.ThrowIfCancellationRequested();
            }
        }));
        if (what == "event")
        {
            await engine.StartAsync("Waiter", "one");
            await engine.UntilAsync("one", s => s.RuntimeStatus == "Running");
        }
        else if (what == "replace")
        {
            await engine.StartAsync("Plain", "one");
            await engine.EndOfAsync("one");
        }

        armed = 1;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => what == "event"
            ? engine.Instances.RaiseEventAsync("one", "end", null, client.Token)
            : engine.Instances.StartAsync("Plain", "one", null, client.Token));
        await UntilRowsAsync("PartitionKey eq 'one' and Status eq 'Completed'", count => count == 1);
    }

    [Theory]
    [InlineData("carry")]
    [InlineData("send")]
    public async Task Several_large_events_are_sent_and_carried_over(string what)
    {
        var text = Big(500_000).Trim('"');
        string[] large = [$"\"{text}\"", $"\"{text[1..]}\"", $"\"{text[..^1]}\""];
        var app = new ScriptedApp()
            .Orchestrator("Eternal", async c =>
            {
                var n = c.GetInput<int>();
                await c.WaitForExternalEvent<string>("news");
                if (n < 2)
                {
                    c.ContinueAsNew(n + 1);
                }

                return null;
            })
            .RawOrchestrator("Sender", _ => RawAnswers.Of([.. large.Select((payload, n) => RawAnswers.Send("x", n, "news", payload)), RawAnswers.Complete(3, OrchestrationStatus.Completed)]));
        var gate = new TaskCompletionSource();
        app.BeforeTurn = _ => gate.Task;
        var engine = await _hub.StartEngineAsync(app);
        await engine.StartAsync(what == "carry" ? "Eternal" : "Sender", "one", "0");
        foreach (var payload in what == "carry" ? large : [])
        {
            await engine.Instances.RaiseEventAsync("one", "news", payload, CancellationToken.None);
        }

        gate.SetResult();
        var status = await engine.Instances.WaitForCompletionAsync("one", EngineHub.Patience, CancellationToken.None);
        Assert.True(status!.RuntimeStatus == "Completed", status.RuntimeStatus + status.Output);
    }

    [Fact]
    public async Task The_parent_of_a_child_whose_instance_row_is_damaged_hears_of_a_failure()
    {
        var app = new ScriptedApp()
            .Orchestrator("Child", async c => { await c.WaitForExternalEvent<string>("end"); return null; });
        app.RawOrchestrator("Parent", r => RawAnswers.Request(r) is var q && q.PastEvents.Count == 0 ? RawAnswers.Of(RawAnswers.Child("Child", 0, "child")) : RawAnswers.Of(RawAnswers.Complete(1, OrchestrationStatus.Completed)));
        var engine = await _hub.StartEngineAsync(app);
        await engine.StartAsync("Parent", "parent");
        await engine.UntilAsync("child", s => s.RuntimeStatus == "Running");
        var row = (await _hub.Table.GetEntityAsync<TableEntity>("child", "i")).Value;
        row["Status"] = "Nonsense";
        await _hub.Table.UpdateEntityAsync(row, ETag.All, TableUpdateMode.Replace);
        try
        {
            await engine.Instances.RaiseEventAsync("child", "end", null, CancellationToken.None);
        }
        catch (Exception e) when (e is InstanceRequestException or RequestFailedException)
        {
            // Whether the event was taken does not matter: it made the engine look at the row.
        }

        await engine.UntilAsync("child", s => s.RuntimeStatus == "Failed");
        var status = await engine.Instances.WaitForCompletionAsync("parent", EngineHub.Patience, CancellationToken.None);
        Assert.True(status!.IsFinished, status.RuntimeStatus);
    }

    [Fact]
    public async Task An_instance_whose_input_is_lost_is_not_restarted_without_it()
    {
        var engine = await _hub.StartEngineAsync(new ScriptedApp().RawOrchestrator("Plain", _ => RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed))));
        await engine.StartAsync("Plain", "one", Big(100_000));
        await engine.EndOfAsync("one");
        await foreach (var row in _hub.Table.QueryAsync<TableEntity>("PartitionKey eq 'one'"))
        {
            if (row.RowKey.StartsWith("v-", StringComparison.Ordinal))
            {
                await _hub.Table.DeleteEntityAsync("one", row.RowKey);
            }
        }

        Assert.Equal(500, (await Assert.ThrowsAsync<InstanceRequestException>(() => engine.Instances.RestartAsync("one", withNewId: true, CancellationToken.None))).Status);
    }

    [Fact]
    public async Task An_activitys_input_that_fits_no_row_fails_its_instance()
    {
        var tooLarge = Big(15 * 60 * 1024) + Big(15 * 60 * 1024);
        var engine = await _hub.StartEngineAsync(new ScriptedApp().RawOrchestrator("Plain", _ => RawAnswers.Of(
            new OrchestratorAction { Id = 0, ScheduleTask = new ScheduleTaskAction { Name = "Work", Input = "\"" + tooLarge.Replace("\"", "") + "\"" } })));
        await engine.StartAsync("Plain", "one", Big(100_000));
        var status = await engine.Instances.WaitForCompletionAsync("one", EngineHub.Patience, CancellationToken.None);
        Assert.True(status!.IsFinished, status.RuntimeStatus);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(35)]
    [InlineData(50)]
    public async Task A_result_at_the_bound_is_taken_or_refused(int margin)
    {
        var big = Big(15 * 60 * 1024 - margin).Trim('"');
        var app = new ScriptedApp().Activity<int>("Work", _ => big)
            .RawOrchestrator("Plain", r => RawAnswers.Request(r).PastEvents.Count == 0 ? RawAnswers.Of(RawAnswers.Task("Work", 0, 1)) : RawAnswers.Of(RawAnswers.Complete(1, OrchestrationStatus.Completed)));
        var engine = await _hub.StartEngineAsync(app);
        await engine.StartAsync("Plain", "one");
        var status = await engine.Instances.WaitForCompletionAsync("one", EngineHub.Patience, CancellationToken.None);
        Assert.False(engine.Ended.IsCompleted, "engine ended " + engine.Ended.Exception);
        Assert.True(status!.IsFinished, status.RuntimeStatus + " turns: " + app.Calls("Plain"));
    }

    /// <summary>Waits until so many rows of the hub match.</summary>
    private async Task UntilRowsAsync(string filter, Func<int, bool> wanted)
    {
        using var patience = new CancellationTokenSource(EngineHub.Patience);
        while (!wanted(await _hub.Table.QueryAsync<TableEntity>(filter, cancellationToken: patience.Token).CountAsync(patience.Token)))
        {
            await Task.Delay(20, patience.Token);
        }
    }
}
