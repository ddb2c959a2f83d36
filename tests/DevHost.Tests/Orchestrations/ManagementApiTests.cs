using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Baton.DevHost.Orchestrations;
using Baton.Durable;
using Baton.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>The statuses and bodies that clients of the Durable extension know.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "xunit calls DisposeAsync.")]
public sealed class ManagementApiTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private const string Key = "k/e+y=";
    private readonly EngineHub _hub = new(azurite.NewAccount());
    private readonly HttpClient _http = new();
    private WebApplication? _host;

    private string Base => _host!.Urls.First() + ManagementApi.BasePath;

    public async Task InitializeAsync()
    {
        var app = new ScriptedApp()
            .Orchestrator("Echo", context => Task.FromResult<object?>(context.GetInput<JsonNode>()))
            .Orchestrator("Failing", _ => throw new InvalidOperationException("bad luck"))
            .Orchestrator("Waiting", async context => await context.WaitForExternalEvent<string>("go"));
        var engine = await _hub.StartEngineAsync(app);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _host = builder.Build();
        _host.MapDurableManagement(engine, Key);
        await _host.StartAsync();
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _host!.DisposeAsync();
        await _hub.DisposeAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("code=wrong")]
    public async Task Without_the_system_key_nothing_is_answered(string query)
    {
        using var response = await _http.PostAsync($"{Base}/orchestrators/Echo/one?{query}", Json("1"));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync("instances/one")).StatusCode);
    }

    [Fact]
    public async Task A_start_answers_202_with_the_addresses_of_the_instance()
    {
        using var response = await PostAsync("orchestrators/Waiting/one", "{\"a\":1}");

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var body = await BodyAsync(response);
        Assert.Equal("one", (string?)body["id"]);
        Assert.Equal(response.Headers.Location, new Uri((string)body["statusQueryGetUri"]!));
        Assert.Contains("/raiseEvent/{eventName}?", (string)body["sendEventPostUri"]!, StringComparison.Ordinal);
        Assert.Contains("reason={text}", (string)body["terminatePostUri"]!, StringComparison.Ordinal);
        using var status = await _http.GetAsync(response.Headers.Location);
        Assert.Equal(HttpStatusCode.Accepted, status.StatusCode);
        Assert.NotNull(status.Headers.RetryAfter);
        var shown = await BodyAsync(status);
        Assert.Equal("Waiting", (string?)shown["name"]);
        Assert.Equal(1, (int?)shown["input"]!["a"]);
        Assert.Null((await BodyAsync(await GetAsync("instances/one", "showInput=false")))["input"]);
    }

    [Fact]
    public async Task A_start_with_a_timeout_answers_the_output()
    {
        using var response = await PostAsync("orchestrators/Echo", "{\"b\":[2]}", "timeout=60");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("{\"b\":[2]}", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_start_that_cannot_be_is_refused()
    {
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync("orchestrators/NoSuch")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync("orchestrators/Echo", "{not json")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync("orchestrators/Echo/@id")).StatusCode);
        await PostAsync("orchestrators/Waiting/one");
        using var again = await PostAsync("orchestrators/Waiting/one");
        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        Assert.NotNull((string?)(await BodyAsync(again))["Message"]);
    }

    [Fact]
    public async Task An_instance_goes_through_its_life()
    {
        await PostAsync("orchestrators/Waiting/one");

        Assert.Equal(HttpStatusCode.PreconditionFailed, (await DeleteAsync("instances/one")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync("instances/one/suspend", query: "reason=hold")).StatusCode);
        await UntilAsync("one", "Suspended");
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync("instances/one/resume")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync("instances/one/raiseEvent/go", "{")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync("instances/one/raiseEvent/go", "\"now\"")).StatusCode);
        var done = await UntilAsync("one", "Completed");
        Assert.Equal("now", (string?)done["output"]);
        foreach (var verb in new[] { "terminate", "suspend", "resume", "raiseEvent/go" })
        {
            Assert.Equal(HttpStatusCode.Gone, (await PostAsync($"instances/one/{verb}")).StatusCode);
        }

        var history = (await BodyAsync(await GetAsync("instances/one", "showHistory=true&showHistoryOutput=true")))["historyEvents"]!.AsArray();
        Assert.Contains(history, e => (string?)e!["EventType"] == "EventRaised" && (string?)e["Name"] == "go");
        Assert.Equal(HttpStatusCode.PreconditionFailed, (await PostAsync("instances/one/rewind")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync("instances/one/restart", query: "restartWithNewInstanceId=false")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync("instances/one/terminate", query: "reason=enough")).StatusCode);
        Assert.Equal("enough", (string?)(await UntilAsync("one", "Terminated"))["output"]);
        using var purged = await DeleteAsync("instances/one");
        Assert.Equal(HttpStatusCode.OK, purged.StatusCode);
        Assert.Equal(1, (int?)(await BodyAsync(purged))["instancesDeleted"]);
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync("instances/one")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await DeleteAsync("instances/one")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await PostAsync("instances/one/terminate")).StatusCode);
    }

    [Fact]
    public async Task A_failure_is_a_200_unless_a_500_is_asked_for()
    {
        await PostAsync("orchestrators/Failing/one");
        var failed = await UntilAsync("one", "Failed");

        Assert.Contains("bad luck", (string?)failed["output"], StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("instances/one")).StatusCode);
        Assert.Equal(HttpStatusCode.InternalServerError, (await GetAsync("instances/one", "returnInternalServerErrorOnFailure=true")).StatusCode);
    }

    [Fact]
    public async Task Instances_are_listed_page_by_page_and_purged_by_filter()
    {
        for (var i = 0; i < 5; i++)
        {
            await PostAsync($"orchestrators/Echo/a{i}", "1");
            await UntilAsync($"a{i}", "Completed");
        }

        await PostAsync("orchestrators/Waiting/b0");
        var ids = new List<string>();
        string? continuation = null;
        do
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, At("instances/", "instanceIdPrefix=a&runtimeStatus=Completed&top=2"));
            if (continuation is not null)
            {
                request.Headers.Add("x-ms-continuation-token", continuation);
            }

            using var page = await _http.SendAsync(request);
            ids.AddRange((await page.Content.ReadFromJsonAsync<JsonArray>())!.Select(i => (string)i!["instanceId"]!));
            continuation = page.Headers.TryGetValues("x-ms-continuation-token", out var tokens) ? tokens.Single() : null;
        }
        while (continuation is not null);

        Assert.Equal(["a0", "a1", "a2", "a3", "a4"], ids);
        Assert.Equal(HttpStatusCode.BadRequest, (await DeleteAsync("instances/")).StatusCode);
        using var purged = await DeleteAsync("instances/", "createdTimeFrom=2020-01-01T00:00:00Z");
        Assert.Equal(5, (int?)(await BodyAsync(purged))["instancesDeleted"]);
        Assert.Equal(HttpStatusCode.Accepted, (await GetAsync("instances/b0")).StatusCode);
    }

    [Fact]
    public async Task The_durable_client_of_the_app_works_on_it()
    {
        var client = new HttpDurableTaskClient(_http, new Uri(Base), $"taskHub=TestHub&connection=Storage&code={Uri.EscapeDataString(Key)}");
        var id = await client.ScheduleNewOrchestrationInstanceAsync("Waiting", "in", new StartOrchestrationOptions("one"));

        await Assert.ThrowsAsync<OrchestrationAlreadyExistsException>(() => client.ScheduleNewOrchestrationInstanceAsync("Waiting", null, new StartOrchestrationOptions("one")));
        await client.RaiseEventAsync(id, "go", "went");

        var end = await client.WaitForInstanceCompletionAsync(id, getInputsAndOutputs: true).WaitAsync(EngineHub.Patience);
        Assert.Equal(("went", "in"), (end.ReadOutputAs<string>(), end.ReadInputAs<string>()));
        Assert.Equal(1, (await client.PurgeInstanceAsync(id)).PurgedInstanceCount);
        Assert.Null(await client.GetInstanceAsync(id));
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static async Task<JsonObject> BodyAsync(HttpResponseMessage response) => (await response.Content.ReadFromJsonAsync<JsonObject>())!;

    private string At(string path, string query = "") => $"{Base}/{path}?code={Uri.EscapeDataString(Key)}&{query}";

    private Task<HttpResponseMessage> GetAsync(string path, string query = "") => _http.GetAsync(At(path, query));

    private Task<HttpResponseMessage> DeleteAsync(string path, string query = "") => _http.DeleteAsync(At(path, query));

    private Task<HttpResponseMessage> PostAsync(string path, string? body = null, string query = "") => _http.PostAsync(At(path, query), body is null ? null : Json(body));

    private async Task<JsonObject> UntilAsync(string id, string runtimeStatus)
    {
        using var patience = new CancellationTokenSource(EngineHub.Patience);
        while (true)
        {
            using var response = await _http.GetAsync(At($"instances/{id}"), patience.Token);
            var body = await BodyAsync(response);
            if ((string?)body["runtimeStatus"] == runtimeStatus)
            {
                return body;
            }

            await Task.Delay(5, patience.Token);
        }
    }
}
