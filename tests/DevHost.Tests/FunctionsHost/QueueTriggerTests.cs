using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Azure.Storage.Queues;
using Baton.Core.Api;
using Baton.DevHost.Chaos;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.FunctionsHost.Queues;
using Baton.ScriptedHandler;
using Baton.Testing;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class QueueTriggerTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private readonly string _storage = azurite.NewAccount();

    [Fact]
    public async Task A_binary_message_arrives_in_base64_and_is_gone_after_success()
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => Task.FromResult(ScriptServer.Json("{}")), _storage);

        await SendAsync("orders", """{"orderId":7,"MessageId":"forged"}""");
        await HostUnderTest.UntilAsync("the queue is empty", () => IsEmptyAsync("orders", host, calls: 1));

        var envelope = ScriptServer.Envelope(Assert.Single(host.Script.Requests));
        Assert.Equal("""{"orderId":7,"MessageId":"forged"}""", Encoding.UTF8.GetString(Convert.FromBase64String((string)envelope["Data"]!["msg"]!)));
        var metadata = envelope["Metadata"]!;
        Assert.Equal("1", (string?)metadata["DeliveryCount"]);
        Assert.DoesNotContain("forged", (string?)metadata["MessageId"], StringComparison.Ordinal);
        Assert.NotNull(metadata["EnqueuedTime"]);
        Assert.Equal("{}", metadata["ApplicationProperties"]!.ToJsonString());
    }

    [Fact]
    public async Task A_text_message_is_JSON_text_in_JSON_text_and_overwrites_metadata()
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders", "\"dataType\":\"string\""), _ => Task.FromResult(ScriptServer.Json("{}")), _storage);

        await SendAsync("orders", """{"orderId":7,"MessageId":"forged"}""");
        await HostUnderTest.UntilAsync("it was delivered", () => host.Script.Requests.Count > 0);

        var envelope = ScriptServer.Envelope(host.Script.Requests[0]);
        Assert.Equal("""{"orderId":7,"MessageId":"forged"}""", JsonSerializer.Deserialize<string>((string)envelope["Data"]!["msg"]!));
        Assert.Equal("\"forged\"", (string?)envelope["Metadata"]!["MessageId"]);
    }

    [Fact]
    public async Task A_message_that_somebody_put_there_as_plain_text_is_delivered_as_it_is()
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => Task.FromResult(ScriptServer.Json("{}")), _storage);
        var queue = new QueueClient(_storage, "orders");
        await queue.CreateIfNotExistsAsync();

        await queue.SendMessageAsync("{ not json");
        await HostUnderTest.UntilAsync("it was delivered", () => host.Script.Requests.Count > 0);

        Assert.Equal("{ not json", Body(host.Script.Requests[0]));
    }

    [Fact]
    public async Task A_failed_delivery_is_repeated_at_once_and_counted()
    {
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Queue("OnMessage", "orders"),
            request => Task.FromResult(DeliveryCount(request) < 4 ? new HandlerAnswer(500, null, []) : ScriptServer.Json("{}")),
            _storage);

        await SendAsync("orders", "{}");
        await HostUnderTest.UntilAsync("the queue is empty", () => IsEmptyAsync("orders", host, calls: 4));

        Assert.Equal([1, 2, 3, 4], host.Script.Requests.Select(DeliveryCount));
        Assert.Empty(await HostUnderTest.PeekAsync(_storage, "orders-deadletter"));
    }

    [Fact]
    public async Task After_ten_failed_deliveries_a_message_is_dead_lettered_with_its_reason()
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => Task.FromResult(new HandlerAnswer(503, null, [])), _storage);

        await SendAsync("orders", "{\"poison\":1}");
        await HostUnderTest.UntilAsync("it is dead-lettered", async () => (await HostUnderTest.PeekAsync(_storage, "orders-deadletter")).Count == 1 && await IsEmptyAsync("orders", host, calls: 10));

        Assert.Equal(Enumerable.Range(1, 10), host.Script.Requests.Select(DeliveryCount));
        var dead = JsonSerializer.Deserialize<DeadLetteredMessage>((await HostUnderTest.PeekAsync(_storage, "orders-deadletter"))[0], BatonJson.Options)!;
        Assert.Equal(("orders", "MaxDeliveryCountExceeded", 10), (dead.Queue, dead.Reason, dead.DeliveryCount));
        Assert.Contains("503", dead.Detail, StringComparison.Ordinal);
        Assert.Equal("{\"poison\":1}", Encoding.UTF8.GetString(Convert.FromBase64String(dead.Body)));
    }

    [Fact]
    public async Task A_slow_queue_function_delays_no_other()
    {
        var release = new TaskCompletionSource();
        var app = new TestApp().Queue("Slow", "slow").Queue("Fast", "fast");
        app.HostJson["extensions"] = JsonNode.Parse("""{"serviceBus":{"maxConcurrentCalls":2}}""");
        await using var host = await HostUnderTest.StartAsync(
            app,
            async request =>
            {
                if (request.PathAndQuery == "/Slow")
                {
                    await release.Task;
                }

                return ScriptServer.Json("{}");
            },
            _storage);
        for (var i = 0; i < 5; i++)
        {
            await SendAsync("slow", $"{{\"n\":{i}}}");
        }

        await HostUnderTest.UntilAsync("the slow function holds all it may", () => Calls(host, "/Slow") == 2);
        for (var i = 0; i < 20; i++)
        {
            await SendAsync("fast", $"{{\"n\":{i}}}");
        }

        await HostUnderTest.UntilAsync("the fast queue is empty", async () => Calls(host, "/Fast") == 20 && (await LengthAsync("fast")) == 0);
        Assert.Equal(2, Calls(host, "/Slow"));
        release.SetResult();
        await HostUnderTest.UntilAsync("the slow queue is empty", async () => Calls(host, "/Slow") == 5 && (await LengthAsync("slow")) == 0);
    }

    [Fact]
    public async Task A_message_stays_hidden_while_its_function_runs_longer_than_the_lock()
    {
        var release = new TaskCompletionSource();
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Queue("Slow", "slow"),
            async _ =>
            {
                await release.Task;
                return ScriptServer.Json("{}");
            },
            _storage);
        await SendAsync("slow", "{}");
        await HostUnderTest.UntilAsync("it was delivered", () => host.Script.Requests.Count == 1);
        var expired = TimeProvider.System.GetTimestamp();

        // More than the lock of 6 s: only its renewal keeps the message from a second delivery.
        await HostUnderTest.UntilAsync("the first lock would have run out", () => TimeProvider.System.GetElapsedTime(expired) > TimeSpan.FromSeconds(8));
        Assert.Single(host.Script.Requests);
        release.SetResult();
        await HostUnderTest.UntilAsync("the queue is empty", () => IsEmptyAsync("slow", host, calls: 1));
    }

    [Fact]
    public async Task A_queue_output_sends_messages_before_the_trigger_is_settled()
    {
        var app = new TestApp()
            .Queue("First", "first", more: [TestApp.QueueOutput("next", "second"), TestApp.QueueOutput("trapped", "third"), TestApp.QueueOutput("none", "fourth")])
            .Queue("Second", "second");
        await using var host = await HostUnderTest.StartAsync(
            app,
            request => Task.FromResult(ScriptServer.Json(request.PathAndQuery == "/First" ? """{"Outputs":{"next":[{"n":1},{"n":2}],"trapped":"test","none":null}}""" : "{}")),
            _storage);

        await SendAsync("first", "{}");
        await HostUnderTest.UntilAsync("both follow-ups were delivered", () => Calls(host, "/Second") == 2);

        Assert.Equal(["{\"n\":1}", "{\"n\":2}"], host.Script.Requests.Where(r => r.PathAndQuery == "/Second").Select(Body).Order(StringComparer.Ordinal), StringComparer.Ordinal);
        var trapped = new QueueClient(_storage, "third");
        await HostUnderTest.UntilAsync("the other output was sent", async () => await trapped.ExistsAsync() && (await trapped.PeekMessagesAsync(5)).Value.Length > 0);
        var third = Assert.Single((await trapped.PeekMessagesAsync(5)).Value);
        Assert.Equal([0xb5, 0xeb, 0x2d], LocalQueue.Body(third.MessageText));
        Assert.False(await new QueueClient(_storage, "fourth").ExistsAsync());
    }

    [Fact]
    public async Task An_HTTP_function_may_send_to_a_queue()
    {
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Function("Report", TestApp.HttpTrigger("anonymous", string.Empty), TestApp.HttpOutput, TestApp.QueueOutput("next", "reports")),
            _ => Task.FromResult(ScriptServer.Json("""{"Outputs":{"res":{"statusCode":202},"next":"{\"eventId\":\"1\"}"}}""")),
            _storage);

        using var answer = await host.PostAsync("/api/Report", "{}");

        Assert.Equal(202, (int)answer.StatusCode);
        Assert.Equal(["{\"eventId\":\"1\"}"], await HostUnderTest.PeekAsync(_storage, "reports"), StringComparer.Ordinal);
    }

    [Fact]
    public async Task A_handler_killed_during_a_delivery_costs_one_delivery_and_no_message()
    {
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Queue("OnMessage", "orders"),
            _ => Task.FromResult(ScriptServer.Json("{}")),
            _storage,
            new CrashPoint("OnMessage", After: false, Nth: 1, CrashScope.Handler));

        await SendAsync("orders", "{}");
        await HostUnderTest.UntilAsync("the queue is empty", () => IsEmptyAsync("orders", host, calls: 1));

        // The restart burned no further deliveries: the pump waited for the new handler.
        Assert.InRange(DeliveryCount(host.Script.Requests[0]), 2, 3);
    }

    [Fact]
    public async Task A_disposed_host_gives_its_messages_back_at_once()
    {
        var never = new TaskCompletionSource<HandlerAnswer>();
        var first = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => never.Task, _storage);
        await SendAsync("orders", "{}");
        await HostUnderTest.UntilAsync("it was delivered", () => first.Script.Requests.Count == 1);
        await first.Host.DisposeAsync();
        never.TrySetCanceled();
        await first.DisposeAsync();

        await using var second = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => Task.FromResult(ScriptServer.Json("{}")), _storage);

        await HostUnderTest.UntilAsync("the queue is empty", () => IsEmptyAsync("orders", second, calls: 1));
        Assert.InRange(DeliveryCount(second.Script.Requests[0]), 2, 3);
    }

    [Fact]
    public async Task A_pump_outlives_storage_that_does_not_answer()
    {
        // Nobody listens there: what a storage that restarts looks like.
        const string Gone = "DefaultEndpointsProtocol=http;AccountName=gone;AccountKey=Z29uZQ==;QueueEndpoint=http://127.0.0.1:1/gone;BlobEndpoint=http://127.0.0.1:1/gone;TableEndpoint=http://127.0.0.1:1/gone;";
        await using var host = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => Task.FromResult(ScriptServer.Json("{}")), Gone);

        await Assert.ThrowsAsync<TimeoutException>(() => host.Host.WaitForShutdownAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10)));

        Assert.Null(host.Host.StopReason);
    }

    [Fact]
    public async Task A_receive_that_storage_never_answers_holds_up_the_messages_behind_it_for_seconds_only()
    {
        await using var hanging = await FlakyStorage.StartAsync(_storage, CancellationToken.None);
        await using var host = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => Task.FromResult(ScriptServer.Json("{}")), hanging.ConnectionString);
        hanging.SwallowFor(TimeSpan.FromHours(1));
        await HostUnderTest.UntilAsync("a receive hangs", () => hanging.Refused > 0);

        // What was swallowed stays so; what comes from here on is answered.
        hanging.SwallowFor(TimeSpan.Zero);
        await SendAsync("orders", "{}");

        await HostUnderTest.UntilAsync("the queue is empty", () => IsEmptyAsync("orders", host, calls: 1));
    }

    [Fact]
    public async Task Messages_whose_receipt_nobody_got_are_delivered_when_their_lock_has_run_out()
    {
        var queue = new QueueClient(_storage, "orders");
        await queue.CreateAsync();
        await SendAsync("orders", "{\"n\":1}");

        // As a receive whose answer is lost: the message is hidden, and nobody has it.
        Assert.Single((await queue.ReceiveMessagesAsync(32, TimeSpan.FromSeconds(3))).Value);
        await using var host = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => Task.FromResult(ScriptServer.Json("{}")), _storage);
        await SendAsync("orders", "{\"n\":2}");

        await HostUnderTest.UntilAsync("the queue is empty", () => IsEmptyAsync("orders", host, calls: 2));
        Assert.Equal([("{\"n\":1}", 2), ("{\"n\":2}", 1)], host.Script.Requests.Select(r => (Body(r), DeliveryCount(r))).Order());
        Assert.Empty(await HostUnderTest.PeekAsync(_storage, "orders-deadletter"));
    }

    [Fact]
    public async Task A_message_as_large_as_a_queue_takes_is_dead_lettered_too()
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Queue("OnMessage", "orders"), _ => Task.FromResult(new HandlerAnswer(500, null, [])), _storage);
        var body = new string('x', 48 * 1024);

        await SendAsync("orders", body);
        await HostUnderTest.UntilAsync("it is dead-lettered", async () => (await HostUnderTest.PeekAsync(_storage, "orders-deadletter")).Count == 1 && await IsEmptyAsync("orders", host, calls: 10));

        Assert.Equal(body, Assert.Single(await HostUnderTest.PeekAsync(_storage, "orders-deadletter")));
    }

    private Task SendAsync(string queue, string body) => new LocalQueues(_storage).SendAsync(queue, Encoding.UTF8.GetBytes(body), CancellationToken.None);

    private Task<int> LengthAsync(string queue) => HostUnderTest.LengthAsync(_storage, queue);

    private async Task<bool> IsEmptyAsync(string queue, HostUnderTest host, int calls) => host.Script.Requests.Count >= calls && await LengthAsync(queue) == 0;

    private static int Calls(HostUnderTest host, string path) => host.Script.Requests.Count(r => r.PathAndQuery == path);

    private static int DeliveryCount(HandlerRequest request) => JsonSerializer.Deserialize<int>((string)ScriptServer.Envelope(request)["Metadata"]!["DeliveryCount"]!);

    private static string Body(HandlerRequest request) => Encoding.UTF8.GetString(Convert.FromBase64String((string)ScriptServer.Envelope(request)["Data"]!["msg"]!));
}
