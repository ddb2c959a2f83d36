using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost;
using Baton.Durable;
using Baton.ScriptedHandler;
using Baton.Testing;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class TaskHubTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private readonly string _storage = azurite.NewAccount();

    [Fact]
    public async Task An_orchestration_runs_through_the_handler_from_start_to_result()
    {
        await using var host = await HostUnderTest.StartAsync(App(), Script(), _storage);

        await StartAsync(host, "one", "\"Tokyo\"");

        Assert.Equal("Hello Tokyo", (string?)(await FinishedAsync(host, "one", "Completed"))["output"]);
    }

    [Fact]
    public async Task The_management_API_asks_for_the_system_key()
    {
        await using var host = await HostUnderTest.StartAsync(App(), Script(), _storage);

        using var without = await host.Http.GetAsync(new Uri("/runtime/webhooks/durabletask/instances/x", UriKind.Relative));
        using var with = await host.Http.GetAsync(new Uri("/runtime/webhooks/durabletask/instances/x?code=system-key", UriKind.Relative));

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.NotFound), (without.StatusCode, with.StatusCode));
    }

    [Fact]
    public async Task A_handler_killed_inside_an_orchestrator_turn_fails_the_instance_for_good()
    {
        await using var host = await HostUnderTest.StartAsync(App(), Script(), _storage, new CrashPoint("Greet", After: false, Nth: 2, CrashScope.Handler));

        await StartAsync(host, "one", "\"Tokyo\"");

        await FinishedAsync(host, "one", "Failed");
    }

    [Fact]
    public async Task A_handler_killed_inside_an_activity_is_an_ordinary_failure_of_the_task()
    {
        await using var host = await HostUnderTest.StartAsync(App(), Script(), _storage, new CrashPoint("Say", After: false, Nth: 1, CrashScope.Handler));

        await StartAsync(host, "one", "\"Tokyo\"");

        Assert.Equal("the activity failed", (string?)(await FinishedAsync(host, "one", "Completed"))["output"]);
    }

    [Theory]
    [InlineData("Greet")]
    [InlineData("Say")]
    public async Task A_host_that_stops_inside_a_call_leaves_the_instance_to_the_next_one(string inside)
    {
        var held = new TaskCompletionSource();
        var first = await HostUnderTest.StartAsync(App(), Script(inside, held.Task), _storage);
        await StartAsync(first, "one", "\"Tokyo\"");
        await HostUnderTest.UntilAsync("the call is in the handler", () => first.Script.Requests.Any(r => r.PathAndQuery == $"/{inside}"));
        await first.Host.DisposeAsync();
        held.SetResult();
        await first.DisposeAsync();

        await using var second = await HostUnderTest.StartAsync(App(), Script(), _storage);

        Assert.Equal("Hello Tokyo", (string?)(await FinishedAsync(second, "one", "Completed"))["output"]);
    }

    private static TestApp App() => new TestApp()
        .Function("Greet", """{"name":"context","type":"orchestrationTrigger","direction":"in"}""")
        .Function("Say", """{"name":"input","type":"activityTrigger","direction":"in"}""");

    // The real worker, in this process; the handler relays to it.
    private static Func<HandlerRequest, Task<HandlerAnswer>> Script(string? hold = null, Task? until = null) => async request =>
    {
        var function = request.PathAndQuery.TrimStart('/');
        if (function == hold)
        {
            await until!;
        }

        var data = ScriptServer.Envelope(request)["Data"]!;
        var answer = function == "Greet"
            ? OrchestrationRunner.Run(JsonSerializer.Deserialize<string>((string)data["context"]!)!, _ => GreetAsync)
            : (object)new { ok = $"Hello {JsonSerializer.Deserialize<string>(JsonSerializer.Deserialize<string>((string)data["input"]!)!)}" };
        return ScriptServer.Json(JsonSerializer.Serialize(new { ReturnValue = answer }));
    };

    private static async Task<object?> GreetAsync(TaskOrchestrationContext context)
    {
        try
        {
            return await context.CallActivityAsync<string>("Say", context.GetInput<string>());
        }
        catch (TaskFailedException)
        {
            return "the activity failed";
        }
    }

    private static async Task StartAsync(HostUnderTest host, string id, string input)
    {
        using var answer = await host.PostAsync($"/runtime/webhooks/durabletask/orchestrators/Greet/{id}?code=system-key", input);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }

    private static async Task<JsonNode> FinishedAsync(HostUnderTest host, string id, string status)
    {
        JsonNode? found = null;
        await HostUnderTest.UntilAsync($"the instance is {status}", async () =>
        {
            using var answer = await host.Http.GetAsync(new Uri($"/runtime/webhooks/durabletask/instances/{id}?code=system-key", UriKind.Relative));
            found = await answer.Content.ReadFromJsonAsync<JsonNode>();
            return answer.StatusCode == HttpStatusCode.OK;
        });
        Assert.Equal(status, (string?)found!["runtimeStatus"]);
        return found;
    }
}
