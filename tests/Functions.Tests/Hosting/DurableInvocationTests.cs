using System.Net;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.DurableTask.Protobuf;

namespace Baton.Functions.Tests.Hosting;

public sealed class DurableInvocationTests(SampleApp app) : IClassFixture<SampleApp>
{
    private const string Instance = "order-1-1";

    [Theory]
    [InlineData("2026-01-02T03:04:05.1200000Z")]
    [InlineData("dGVzdA==")]
    [InlineData("plain \"quoted\" grüße 🚀")]
    public async Task An_orchestration_and_its_activity_round_trip_any_text(string note)
    {
        var order = new JsonObject { ["id"] = "a", ["count"] = 1, ["note"] = note }.ToJsonString();
        var first = await TurnAsync("Ordering", Started("Ordering", order));
        var scheduled = Assert.Single(first.Actions).ScheduleTask;
        Assert.Equal("Stamp", scheduled.Name);

        var (status, answer) = await app.Client.InvokeAsync(scheduled.Name, ("order", HostCalls.Input(scheduled.Input)));
        Assert.Equal(HttpStatusCode.OK, status);

        var second = await TurnAsync(
            "Ordering",
            new HistoryEvent { EventId = -1, TaskCompleted = new TaskCompletedEvent { TaskScheduledId = 0, Result = answer["ReturnValue"]!.ToJsonString() } },
            [.. Started("Ordering", order), new HistoryEvent { EventId = 0, TaskScheduled = new TaskScheduledEvent { Name = "Stamp", Input = scheduled.Input } }]);

        var completed = Assert.Single(second.Actions).CompleteOrchestration;
        Assert.Equal(OrchestrationStatus.Completed, completed.OrchestrationStatus);
        Assert.Equal($"a: {note}", JsonNode.Parse(completed.Result)!.GetValue<string>());
    }

    [Fact]
    public async Task A_turn_always_names_its_instance()
    {
        Assert.Equal(Instance, (await TurnAsync("Ordering", Started("Ordering", """{"id":"a","count":1}"""))).InstanceId);
    }

    [Fact]
    public async Task An_orchestrator_that_throws_fails_in_its_answer()
    {
        var completed = Assert.Single((await TurnAsync("Breaking", Started("Breaking", null))).Actions).CompleteOrchestration;

        Assert.Equal(OrchestrationStatus.Failed, completed.OrchestrationStatus);
        Assert.Equal("No way.", completed.FailureDetails.ErrorMessage);
    }

    [Fact]
    public async Task An_activity_that_throws_fails_in_its_answer()
    {
        var (status, answer) = await app.Client.InvokeAsync("Stamp", ("order", HostCalls.Input("""{"id":"a","count":1}""")));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("An order needs a note.", (string?)answer["ReturnValue"]!["failed"]!["errorMessage"]);
    }

    [Theory]
    [InlineData("""{"id":7}""")]
    [InlineData("[1]")]
    [InlineData("null")]
    [InlineData(null)]
    public async Task An_input_that_does_not_fit_fails_in_the_activitys_answer(string? input)
    {
        var (status, answer) = await app.Client.InvokeAsync("Stamp", ("order", HostCalls.Input(input)));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.NotNull(answer["ReturnValue"]!["failed"]);
    }

    [Theory]
    [InlineData("""{"a":1}""", "Object:7")]
    [InlineData("[1,2]", "Array:5")]
    [InlineData("\"Tokyo\"", "String:7")]
    [InlineData("\"\\\"3\\\"\"", "String:7")]
    [InlineData("3", "Number:1")]
    [InlineData("true", "True:4")]
    [InlineData("null", "none")]
    [InlineData(null, "none")]
    public async Task Every_kind_of_input_reaches_the_activity(string? input, string seen)
    {
        var (_, answer) = await app.Client.InvokeAsync("Measure", ("input", HostCalls.Input(input)));

        Assert.Equal(seen, (string?)answer["ReturnValue"]!["ok"]);
    }

    [Fact]
    public async Task A_text_input_is_a_text()
    {
        var (_, answer) = await app.Client.InvokeAsync("Shout", ("text", HostCalls.Input("\"grüße\"")));

        Assert.Equal("GRÜSSE".Replace("SS", "ß", StringComparison.Ordinal), (string?)answer["ReturnValue"]!["ok"]);
    }

    [Theory]
    [InlineData("httpBaseUrl")]
    [InlineData("baseUrl")]
    public async Task A_durable_client_calls_the_address_that_the_host_bound(string property)
    {
        var called = string.Empty;
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var management = builder.Build();
        management.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            called = $"{context.Request.Method} {context.Request.Path}{context.Request.QueryString} {await reader.ReadToEndAsync()}";
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            await context.Response.WriteAsJsonAsync(new { id = "a" });
        });
        await management.StartAsync();
        var client = new JsonObject
        {
            ["taskHubName"] = "Hub",
            ["connectionName"] = null,
            ["requiredQueryStringParameters"] = "code=key",
            [property] = $"{management.Urls.Single()}/runtime/webhooks/durabletask",
        };
        var request = HostCalls.Http(new Call("POST", "/api/starts", ContentType: "application/json") { Body = """{"id":"a","count":1}"""u8.ToArray() });

        var (status, answer) = await app.Client.InvokeAsync("Starts", ("request", request), ("client", HostCalls.Input(client.ToJsonString())));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(202, answer.HttpOutput().Status);
        Assert.Equal("/api/orders/a", answer.HttpOutput().Headers["Location"]);
        Assert.Equal("""POST /runtime/webhooks/durabletask/orchestrators/Ordering/a?code=key {"id":"a","count":1}""", called);
    }

    private static HistoryEvent[] Started(string name, string? input) =>
    [
        new() { EventId = -1, Timestamp = Timestamp.FromDateTime(DateTime.UnixEpoch), OrchestratorStarted = new OrchestratorStartedEvent() },
        new()
        {
            EventId = -1,
            Timestamp = Timestamp.FromDateTime(DateTime.UnixEpoch),
            ExecutionStarted = new ExecutionStartedEvent
            {
                Name = name,
                Input = input,
                OrchestrationInstance = new OrchestrationInstance { InstanceId = Instance, ExecutionId = "e1" },
            },
        },
    ];

    private Task<OrchestratorResponse> TurnAsync(string name, HistoryEvent[] newEvents) => TurnAsync(name, [], newEvents);

    private Task<OrchestratorResponse> TurnAsync(string name, HistoryEvent newEvent, HistoryEvent[] pastEvents) => TurnAsync(name, pastEvents, [newEvent]);

    private async Task<OrchestratorResponse> TurnAsync(string name, HistoryEvent[] pastEvents, HistoryEvent[] newEvents)
    {
        var request = new OrchestratorRequest { InstanceId = Instance };
        request.PastEvents.AddRange(pastEvents);
        request.NewEvents.AddRange(newEvents);
        var (status, answer) = await app.Client.InvokeAsync(name, ("context", HostCalls.Encoded(Convert.ToBase64String(request.ToByteArray()))));
        Assert.Equal(HttpStatusCode.OK, status);
        return OrchestratorResponse.Parser.ParseFrom(Convert.FromBase64String(answer["ReturnValue"]!.GetValue<string>()));
    }
}
